//! What is wrong on disk is an error that names file, place and remedy.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken set-up must stop the test")]

mod common;

use common::{Made, grid, npy, run, small_ucf};
use vad_datasets::Dataset;

const FOLDERS: [&str; 2] = ["train", "test"];

/// The error of a small UCF-Crime after a change to it.
fn after(change: impl FnOnce(&Made) -> &Made) -> String {
    let made = small_ucf();
    change(&made);
    made.error(Dataset::UcfCrime, &FOLDERS)
}

fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

#[test]
fn features_of_another_width_or_number_of_crops() {
    let file = "train/Abuse001_x264_i3d.npy";
    let error = after(|made| made.features(file, &[4, 10, 16]));
    says(&error, &["Abuse001_x264", file, "16 wide and most others 8", "one encoder"]);
    let error = after(|made| made.features(file, &[4, 5, 8]));
    says(&error, &[file, "5 crops and most others 10"]);
    let error = after(|made| made.bytes(file, &npy(&[32], &[0.0; 32])));
    says(&error, &[file, "[32]", "[clips, width]"]);
    let error = after(|made| made.features(file, &[0, 10, 8]));
    says(&error, &[file, "is empty"]);
}

#[test]
fn values_that_are_not_finite() {
    let error = after(|made| {
        let mut values = grid(4, 10, 8);
        values[2 * 80 + 7 * 8 + 5] = f32::NAN;
        made.bytes("train/Abuse001_x264_i3d.npy", &npy(&[4, 10, 8], &values))
    });
    says(&error, &["Abuse001_x264_i3d.npy", "clip 2, crop 7, value 5 is NaN", "again"]);
    // With a file for each crop the crop is the file's.
    let made = small_ucf();
    let ids =
        ["Abuse001_x264", "Arson003_x264", "Normal_Videos001_x264", "Normal_Videos003_x264", "Abuse028_x264"];
    for id in ids.iter().chain(&["Normal_Videos_003_x264"]) {
        for crop in 0..5 {
            made.features(&format!("crops/{id}__{crop}.npy"), &[3, 8]);
        }
    }
    let mut values = grid(3, 1, 8);
    values[8 + 6] = f32::INFINITY;
    made.bytes("crops/Arson003_x264__3.npy", &npy(&[3, 8], &values));
    says(&made.error(Dataset::UcfCrime, &["crops"]), &["Arson003_x264", "clip 1, crop 3, value 6 is inf"]);
}

#[test]
fn files_that_are_cut_off_or_foreign() {
    let file = "test/Abuse028_x264_i3d.npy";
    let cut = npy(&[3, 10, 8], &grid(3, 10, 8));
    let error = after(|made| made.bytes(file, &cut[..cut.len() - 5]));
    says(&error, &[file, "cut off", "[3, 10, 8] has 960 bytes, here are 955", "again"]);
    says(&after(|made| made.text(file, "<html>quota exceeded</html>")), &[file, "not a .npy file"]);
    let made = small_ucf();
    made.text("features.h5", "no HDF5");
    says(&made.error(Dataset::UcfCrime, &["features.h5"]), &["features.h5", "not a readable HDF5 file"]);
}

#[test]
fn videos_that_are_listed_and_not_there() {
    fn remove<'a>(made: &'a Made, name: &str) -> &'a Made {
        std::fs::remove_file(made.path().join(name)).unwrap();
        made
    }
    let error = after(|made| remove(made, "train/Arson003_x264_i3d.npy"));
    says(&error, &["no feature file for 1 of 6", "`Arson003_x264`", "Anomaly_Train.txt:2", "--keep-going"]);
    let made = small_ucf();
    says(&made.error(Dataset::UcfCrime, &[]), &["no video for 6 of 6", "and 1 more", "Anomaly_Train.txt"]);
    // With leave the rest is imported, and what is missing is said.
    remove(&made, "train/Arson003_x264_i3d.npy");
    let mut request = made.request(Dataset::UcfCrime, &FOLDERS);
    request.keep_going = true;
    let done = run(&request).unwrap();
    assert_eq!(done.import.videos.len(), 5);
    says(&done.summary.warnings().join("\n"), &["`Arson003_x264`", "train videos: 1 + 2", "810 + 800"]);
}

#[test]
fn annotations_that_do_not_parse_or_name_nobody() {
    let file = "lists/Temporal_Anomaly_Annotation_New.txt";
    let whole = "Abuse028_x264.mp4 Abuse 20 39 -1 -1 41\n";
    let line_two = |text: &str| after(|made| made.text(file, &format!("{whole}{text}\n")));
    let at = "Temporal_Anomaly_Annotation_New.txt:2:";
    says(&line_two("Normal_Videos_003_x264.mp4 Normal -1 -1"), &[at, "write NAME CLASS"]);
    says(&line_two("Normal_Videos_003_x264.mp4 Normal -1 x -1 -1"), &[at, "`x` is not a whole number"]);
    says(&line_two("Normal_Videos_003_x264.mp4 Normal 9 5 -1 -1"), &[at, "9 5 ends before it begins"]);
    says(
        &line_two("Normal_Videos_003_x264.mp4 Normal 5 9 -1 -1"),
        &[at, "normal by its name, but has a range"],
    );
    says(
        &line_two("Abuse030_x264.mp4 Abuse 5 9 -1 -1"),
        &[at, "`Abuse030_x264` is annotated", "remove the line"],
    );
    let list = "lists/Anomaly_Train.txt";
    says(
        &after(|made| made.text(list, "Abuse001_x264\nWhoever001\n")),
        &["Anomaly_Train.txt:2:", "Whoever001"],
    );
    says(&after(|made| made.bytes(list, b"\xff\xfe")), &["Anomaly_Train.txt", "UTF-8"]);
}

#[test]
fn names_that_stand_twice() {
    let twice = "Abuse001_x264.mp4\nNormal_Videos001_x264.mp4\nAbuse/Abuse001_x264.mp4\n";
    let error = after(|made| made.text("lists/Anomaly_Train.txt", twice));
    says(&error, &["Anomaly_Train.txt:3: `Abuse001_x264` is named again, after", "Anomaly_Train.txt:1"]);
    let leak = "Abuse001_x264.mp4\nAbuse028_x264.mp4\nNormal_Videos001_x264.mp4\n";
    let error = after(|made| made.text("lists/Anomaly_Train.txt", leak));
    says(&error, &["ucf-i3d-test.list:1: `Abuse028_x264` is named again", "Anomaly_Train.txt:2"]);
    let error = after(|made| made.features("train/Flow/Abuse001_x264.npy", &[4, 10, 8]));
    says(&error, &["two files hold features of `Abuse001_x264`", "one kind of features"]);
}

#[test]
fn crops_that_are_missing_or_of_different_length() {
    let made = small_ucf();
    for id in ["Abuse001_x264", "Arson003_x264", "Normal_Videos001_x264", "Normal_Videos003_x264"] {
        for crop in 0..5 {
            made.features(&format!("c/{id}__{crop}.npy"), &[3, 8]);
        }
    }
    for id in ["Abuse028_x264", "Normal_Videos_003_x264"] {
        for crop in 0..5 {
            made.features(&format!("c/{id}__{crop}.npy"), &[3, 8]);
        }
    }
    made.import(Dataset::UcfCrime, &["c"]).unwrap();
    made.features("c/Abuse001_x264__2.npy", &[4, 8]);
    says(&made.error(Dataset::UcfCrime, &["c"]), &["Abuse001_x264", "crop 2 is 4 x 8 and crop 0 3 x 8"]);
    std::fs::remove_file(made.path().join("c/Abuse001_x264__2.npy")).unwrap();
    says(&made.error(Dataset::UcfCrime, &["c"]), &["crop 2 is missing (`Abuse001_x264__2.npy`)"]);
}

#[test]
fn lists_that_are_missing_are_named() {
    let made = Made::new();
    says(&made.error(Dataset::UcfCrime, &["nowhere"]), &["nowhere: cannot find the folder"]);
    says(
        &made.error(Dataset::UcfCrime, &[]),
        &["no list of training videos", "Anomaly_Train.txt", "ucf-i3d.list"],
    );
    says(&made.error(Dataset::ShanghaiTech, &[]), &["SH_Train_new.txt"]);
    says(&made.error(Dataset::XdViolence, &[]), &["rgb.list"]);
    says(&made.error(Dataset::Tad, &[]), &["TAD_train.txt"]);
    says(&made.error(Dataset::UcsdPed2, &[]), &["labels.csv", "Train001"]);
    made.text("SH_Train.txt", "01_0014\n01_002\n").text("SH_Test.txt", "01_01\n");
    says(&made.error(Dataset::ShanghaiTech, &[]), &["SH_Test.txt:1:", "`01_01` is no name of ShanghaiTech"]);
}

#[test]
fn features_that_change_after_the_import() {
    let made = small_ucf();
    let import = made.import(Dataset::UcfCrime, &FOLDERS).unwrap().import;
    made.features("train/Abuse001_x264_i3d.npy", &[5, 10, 8]);
    let error = import.load("Abuse001_x264").unwrap_err().to_string();
    says(&error, &["5 x 10 x 8 values, and 4 x 10 x 8 when it was imported", "watchpost import"]);
}

#[test]
fn a_video_of_one_clip_and_lengths_that_do_not_fit_are_no_errors() {
    let made = small_ucf();
    made.features("test/Abuse028_x264_i3d.npy", &[9, 10, 8]);
    let done = made.import(Dataset::UcfCrime, &FOLDERS).unwrap();
    says(
        &done.summary.warnings().join("\n"),
        &["1 videos have more clips than their frames fill", "Abuse028_x264"],
    );
    assert_eq!(done.import.load("Abuse028_x264").unwrap().frames, 144);
    assert_eq!(done.import.load("Arson003_x264").unwrap().clips(), 1);
}
