//! A row of a paper's table that takes both stages of MIST, with one command on a small and made-up UCF-Crime.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::commands::{leave_features, read, watchpost, write_c3d};
use crate::footage::video;
use vad_data::Label;

/// Two clips and a rest.
const FRAMES: u32 = 40;

#[test]
fn both_stages_take_one_command_and_stand_beside_the_printed_figures() {
    let folder = tempfile::tempdir().unwrap();
    let (mut train, mut test, mut annotation) = (String::new(), String::new(), String::new());
    let mut entries = Vec::new();
    for index in 0..8 {
        let (id, label, event) = match (index % 2, index < 4) {
            (1, _) => (format!("Arson{index:03}_x264"), Label::Abnormal, "Arson 16 39"),
            (_, true) => (format!("Normal_Videos{index:03}_x264"), Label::Normal, ""),
            (_, false) => (format!("Normal_Videos_{index:03}_x264"), Label::Normal, "Normal -1 -1"),
        };
        entries.push(video(&folder, &id, label, FRAMES));
        if index < 4 {
            writeln!(train, "Any/{id}.mp4").unwrap();
        } else {
            writeln!(test, "Any/{id}.mp4").unwrap();
            writeln!(annotation, "{id}.mp4 {event} -1 -1 {FRAMES}").unwrap();
        }
    }
    for (name, text) in [
        ("Anomaly_Train.txt", train),
        ("Anomaly_Test.txt", test),
        ("Temporal_Anomaly_Annotation_New.txt", annotation),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    let (work, c3d) = (place.path().join("work"), place.path().join("c3d.safetensors"));
    write_c3d(&c3d);
    let [root, work_word, c3d] = [folder.path(), &work, &c3d].map(|path| path.to_str().unwrap());
    let data = ["--dataset", "ucf-crime", "--root", root, "--val", "0", "--work", work_word];
    assert_eq!(watchpost(&[&["import"], &data[..]].concat()), ExitCode::SUCCESS);
    leave_features(&entries, &work);

    let sizes = ["width_px=32", "height_px=32", "k=2", "clips_per_video=1"];
    let course = ["epochs=2", "frozen_epochs=1", "videos=1", "batches_per_step=1"];
    let settings: Vec<String> =
        sizes.into_iter().chain(course).map(|setting| format!("--set=stage2.{setting}")).collect();
    let bench = ["bench", "published", "--published", "ucf-crime-c3d", "--recipe", "mist", "--seeds", "1"];
    let stage2 = ["--stage2", "--c3d-weights", c3d, "--set=steps=6", "--set=pairs=2"];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let words = [&bench[..], &data, &stage2, &settings].concat();
    assert_eq!(watchpost(&words), ExitCode::SUCCESS);

    let page = std::fs::read_to_string(work.join("runs/published.md")).unwrap();
    let row = |begins: &str| {
        let found = page.lines().find(|line| line.starts_with(begins));
        found.unwrap_or_else(|| panic!("no {begins}:\n{page}")).to_owned()
    };
    // Both stages are counted as the paper counts frames, with false alarms beside those that it prints.
    let both = row("| mist-stage2 | MIST, CU | ");
    assert!(both.contains("ROC AUC 0.8140") && both.contains("FAR 2.19 %"), "{both}");
    assert!(!both.contains("not comparable") && !both.contains("undefined"), "{both}");
    let first = row("| mist | MIST, CU | ");
    assert!(first.contains("ROC AUC 0.7551") && first.contains("4096 values there, of 1024 here"), "{first}");
    assert!(!row("| mist-stage2 | RTFM | ").contains("0.8140"), "{page}");
    assert!(row("| mist-stage2 | mist-stage2 | `").contains("epochs = 2"), "{page}");
    let numbers = read(&work.join("runs/published.json"));
    let [first, second] = &numbers["variants"].as_array().unwrap()[..] else { panic!("{numbers}") };
    assert_eq!((&first["variant"], &second["against"]), (&"mist".into(), &"mist".into()));
    assert!(second["rows"][0]["far_normal_videos"].is_number(), "{second}");

    // It goes on from the runs that are there; what it cannot do is said before anything is trained.
    assert_eq!(watchpost(&words), ExitCode::SUCCESS);
    let with = |more: &[&str]| watchpost(&[&words[..], more].concat());
    assert_eq!(with(&["--features", root]), ExitCode::FAILURE);
    assert_eq!(with(&["--set=stage2.epoch=3"]), ExitCode::FAILURE);
    assert_eq!(with(&["--set=stage2.encoder=i3d"]), ExitCode::FAILURE);
}
