//! The ffmpeg programs as child processes: missing ones are told, running ones are ended.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;

use common::write_video;
use vad_video::{FrameBuf, FrameSource, VideoError, VideoWriter, ffmpeg_version};

/// Runs another test of this program alone, in a process of its own.
fn in_own_process(test: &str, path_variable: Option<&str>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored", "--nocapture"]);
    if let Some(value) = path_variable {
        command.env("PATH", value);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

#[test]
fn the_version_is_told() {
    let version = ffmpeg_version().unwrap();
    assert!(!version.is_empty() && version != "version", "{version}");
}

#[test]
fn missing_programs_are_told_with_the_remedy() {
    in_own_process("alone_without_ffmpeg", Some("/nonexistent"));
}

#[test]
#[ignore = "run by missing_programs_are_told_with_the_remedy, with an empty PATH"]
fn alone_without_ffmpeg() {
    if std::env::var_os("PATH").is_none_or(|path| path != "/nonexistent") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    std::fs::write(&path, "some bytes").unwrap();
    let errors = [
        ffmpeg_version().unwrap_err(),
        FrameSource::open(&path).unwrap_err(),
        VideoWriter::create(&path, 64, 48, 10.0).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, VideoError::ProgramMissing { .. }), "{error:?}");
        assert!(error.to_string().contains("apt-get install ffmpeg"), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_child_outlives_its_owner() {
    in_own_process("alone_without_children", None);
}

/// Children of this process, the ended but unreaped ones included.
#[cfg(target_os = "linux")]
fn children() -> usize {
    let parent = format!("PPid:\t{}", std::process::id());
    let is_child = |status: String| status.lines().any(|line| line == parent);
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok())
        .filter(|status| is_child(status.clone()))
        .count()
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by no_child_outlives_its_owner, since it counts the children of the process"]
fn alone_without_children() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    write_video(&path, 200, 10.0).unwrap();
    assert_eq!(children(), 0, "after writing");
    let mut source = FrameSource::open(&path).unwrap();
    assert!(source.next_frame(&mut FrameBuf::new()).unwrap());
    assert_eq!(children(), 1, "while reading");
    drop(source);
    assert_eq!(children(), 0, "after giving up early");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let mut source = FrameSource::open(&path).unwrap();
    while source.next_frame(&mut FrameBuf::new()).is_ok() {}
    drop(source);
    drop(VideoWriter::create(&folder.path().join("b.mp4"), 64, 48, 10.0).unwrap());
    assert_eq!(children(), 0, "after an error and an unfinished video");
}
