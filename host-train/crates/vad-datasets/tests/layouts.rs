//! Every data set in the layouts of its users, small and made up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken set-up must stop the test")]

mod common;

use common::{Made, grid, npy, run, small_ucf};
use vad_data::{Label, VideoEntry};
use vad_datasets::{Axes, Dataset, FramesFrom, Import, Imported, Source, SplitRule};

fn label(import: &Import, id: &str) -> Label {
    import.videos[id].label
}

fn abnormal(import: &Import, id: &str) -> Option<Vec<(u64, u64)>> {
    import.videos[id].abnormal.clone()
}

fn official(import: &Import) -> (Vec<&str>, Vec<&str>) {
    let SplitRule::Official { train, test } = &import.split else { panic!("{:?}", import.split) };
    (train.iter().map(String::as_str).collect(), test.iter().map(String::as_str).collect())
}

fn line<'a>(text: &'a str, begins: &str) -> Vec<&'a str> {
    let found =
        text.lines().find(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("no {begins}: {text}"));
    found.split_whitespace().collect()
}

#[test]
fn ucf_crime_with_the_features_of_rtfm() {
    let made = small_ucf();
    let Imported { import, summary, .. } = made.import(Dataset::UcfCrime, &["train", "test"]).unwrap();
    let (train, test) = official(&import);
    assert_eq!(train, ["Abuse001_x264", "Arson003_x264", "Normal_Videos001_x264", "Normal_Videos003_x264"]);
    assert_eq!(test, ["Abuse028_x264", "Normal_Videos_003_x264"]);
    assert_eq!(label(&import, "Arson003_x264"), Label::Abnormal);
    assert_eq!(label(&import, "Normal_Videos_003_x264"), Label::Normal);
    assert_eq!(abnormal(&import, "Abuse028_x264"), Some(vec![(20, 39)]));
    // Where in training videos something happens is not taken over, even where it is known.
    assert_eq!(abnormal(&import, "Abuse001_x264"), None);
    let text = summary.to_string();
    assert_eq!(line(&text, "train"), ["train", "2", "2", "810", "+", "800", "18"]);
    assert_eq!(line(&text, "test"), ["test", "1", "1", "140", "+", "150", "5"]);
    assert!(text.contains("8 wide, crops 10") && text.contains("2 test videos: from the lists"), "{text}");
    // The range 20..=39 of 41 frames in three clips, beside 32 normal frames.
    assert_eq!(line(&text, "RTFM")[1..3], ["80", "20"]);
    assert_eq!(line(&text, "MIST, CU")[2..4], ["64", "12"]);
    assert_eq!(line(&text, "CU's script")[2..4], ["80", "12"]);
    assert!(
        summary.warnings().iter().all(|warning| warning.contains("original")),
        "{:?}",
        summary.warnings()
    );

    let features = import.load("Abuse028_x264").unwrap();
    assert_eq!((features.crops, features.dim, features.frames), (10, 8, 41));
    assert_eq!(features.values, grid(3, 10, 8));
    assert_eq!(features.spans.iter().map(|span| span.frames).collect::<Vec<_>>(), [16, 16, 9]);
    // What is kept must be found from any folder.
    assert!(import.root.is_absolute() && import.paths().values().all(|path| path.is_absolute()));
    // Without annotation of training videos: 16 x clips.
    assert_eq!(import.videos["Arson003_x264"].frames, Some((16, FramesFrom::Clips)));
    assert_eq!(import.model("run").unwrap().encoder.feature_dim, 8);
    import.model("run").unwrap().encoder.validate().unwrap();
}

#[test]
fn an_import_survives_its_file_and_hides_frames_from_training() {
    let import = small_ucf().import(Dataset::UcfCrime, &["train", "test"]).unwrap().import;
    let text = import.to_json().unwrap();
    let path = std::path::Path::new("work/import.json");
    assert_eq!(Import::from_json(&text, path).unwrap(), import);
    let error = Import::from_json(&text.replace("\"format\": 1", "\"format\": 9"), path).unwrap_err();
    assert!(error.to_string().contains("work/import.json: has format 9"), "{error}");
    assert!(import.entries().iter().all(|entry| entry.abnormal.is_none() && entry.frames_claimed.is_none()));
    let entry = |id: &str| import.entries().into_iter().find(|entry| entry.id == id).unwrap();
    let annotated = |id: &str| -> VideoEntry { import.annotated(&entry(id)) };
    assert_eq!(annotated("Abuse028_x264").abnormal, Some(vec![20..=39]));
    assert_eq!(annotated("Normal_Videos_003_x264").abnormal, Some(vec![]));
    assert_eq!(annotated("Abuse028_x264").class.as_deref(), Some("Abuse"));
    assert_eq!(annotated("Normal_Videos_003_x264").class, None);
}

#[test]
fn labels_and_order_do_not_depend_on_the_order_of_lists() {
    let made = small_ucf();
    let before = made.import(Dataset::UcfCrime, &["train", "test"]).unwrap().import;
    made.text(
        "lists/Anomaly_Train.txt",
        "T/Normal_Videos003_x264.mp4\nArson/Arson003_x264.mp4\nT/Normal_Videos001_x264.mp4\nAbuse/Abuse001_x264.mp4\n",
    );
    made.text("lists/ucf-i3d-test.list", "Normal_Videos_003_x264_i3d.npy\nAbuse028_x264_i3d.npy\n");
    assert_eq!(made.import(Dataset::UcfCrime, &["test", "train"]).unwrap().import, before);
}

#[test]
fn crops_may_lie_in_files_of_their_own_or_on_the_first_axis() {
    let ten_crops = |made: &Made, name: &str, clips: usize| {
        for crop in 0..10 {
            let values: Vec<f32> = (0..clips)
                .flat_map(|clip| grid(clips, 10, 8)[(clip * 10 + crop) * 8..][..8].to_vec())
                .collect();
            made.bytes(&format!("crops/{name}__{crop}.npy"), &npy(&[clips, 8], &values));
        }
    };
    let made = small_ucf();
    let want = made.import(Dataset::UcfCrime, &["train", "test"]).unwrap().import;
    for (id, record) in &want.videos {
        let Source::Features { clips, .. } = record.source else { panic!() };
        ten_crops(&made, id, clips);
        let turned: Vec<f32> = (0..10)
            .flat_map(|crop| {
                (0..clips).flat_map(move |clip| grid(clips, 10, 8)[(clip * 10 + crop) * 8..][..8].to_vec())
            })
            .collect();
        made.bytes(&format!("turned/{id}.npy"), &npy(&[10, clips, 8], &turned));
    }
    for folder in ["crops", "turned"] {
        let got = made.import(Dataset::UcfCrime, &[folder]).unwrap().import;
        for id in want.videos.keys() {
            assert_eq!(got.load(id).unwrap(), want.load(id).unwrap(), "{folder}: {id}");
        }
    }
    // A set of which nothing tells the axes apart.
    let one = Made::new();
    one.text("Anomaly_Train.txt", "Abuse001_x264\nNormal_Videos001_x264\n")
        .text("ucf-i3d-test.list", "Abuse028_x264\n");
    for id in ["Abuse001_x264", "Normal_Videos001_x264", "Abuse028_x264"] {
        one.features(&format!("f/{id}.npy"), &[10, 10, 8]);
    }
    let error = one.error(Dataset::UcfCrime, &["f"]);
    assert!(error.contains("[10, 10, 8]") && error.contains("--axes"), "{error}");
    let mut request = one.request(Dataset::UcfCrime, &["f"]);
    request.axes = Some(Axes::CropsClips);
    let values = run(&request).unwrap().import.load("Abuse001_x264").unwrap().values;
    assert_eq!(values[8..16], grid(10, 10, 8)[80..88]);
}

#[test]
fn ucf_crime_videos_alone_are_indexed_and_copies_are_told_apart() {
    let made = small_ucf();
    for name in [
        "Anomaly-Videos-Part-1/Abuse/Abuse001_x264.mp4",
        "Anomaly-Videos-Part-1/Arson/Arson003_x264.mp4",
        "Anomaly-Videos-Part-1/Abuse/Abuse028_x264.mp4",
        "Training-Normal-Videos-Part-1/Normal_Videos001_x264.mp4",
        "Training-Normal-Videos-Part-1/Normal_Videos003_x264.mp4",
        "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4",
        "Normal_Videos_for_Event_Recognition/Normal_Videos_003_x264.mp4",
    ] {
        made.text(&format!("videos/{name}"), "the same bytes");
    }
    let import = made.import(Dataset::UcfCrime, &[]).unwrap().import;
    assert_eq!(import.features, None);
    assert!(import.model("run").is_none());
    assert_eq!(import.paths().len(), 6);
    assert!(import.paths()["Abuse001_x264"].ends_with("Abuse/Abuse001_x264.mp4"));
    assert!(import.load("Abuse001_x264").unwrap_err().to_string().contains("extract"));
    made.text("videos/Normal_Videos_for_Event_Recognition/Normal_Videos_003_x264.mp4", "another video");
    let error = made.error(Dataset::UcfCrime, &[]);
    assert!(error.contains("two different videos are called `Normal_Videos_003_x264`"), "{error}");
}

#[test]
fn shanghaitech_takes_frames_from_masks_and_labels_from_lists_or_names() {
    let made = Made::new();
    made.text("lists/SH_Train_new.txt", "01_0014,1\n01_002,0\n")
        .text("lists/SH_Test_NEW.txt", "01_0015,1,764\n01_001,0,40\n");
    made.text("list/shanghai-i3d-test-10crop.list", "/x/01_0015_i3d.npy\n/x/01_001_i3d.npy\n");
    made.mask(
        "testing/test_frame_mask/01_0015.npy",
        &[[0; 10].as_slice(), &[1; 10], &[0; 10], &[1; 7]].concat(),
    );
    made.mask("testing/test_frame_mask/01_0014.npy", &[1; 16]);
    for (id, clips) in [("01_0014", 1), ("01_002", 12), ("01_0015", 3), ("01_001", 3)] {
        made.features(&format!("SH/{id}_i3d.npy"), &[clips, 10, 8]);
    }
    let Imported { import, summary, .. } = made.import(Dataset::ShanghaiTech, &["SH"]).unwrap();
    assert_eq!(official(&import), (vec!["01_0014", "01_002"], vec!["01_001", "01_0015"]));
    assert_eq!(abnormal(&import, "01_0015"), Some(vec![(10, 19), (30, 36)]));
    assert_eq!(abnormal(&import, "01_0014"), None);
    assert_eq!(import.videos["01_0015"].frames, Some((37, FramesFrom::Mask)));
    assert_eq!(import.videos["01_001"].frames, Some((40, FramesFrom::Lists)));
    let text = summary.to_string();
    // The mask's last value fills the third clip.
    assert_eq!(line(&text, "RTFM")[1..3], ["96", "28"]);
    assert_eq!(line(&text, "MIST")[1..3], ["77", "17"]);

    // Names alone say the same.
    made.text("lists/SH_Train_new.txt", "01_0014\n01_002\n")
        .text("lists/SH_Test_NEW.txt", "01_0015\n01_001\n");
    let by_name = made.import(Dataset::ShanghaiTech, &["SH"]).unwrap().import;
    assert_eq!(by_name.split, import.split);
    assert_eq!(by_name.videos["01_001"].frames, Some((48, FramesFrom::Clips)));

    // The authors' array is in the order of the list.
    let truth: Vec<f32> = [[0.0; 10].as_slice(), &[1.0; 10], &[0.0; 10], &[1.0; 18], &[0.0; 48]].concat();
    made.bytes("gt-sh.npy", &npy(&[96], &truth));
    let mut request = made.request(Dataset::ShanghaiTech, &["SH"]);
    request.ground_truth = Some(made.path().join("gt-sh.npy"));
    let comparison = run(&request).unwrap().comparison.unwrap();
    assert!(
        comparison.agrees() && comparison.to_string().contains("RTFM: every frame is the same"),
        "{comparison}"
    );
    let mut other = truth.clone();
    other[0] = 1.0;
    other[95] = 1.0;
    made.bytes("gt-sh.npy", &npy(&[96], &other));
    let comparison = run(&request).unwrap().comparison.unwrap();
    let text = comparison.to_string();
    assert!(
        !comparison.agrees() && text.contains("01_0015: 1 frames") && text.contains("01_001: 1 frames"),
        "{text}"
    );
    made.bytes("gt-sh.npy", &npy(&[90], &truth[..90]));
    let text = run(&request).unwrap().comparison.unwrap().to_string();
    assert!(text.contains("no convention gives as many frames"), "{text}");
}

#[test]
fn xd_violence_reads_classes_from_names_and_five_crops() {
    let (movie, web, calm) = (
        "Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6",
        "v=-fOWSLV6Esw__#1_label_B4-0-0",
        "A.B.2001__#00-1_label_A",
    );
    let (train_a, train_n) = ("Brick.2014__#00-1_label_B1-0-0", "v=x__#1_label_A");
    let made = Made::new();
    let paths = |folder: &str, ids: &[&str]| {
        let path = |(id, crop): (&&str, usize)| format!("/media/peng/{folder}/{id}__{crop}.npy\n");
        ids.iter().flat_map(|id| (0..5).map(move |crop| (id, crop))).map(path).collect::<String>()
    };
    made.text("list/rgb.list", &paths("RGB", &[train_a, train_n]));
    made.text("list/rgb_test.list", &paths("RGBTest", &[movie, web, calm]));
    made.text("annotations.txt", &format!("{movie} 20 30 25 40\n{web}.mp4 0 16\n"));
    for (id, clips) in [(train_a, 4), (train_n, 2)] {
        for crop in 0..5 {
            made.features(&format!("RGB/{id}__{crop}.npy"), &[clips, 8]);
        }
    }
    for (id, clips) in [(movie, 3), (web, 2), (calm, 1)] {
        for crop in 0..5 {
            made.features(&format!("RGBTest/{id}__{crop}.npy"), &[clips, 8]);
        }
    }
    let Imported { import, summary, .. } = made.import(Dataset::XdViolence, &["RGB", "RGBTest"]).unwrap();
    assert_eq!(official(&import).0, [train_a, train_n]);
    assert_eq!((label(&import, web), label(&import, calm)), (Label::Abnormal, Label::Normal));
    // Ranges end before their second number; those that overlap are one.
    assert_eq!(abnormal(&import, movie), Some(vec![(20, 39)]));
    assert_eq!(abnormal(&import, web), Some(vec![(0, 15)]));
    assert_eq!(import.load(movie).unwrap().crops, 5);
    assert_eq!(import.videos[movie].frames, Some((48, FramesFrom::Clips)));
    assert_eq!(line(&summary.to_string(), "XD-Violence  ")[1..3], ["96", "36"]);

    // Lengths that the caller knows.
    made.text("frames.csv", &format!("video,frames\n{movie}.mp4,47\n{web} 33\n"));
    let mut request = made.request(Dataset::XdViolence, &["RGB", "RGBTest"]);
    request.frames = Some(made.path().join("frames.csv"));
    let import = run(&request).unwrap().import;
    assert_eq!(import.videos[movie].frames, Some((47, FramesFrom::Given)));
    made.text("frames.csv", "nobody,47\n");
    let error = run(&request).unwrap_err().to_string();
    assert!(error.contains("frames.csv:1: no list names a video `nobody`"), "{error}");
}

#[test]
fn tad_reads_classes_and_ranges_and_folders_called_like_videos() {
    let made = Made::new();
    made.text(
        "labels/TAD_train.txt",
        "frames/abnormal/01_Accident_001.mp4 0 224 1\nframes/normal/Normal_001.mp4 0 141 0\n",
    );
    made.text(
        "labels/TAD_test.txt",
        "frames/abnormal/05_else_026.mp4 30 5 0 20 25 31\nframes/normal/Normal_008.mp4 77 0 0 77\n",
    );
    for id in ["abnormal/01_Accident_001", "abnormal/05_else_026", "normal/Normal_001", "normal/Normal_008"] {
        for picture in ["0.jpg", "1.jpg", "10.jpg"] {
            made.text(&format!("frames/{id}.mp4/{picture}"), "");
        }
    }
    let import = made.import(Dataset::Tad, &[]).unwrap().import;
    assert_eq!(official(&import).1, ["05_else_026", "Normal_008"]);
    // A range that begins with the video counts, and an end past the video is kept as it is written.
    assert_eq!(abnormal(&import, "05_else_026"), Some(vec![(0, 19), (25, 30)]));
    assert_eq!(abnormal(&import, "Normal_008"), Some(vec![]));
    assert_eq!(import.videos["05_else_026"].frames, Some((30, FramesFrom::Lists)));
    assert!(import.paths()["Normal_001"].ends_with("normal/Normal_001.mp4"));
    // Paths alone.
    made.text("labels/TAD_train.txt", "frames/abnormal/01_Accident_001.mp4\nNormal_001\n");
    assert_eq!(label(&made.import(Dataset::Tad, &[]).unwrap().import, "Normal_001"), Label::Normal);
}

#[test]
fn ped2_in_the_original_layout_with_ranges_or_masks() {
    let made = Made::new();
    for (video, frames) in
        [("Train/Train001", 3), ("Train/Train002", 2), ("Test/Test001", 4), ("Test/Test002", 3)]
    {
        for frame in 1..=frames {
            made.text(&format!("{video}/{frame:03}.tif"), "");
        }
    }
    made.text(
        "Test/UCSDped2.m",
        "% the ground truth\nTestVideoFile = {};\nTestVideoFile{end+1}.gt_frame = [2:3];\n\
         TestVideoFile{end+1}.gt_frame = [1:1, 3];\n",
    );
    let import = made.import(Dataset::UcsdPed2, &[]).unwrap().import;
    assert_eq!(import.split, SplitRule::Drawn { abnormal: 6, normal: 4 });
    assert_eq!(abnormal(&import, "Test001"), Some(vec![(1, 2)]));
    assert_eq!(abnormal(&import, "Test002"), Some(vec![(0, 0), (2, 2)]));
    assert_eq!(import.videos["Train002"].frames, Some((2, FramesFrom::Pictures)));
    made.text("Test/UCSDped2.m", "TestVideoFile{end+1}.gt_frame = [2:3];\n");
    let error = made.error(Dataset::UcsdPed2, &[]);
    assert!(error.contains("UCSDped2.m: 1 ranges for 2 test videos"), "{error}");

    std::fs::remove_file(made.path().join("Test/UCSDped2.m")).unwrap();
    for (video, masks) in [("Test001", [0, 255, 255, 0].as_slice()), ("Test002", &[255, 0, 255])] {
        for (index, &grey) in masks.iter().enumerate() {
            let path = made.path().join(format!("Test/{video}_gt/{:03}.bmp", index + 1));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            image::GrayImage::from_fn(4, 3, |x, _| image::Luma([if x == 2 { grey } else { 0 }]))
                .save(path)
                .unwrap();
        }
    }
    let by_masks = made.import(Dataset::UcsdPed2, &[]).unwrap().import;
    assert_eq!(by_masks.videos, import.videos);
}

#[test]
fn ped2_with_our_labels_needs_no_videos_beside_features() {
    let made = Made::new();
    made.text(
        "labels.csv",
        "video,label,n_frames,first_abnormal,last_abnormal\nTrain001,normal,20,,\nTest001,abnormal,30,3,9\n",
    );
    made.features("f/Train001.npy", &[2, 8]).features("f/Test001.npy", &[2, 8]);
    let import = made.import(Dataset::UcsdPed2, &["f"]).unwrap().import;
    assert_eq!(abnormal(&import, "Test001"), Some(vec![(3, 9)]));
    assert_eq!(import.load("Test001").unwrap().frames, 30);
}
