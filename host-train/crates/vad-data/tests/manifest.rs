//! Label files against folders of videos.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use golden::shared_data;
use vad_data::{DataError, Label, Manifest, Quota, SplitIds, SplitPlan, Splits, hex, render_labels};

/// A folder with these (empty) files, and a label file beside it.
fn load(files: &[&str], labels: &str) -> Result<Manifest, DataError> {
    let root = tempfile::tempdir().unwrap();
    let videos = root.path().join("videos");
    for file in files {
        let path = videos.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let csv = root.path().join("labels.csv");
    std::fs::write(&csv, labels).unwrap();
    Manifest::load(&csv, &videos)
}

fn ids(manifest: &Manifest) -> Vec<&str> {
    manifest.entries().iter().map(|entry| entry.id.as_str()).collect()
}

#[test]
fn names_are_found_with_and_without_extension_and_in_sub_folders() {
    let files = [
        "a.mp4",
        "b.AVI",
        "cam.1.mkv",
        "day/c.mp4",
        "frames/1.png",
        "frames/2.png",
        "odd.bin",
        "notes.txt",
        ".hidden.mp4",
    ];
    let labels = "video,label\nb.AVI,normal\na,abnormal\ncam.1,normal\nday/c,normal\nframes,abnormal\nodd.bin,normal\n";
    let manifest = load(&files, labels).unwrap();
    assert_eq!(
        ids(&manifest),
        ["b", "a", "cam.1", "day/c", "frames", "odd.bin"],
        "the label file's order is kept"
    );
    assert_eq!((manifest.count(Label::Normal), manifest.count(Label::Abnormal)), (4, 2));
    assert!(manifest.unlabelled().is_empty());
    assert!(manifest.get("day/c").unwrap().path.ends_with("videos/day/c.mp4"));
    assert!(manifest.get("nobody").is_none());
}

#[test]
fn known_videos_need_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("labels.csv");
    std::fs::write(&csv, "video,label\nAbuse/a_x264,abnormal\nb,normal\n").unwrap();
    let manifest = Manifest::load_known(&csv, |name| Some(format!("/features/{name}.npy").into())).unwrap();
    assert_eq!(ids(&manifest), ["Abuse/a_x264", "b"]);
    assert_eq!(manifest.entries()[1].path, Path::new("/features/b.npy"));
    let error = Manifest::load_known(&csv, |name| (name == "b").then(Default::default)).unwrap_err();
    assert!(
        error.to_string().contains("labels.csv:2:") && error.to_string().contains("Abuse/a_x264"),
        "{error}"
    );
}

#[test]
fn a_published_split_keeps_its_test_videos_and_gives_validation_videos_from_training() {
    let files: Vec<String> = (0..20).map(|index| format!("{index}.mp4")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let label = |index: usize| if index.is_multiple_of(2) { "normal" } else { "abnormal" };
    let rows: String = (0..20).map(|index| format!("{index},{}\n", label(index))).collect();
    let manifest = load(&files, &format!("video,label\n{rows}")).unwrap();
    let ids = |range: std::ops::Range<usize>| range.map(|index| index.to_string()).collect::<Vec<_>>();
    let official = |val| Splits::official(&manifest, &ids(0..12), &ids(12..19), val, 3).unwrap();
    let splits = official(0.3);
    assert_eq!((splits.train.len(), splits.val.len(), splits.test.len()), (8, 4, 7));
    assert_eq!(splits.unused, ["19"]);
    let mut test: Vec<&str> = splits.test.ids().collect();
    test.sort_by_key(|id| id.parse::<usize>().unwrap());
    assert_eq!(test, ids(12..19));
    assert!(splits.val.ids().all(|id| id.parse::<usize>().unwrap() < 12));
    assert_eq!(official(0.0).train.len(), 12);
    let overlap = Splits::official(&manifest, &ids(0..12), &ids(11..19), 0.1, 3).unwrap_err().to_string();
    assert!(overlap.contains("`11` of `test` stands in `train` already"), "{overlap}");
}

#[test]
fn videos_without_a_label_are_listed() {
    let manifest =
        load(&["a.mp4", "z.mp4", "b.mp4", "sub/d.mp4", "readme.md"], "video,label\na,normal\n").unwrap();
    assert_eq!(manifest.unlabelled(), ["b.mp4", "sub/d.mp4", "z.mp4"]);
}

#[test]
fn faults_name_file_line_and_remedy() {
    let cases: [(&[&str], &str, &str, &str); 8] = [
        (&["a.mp4"], "video,label\na,normal\na.mp4,normal\n", "labels.csv:3", "again, after line 2"),
        (&["a.mp4", "a.avi"], "video,label\na,normal\n", "labels.csv:2", "may be any of `a.avi`, `a.mp4`"),
        (&["a.mp4", "a.avi"], "video,label\na.mp4,normal\na.avi,normal\n", "labels.csv:3", "again"),
        (&["Test001.mp4"], "video,label\nTset001,normal\n", "labels.csv:2", "did you mean `Test001`?"),
        (&["a.mp4"], "video,label\n../a,normal\n", "labels.csv:2", "leads out"),
        (&["a.mp4"], "video,label\n/etc/passwd,normal\n", "labels.csv:2", "leads out"),
        (&["a.mp4"], "video,label\na,odd\n", "labels.csv:2: column `label`", "`normal` and `abnormal`"),
        (&["a.mp4"], "video,label\n", "labels.csv:1", "no videos"),
    ];
    for (files, labels, place, part) in cases {
        let error = load(files, labels).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(part), "{labels:?}: {error}");
    }
}

#[test]
fn missing_files_and_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.csv");
    assert!(Manifest::load(&absent, folder.path()).unwrap_err().to_string().contains("absent.csv"));
    let csv = folder.path().join("labels.csv");
    std::fs::write(&csv, "video,label\na,normal\n").unwrap();
    assert!(
        Manifest::load(&csv, Path::new("/no/such/folder"))
            .unwrap_err()
            .to_string()
            .contains("/no/such/folder")
    );
}

#[test]
fn a_rendered_manifest_loads_again() {
    let files = ["a.mp4", "b, c.mp4", "d.mp4"];
    let first = load(&files, "# by hand\nvideo,label,n_frames,abnormal_frames\na,abnormal,100,3-5;50-99\n\"b, c\",normal,7,\nd,abnormal,,\n").unwrap();
    let second = load(&files, &render_labels(first.entries())).unwrap();
    for (one, two) in first.entries().iter().zip(second.entries()) {
        assert_eq!(
            (&one.id, one.label, &one.abnormal, one.frames_claimed),
            (&two.id, two.label, &two.abnormal, two.frames_claimed)
        );
    }
    assert_ne!(first.sha256(), second.sha256(), "the hash is of the bytes");
}

#[test]
fn splits_by_id_are_checked_for_leaks() {
    let manifest = load(
        &["a.mp4", "b.mp4", "c.mp4", "d.mp4"],
        "video,label\na,normal\nb,abnormal\nc,normal\nd,abnormal\n",
    )
    .unwrap();
    let list = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
    let ids = SplitIds { train: list(&["b", "a"]), val: vec![], test: list(&["d"]) };
    let splits = Splits::from_ids(&manifest, &ids).unwrap();
    assert_eq!(splits.train.ids().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(splits.unused, ["c"]);
    assert_eq!(Splits::from_ids(&manifest, &splits.ids()).unwrap(), splits);
    let faults = [
        (SplitIds { test: list(&["a"]), ..ids.clone() }, "`a` of `test` stands in `train`"),
        (SplitIds { train: list(&["a", "b", "a"]), ..ids.clone() }, "stands in `train` already"),
        (SplitIds { val: list(&["x"]), ..ids.clone() }, "`x` of `val` is not in the label file"),
        (SplitIds { train: list(&["a"]), ..ids }, "no abnormal video for training"),
    ];
    for (ids, part) in faults {
        let error = Splits::from_ids(&manifest, &ids).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn ped2_labels_load_as_they_are() {
    let Some(folder) = shared_data("ped2") else { return };
    let manifest = Manifest::load(&folder.join("labels.csv"), &folder).unwrap();
    assert_eq!((manifest.count(Label::Normal), manifest.count(Label::Abnormal)), (16, 12));
    assert_eq!(manifest.entries().iter().filter_map(|entry| entry.frames_claimed).sum::<u64>(), 4560);
    let entry = manifest.get("Test003").unwrap();
    assert_eq!(entry.abnormal, Some(vec![0..=145]));
    assert_eq!(hex(&manifest.sha256()).len(), 64);
    let plan =
        SplitPlan { train: Quota::Videos { normal: 4, abnormal: 6 }, val: Quota::NONE, test: Quota::Rest };
    assert_eq!(Splits::draw(&manifest, &plan, 3).unwrap().test.len(), 18);
}
