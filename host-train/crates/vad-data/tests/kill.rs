//! An extraction killed at any moment leaves whole entries only, and the next run completes the set.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{PixelStats, spec, videos};
use vad_data::{
    CacheKey, ClipEncoder, EncodeError, FeatureCache, Label, Lookup, Silent, VideoEntry, extract, file_hash,
};

const FOLDER: &str = "VAD_DATA_TEST_KILL_FOLDER";
const VIDEOS: u32 = 6;

/// [`PixelStats`], slow enough to be killed between two clips.
struct Slow(PixelStats);

impl ClipEncoder for Slow {
    fn feature_dim(&self) -> usize {
        self.0.feature_dim()
    }

    fn hash(&self) -> [u8; 32] {
        self.0.hash()
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        std::thread::sleep(Duration::from_millis(5));
        self.0.encode(clip)
    }
}

fn entries_in(folder: &Path) -> Vec<VideoEntry> {
    let entry = |index: u32| {
        VideoEntry::new(format!("v{index}"), folder.join(format!("v{index}.mp4")), Label::Normal)
    };
    (0..VIDEOS).map(entry).collect()
}

fn start(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["alone_extracting", "--exact", "--ignored"]).env(FOLDER, folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn finished_entries(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder.join("features")) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "safetensors"))
        .count()
}

#[test]
#[ignore = "run by a_killed_extraction_is_completed_by_the_next"]
fn alone_extracting() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let cache = FeatureCache::open(&folder.join("features")).unwrap();
    extract(&entries_in(&folder), &Slow(PixelStats::new()), spec(1), &cache, false, &Silent).unwrap();
}

#[test]
fn a_killed_extraction_is_completed_by_the_next() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let entries = videos(folder, VIDEOS);
    let mut kills_midway = 0;
    loop {
        let before = finished_entries(folder);
        let mut child = start(folder);
        let is_over = loop {
            if child.try_wait().unwrap().is_some() {
                break true;
            }
            if finished_entries(folder) > before {
                child.kill().unwrap();
                child.wait().unwrap();
                break false;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let cache = FeatureCache::open(&folder.join("features")).unwrap();
        let (encoder, spec) = (PixelStats::new(), spec(1));
        for entry in &entries {
            let key = CacheKey::new(encoder.hash(), &spec.features, file_hash(&entry.path).unwrap());
            let lookup = cache.get(&key).unwrap();
            assert!(!matches!(lookup, Lookup::Damaged(_)), "{}: {lookup:?}", entry.id);
        }
        if is_over {
            break;
        }
        kills_midway += usize::from(finished_entries(folder) < entries.len());
        assert!(kills_midway <= entries.len(), "every run finished a video at least");
    }
    assert!(kills_midway >= 2, "only {kills_midway} kills landed midway");
    let untouched = FeatureCache::open(&folder.join("untouched")).unwrap();
    let completed = FeatureCache::open(&folder.join("features")).unwrap();
    let encoder = PixelStats::new();
    let outcome = extract(&entries, &encoder, spec(1), &completed, false, &Silent).unwrap();
    assert_eq!(encoder.calls(), 0, "nothing is left to do");
    assert_eq!(outcome, extract(&entries, &PixelStats::new(), spec(2), &untouched, false, &Silent).unwrap());
}
