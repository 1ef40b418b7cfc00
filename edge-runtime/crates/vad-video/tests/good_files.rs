//! Sound files: every frame arrives, once, in order and with the right pixels.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{HEIGHT_PX, WIDTH_PX, count_frames, ffmpeg, picture, write_video};
use golden::shared_data;
use vad_core::RgbFrame;
use vad_video::{FrameBuf, FrameSource, VideoError, VideoWriter};

/// Largest mean absolute error of a written and re-read smooth picture (crf 18, chroma at half resolution), in grey levels.
const ROUND_TRIP_MEAN_ERROR: f64 = 2.0;

fn mean_error(left: &[u8], right: &[u8]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / left.len() as f64
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    write_video(&path, 37, 12.5).unwrap();
    let mut source = FrameSource::open(&path).unwrap();
    let info = *source.info();
    assert_eq!((info.width_px, info.height_px, info.frames_hint), (WIDTH_PX, HEIGHT_PX, Some(37)));
    assert!((info.frame_rate_hz - 12.5).abs() < 1e-9);
    let mut buf = FrameBuf::new();
    for index in 0..37 {
        assert!(source.next_frame(&mut buf).unwrap(), "frame {index}");
        assert_eq!((buf.as_frame().width_px(), buf.as_frame().height_px()), (WIDTH_PX, HEIGHT_PX));
        let error = mean_error(buf.data(), &picture(index));
        assert!(error < ROUND_TRIP_MEAN_ERROR, "frame {index}: mean error {error}");
    }
    for _ in 0..3 {
        assert!(!source.next_frame(&mut buf).unwrap(), "the end stays the end");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the video is left");
}

#[test]
fn equal_frames_give_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.mp4", "b.mp4"].map(|name| folder.path().join(name));
    for path in &paths {
        write_video(path, 20, 10.0).unwrap();
    }
    assert!(std::fs::read(&paths[0]).unwrap() == std::fs::read(&paths[1]).unwrap());
}

#[test]
fn odd_names_are_names() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.mp4");
    write_video(&plain, 5, 10.0).unwrap();
    for name in [
        "with space.mp4",
        "http:host.mp4",
        "жук ü.mp4",
        "-y.mp4",
        "%03d.mp4",
        "a'b\"c.mp4",
        "no-extension",
        "concat:x|y.mp4",
    ] {
        let path = folder.path().join(name);
        std::fs::copy(&plain, &path).unwrap();
        let (frames, outcome) = count_frames(&path);
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
        assert_eq!(frames, 5, "{name}");
    }
    let colon = folder.path().join("gate 1: ж.mp4");
    write_video(&colon, 5, 10.0).unwrap();
    assert_eq!(count_frames(&colon).0, 5);
}

#[test]
fn common_containers_are_read_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write_video(at("clip.mp4").as_ref(), 30, 10.0).unwrap();
    for (name, codec) in [
        ("c.mkv", "copy"),
        ("c.ts", "copy"),
        ("c.mov", "copy"),
        ("c.avi", "mpeg4"),
        ("m.avi", "mjpeg"),
        ("c.webm", "libvpx"),
        ("c.y4m", "wrapped_avframe"),
        ("c.mpg", "mpeg2video"),
    ] {
        let rate = if codec == "mpeg2video" { "25" } else { "10" };
        ffmpeg(&[
            "-r",
            rate,
            "-i",
            &at("clip.mp4"),
            "-strict",
            "-1",
            "-fps_mode",
            "passthrough",
            "-c:v",
            codec,
            &at(name),
        ]);
        let (frames, outcome) = count_frames(at(name).as_ref());
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
        assert_eq!(frames, 30, "{name}");
    }
}

#[test]
fn an_edit_list_hides_frames_without_being_damage() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write_video(at("clip.mp4").as_ref(), 100, 25.0).unwrap();
    ffmpeg(&["-ss", "1.3", "-i", &at("clip.mp4"), "-c", "copy", &at("cut.mp4")]);
    let (frames, outcome) = count_frames(at("cut.mp4").as_ref());
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!((66..=68).contains(&frames), "{frames} frames of 2.7 s at 25 per second");
}

#[test]
fn variable_rates_neither_drop_nor_double() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write_video(at("clip.mp4").as_ref(), 40, 10.0).unwrap();
    // Late second half: constant-rate output would fill the gap with copies.
    ffmpeg(&[
        "-i",
        &at("clip.mp4"),
        "-vf",
        "setpts=PTS+gte(N\\,20)*3/TB",
        "-fps_mode",
        "passthrough",
        "-c:v",
        "libx264",
        &at("vfr.mkv"),
    ]);
    assert_eq!(count_frames(at("vfr.mkv").as_ref()).0, 40);
}

#[test]
fn rotation_is_applied_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write_video(at("clip.mp4").as_ref(), 3, 10.0).unwrap();
    ffmpeg(&["-i", &at("clip.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90", &at("turned.mp4")]);
    let mut source = FrameSource::open(at("turned.mp4").as_ref()).unwrap();
    assert_eq!((source.info().width_px, source.info().height_px), (HEIGHT_PX, WIDTH_PX));
    let mut buf = FrameBuf::new();
    assert!(source.next_frame(&mut buf).unwrap());
    assert_eq!((buf.width_px(), buf.height_px()), (HEIGHT_PX, WIDTH_PX));
}

#[test]
fn a_change_of_size_midway_keeps_the_first_size() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write_video(at("clip.mp4").as_ref(), 20, 10.0).unwrap();
    ffmpeg(&["-i", &at("clip.mp4"), "-c:v", "libx264", &at("small.ts")]);
    ffmpeg(&["-i", &at("clip.mp4"), "-vf", "scale=128:96", "-c:v", "libx264", &at("large.ts")]);
    std::fs::write(at("list"), "file 'small.ts'\nfile 'large.ts'\n").unwrap();
    ffmpeg(&["-f", "concat", "-i", &at("list"), "-c", "copy", &at("both.ts")]);
    let (frames, outcome) = count_frames(at("both.ts").as_ref());
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(frames, 40);
}

#[test]
fn dropping_a_source_early_ends_the_decoder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    write_video(&path, 60, 10.0).unwrap();
    for _ in 0..20 {
        let mut source = FrameSource::open(&path).unwrap();
        assert!(source.next_frame(&mut FrameBuf::new()).unwrap());
    }
}

#[test]
fn an_unfinished_video_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let mut writer = VideoWriter::create(&path, WIDTH_PX, HEIGHT_PX, 10.0).unwrap();
    writer.push(RgbFrame::new(WIDTH_PX, HEIGHT_PX, &picture(0)).unwrap()).unwrap();
    drop(writer);
    assert!(matches!(
        VideoWriter::create(&path, WIDTH_PX, HEIGHT_PX, 10.0).unwrap().finish(),
        Err(VideoError::Write { .. })
    ));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn impossible_videos_are_refused_before_writing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, width, height, rate) in [
        ("a.mp4", 63, 48, 10.0),
        ("a.mp4", 64, 48, 0.0),
        ("a.mp4", 64, 48, f64::NAN),
        ("a.avi", 64, 48, 10.0),
        ("a.mp4", 0, 48, 10.0),
        ("a.mp4", 16_384, 48, 10.0),
    ] {
        assert!(
            VideoWriter::create(&at(name), width, height, rate).is_err(),
            "{name} {width}x{height} {rate}"
        );
    }
    let mut writer = VideoWriter::create(&at("b.mp4"), 32, 32, 10.0).unwrap();
    assert!(matches!(
        writer.push(RgbFrame::new(WIDTH_PX, HEIGHT_PX, &picture(0)).unwrap()),
        Err(VideoError::Write { .. })
    ));
    let mut nowhere = VideoWriter::create(&at("missing/b.mp4"), WIDTH_PX, HEIGHT_PX, 10.0).unwrap();
    let failure = (0..10_000)
        .find_map(|_| nowhere.push(RgbFrame::new(WIDTH_PX, HEIGHT_PX, &picture(0)).unwrap()).err())
        .unwrap();
    assert!(failure.to_string().contains("No such file"), "{failure}");
}

#[test]
fn ped2_is_read_in_full() {
    let Some(folder) = shared_data("ped2") else { return };
    for (name, frames) in [("Test001", 180), ("Test003", 150), ("Train001", 120)] {
        let path = folder.join(name).with_extension("mp4");
        let source = FrameSource::open(&path).unwrap();
        assert_eq!(
            (source.info().width_px, source.info().height_px, source.info().frame_rate_hz),
            (360, 240, 10.0)
        );
        let (read, outcome) = count_frames(&path);
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
        assert_eq!(read, frames, "{name}");
    }
}
