//! Bad files: each an error that names the file and the reason, never a shorter video.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{WIDTH_PX, count_frames, error_of, ffmpeg, write_video};
use golden::shared_data;
use vad_video::{FrameSource, VideoError};

fn assert_names_file(error: &VideoError, name: &str) {
    assert!(error.to_string().contains(name), "`{error}` does not name {name}");
}

/// Cuts `source` to several lengths; each must fail, or (never an mp4) still give every frame.
fn assert_cuts_fail(source: &std::path::Path, full_frames: u64) {
    let bytes = std::fs::read(source).unwrap();
    let (frames, outcome) = count_frames(source);
    assert!(outcome.is_ok() && frames == full_frames, "{}: {frames}, {outcome:?}", source.display());
    let name = format!("cut-{}", source.file_name().unwrap().to_string_lossy());
    let cut = source.with_file_name(&name);
    for permille in [1, 20, 100, 250, 500, 700, 900, 980, 995] {
        let length = bytes.len() * permille / 1000;
        std::fs::write(&cut, &bytes[..length]).unwrap();
        let (frames, outcome) = count_frames(&cut);
        let error = match outcome {
            Err(error) => error,
            // Other containers end with an index; a cut inside it loses no frame.
            Ok(()) if !name.ends_with(".mp4") && frames == full_frames => continue,
            Ok(()) => panic!("{name} cut to {permille}/1000 was read as {frames} good frames"),
        };
        assert!(frames <= full_frames, "{name} at {permille}/1000: {frames}");
        assert_names_file(&error, &name);
        if let VideoError::Damaged { frames: told, .. } | VideoError::Truncated { frames: told, .. } = error {
            assert_eq!(told, frames, "{name} at {permille}/1000");
        }
    }
}

#[test]
fn truncated_files_are_errors_wherever_they_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The writer puts the index first, so a cut file still looks whole at its head.
    write_video(&at("index-first.mp4"), 90, 25.0).unwrap();
    let source = at("index-first.mp4").display().to_string();
    for name in ["index-last.mp4", "matroska.mkv"] {
        ffmpeg(&["-i", &source, "-c", "copy", &at(name).display().to_string()]);
    }
    ffmpeg(&["-i", &source, "-c:v", "mpeg4", "-q:v", "3", &at("riff.avi").display().to_string()]);
    for name in ["index-first.mp4", "index-last.mp4", "matroska.mkv", "riff.avi"] {
        assert_cuts_fail(&at(name), 90);
    }
}

#[test]
fn a_cut_exactly_between_two_packets_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_video(&at("clip.mp4"), 60, 25.0).unwrap();
    ffmpeg(&[
        "-i",
        &at("clip.mp4").display().to_string(),
        "-c:v",
        "mjpeg",
        &at("clip.avi").display().to_string(),
    ]);
    for (name, header_bytes) in [("clip.mp4", 0), ("clip.avi", 8)] {
        let answer = std::process::Command::new("ffprobe")
            .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pos", "-of", "csv=p=0"])
            .arg(at(name))
            .output()
            .unwrap();
        let mut positions: Vec<usize> = String::from_utf8(answer.stdout)
            .unwrap()
            .lines()
            .filter_map(|line| line.trim_end_matches(',').parse().ok())
            .collect();
        positions.sort_unstable();
        let bytes = std::fs::read(at(name)).unwrap();
        std::fs::write(at("cut").with_extension("bin"), &bytes[..positions[30] - header_bytes]).unwrap();
        let error = error_of(&at("cut.bin"));
        assert!(
            matches!(error, VideoError::Damaged { .. } | VideoError::Truncated { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn corrupt_pictures_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("corrupt.mp4");
    write_video(&path, 60, 25.0).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // The last third of an index-first file is picture data.
    let start = bytes.len() * 2 / 3;
    for byte in &mut bytes[start..start + 200] {
        *byte = 0xFF;
    }
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(error_of(&path), VideoError::Damaged { .. }));
}

#[test]
fn what_is_no_video_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let noise: Vec<u8> =
        (0..40_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(at("noise.mp4"), noise).unwrap();
    std::fs::write(at("text.mp4"), "this is a text file, renamed\n".repeat(100)).unwrap();
    std::fs::write(at("text.txt"), "frame by frame\n".repeat(100)).unwrap();
    std::fs::write(at("empty.mp4"), "").unwrap();
    std::fs::write(at("list.m3u8"), "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n#EXT-X-ENDLIST\n").unwrap();
    std::fs::write(at("script.ffconcat"), "ffconcat version 1.0\nfile 'noise.mp4'\n").unwrap();
    image::RgbImage::new(WIDTH_PX, WIDTH_PX).save(at("picture.png")).unwrap();
    for name in
        ["noise.mp4", "text.mp4", "text.txt", "empty.mp4", "list.m3u8", "script.ffconcat", "picture.png"]
    {
        let error = error_of(&at(name));
        assert!(matches!(error, VideoError::NotAVideo { .. }), "{name}: {error:?}");
        assert_names_file(&error, name);
        assert!(!error.to_string().contains("0x"), "no addresses in `{error}`");
    }
    assert!(error_of(&at("empty.mp4")).to_string().contains("empty"));
    assert!(error_of(&at("picture.png")).to_string().contains("picture"));
}

#[test]
fn sound_alone_is_no_video() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound.mp4");
    ffmpeg(&["-f", "lavfi", "-i", "sine=d=1", &path.display().to_string()]);
    assert!(matches!(error_of(&path), VideoError::NoVideoStream { .. }));
}

#[test]
fn a_video_without_frames_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zero.y4m");
    std::fs::write(&path, "YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420\n").unwrap();
    let error = error_of(&path);
    assert!(matches!(error, VideoError::NoFrames { .. }), "{error:?}");
    assert_names_file(&error, "zero.y4m");
}

#[test]
fn huge_frames_are_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.y4m");
    std::fs::write(&path, "YUV4MPEG2 W20000 H48 F25:1 Ip A1:1 C420\nFRAME\n").unwrap();
    let error = error_of(&path);
    assert!(
        matches!(error, VideoError::Size { width_px: 20_000, .. } | VideoError::NotAVideo { .. }),
        "{error:?}"
    );
}

#[test]
fn missing_files_and_devices_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = error_of(&folder.path().join("absent.mp4"));
    assert!(matches!(error, VideoError::Io { .. }), "{error:?}");
    assert_names_file(&error, "absent.mp4");
    assert!(matches!(error_of("/dev/null".as_ref()), VideoError::NotAVideo { .. }));
}

#[test]
fn reading_on_after_an_error_stays_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.mp4");
    write_video(&path, 60, 25.0).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() * 8 / 10]).unwrap();
    let mut source = FrameSource::open(&path).unwrap();
    let mut buf = vad_video::FrameBuf::new();
    while source.next_frame(&mut buf).is_ok() {}
    assert!(source.next_frame(&mut buf).is_err());
}

#[test]
fn cut_ped2_footage_is_an_error() {
    let Some(data) = shared_data("ped2") else { return };
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("Test001.mp4");
    std::fs::copy(data.join("Test001.mp4"), &copy).unwrap();
    assert_cuts_fail(&copy, 180);
}
