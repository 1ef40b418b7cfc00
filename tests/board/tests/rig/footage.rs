//! What the board's camera sees: a made-up street, and then another. The detector's weights come from a formula, so it has no notion
//! of an event; but it tells two places apart, and the one that it scores higher stands for the event.

use std::path::{Path, PathBuf};
use std::process::Command;

use board_tests::vivid::{HEIGHT_PX, PICTURE_BYTES, WIDTH_PX};
use e2e_tests::{finish, run};

/// See the module's documentation.
pub struct Footage {
    /// Packed pictures, each several times: the quiet place and then the other.
    pub raw: PathBuf,
    /// Between the scores of the two.
    pub threshold: f64,
}

impl Footage {
    /// The disk that the board sees it as.
    pub const ON_BOARD: &str = "/dev/vdb";
    /// How often each picture is played: an emulated processor does not score every picture of the camera.
    pub const REPEATS: u32 = 3;
    /// Pictures of each place.
    const FRAMES: &str = "80";

    /// Footage for a detector.
    pub fn make(folder: &Path, bundle: &Path) -> Self {
        let out = folder.join("scenes");
        let places = ["--videos", "2", "--places", "2", "--abnormal", "0", "--frames", Self::FRAMES];
        run("watchpost", &[&["scenes", "--out", out.to_str().unwrap()], &places[..]].concat())
            .expect_success();
        let mut videos = [0, 1].map(|index| out.join(format!("scene-{index:03}.mp4")));
        let mut scores = videos.each_ref().map(|video| Scores::of(video, bundle));
        if scores[0].highest > scores[1].highest {
            videos.reverse();
            scores.reverse();
        }
        let [quiet, eventful] = scores;
        assert!(quiet.highest < eventful.lowest, "the places are too much alike: {quiet:?}, {eventful:?}");
        let raw = folder.join("footage.yuv");
        std::fs::write(&raw, videos.map(|video| packed(&video)).concat()).unwrap();
        Self { raw, threshold: f64::midpoint(quiet.highest, eventful.lowest) }
    }
}

/// Smoothed scores that this machine's `watchpostd` gives a video.
#[derive(Debug)]
struct Scores {
    lowest: f64,
    highest: f64,
}

impl Scores {
    fn of(video: &Path, bundle: &Path) -> Self {
        let args = ["replay", "--json", "--bundle", bundle.to_str().unwrap(), video.to_str().unwrap()];
        let replay = run("watchpostd", &args).expect_success();
        let smoothed = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["smoothed"].as_f64().unwrap()
        };
        let scores: Vec<f64> = replay.stdout.lines().map(smoothed).collect();
        assert!(!scores.is_empty(), "{}: no clip", video.display());
        let lowest = scores.iter().copied().fold(f64::MAX, f64::min);
        Self { lowest, highest: scores.into_iter().fold(f64::MIN, f64::max) }
    }
}

fn packed(video: &Path) -> Vec<u8> {
    let once = video.with_extension("yuv");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-i"]).arg(video);
    ffmpeg.args(["-vf", &format!("scale={WIDTH_PX}:{HEIGHT_PX}"), "-pix_fmt", "yuyv422", "-f", "rawvideo"]);
    finish(ffmpeg.arg(&once)).expect_success();
    let pictures = std::fs::read(&once).unwrap();
    let repeats =
        pictures.chunks_exact(PICTURE_BYTES).flat_map(|picture| [picture; Footage::REPEATS as usize]);
    repeats.collect::<Vec<_>>().concat()
}
