//! Extraction: order, determinism, failures, interruption, the cache.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::atomic::Ordering;

use common::{PixelStats, Record, spec, strided, videos};
use golden::shared_data;
use vad_core::{ClipSpec, FrameIndex};
use vad_data::{
    CacheKey, ClipEncoder, DataError, EncodeError, ExtractSpec, FeatureCache, FeatureSpec, Label, Lookup,
    Manifest, Silent, VideoEntry, VideoOutcome, extract, file_hash,
};

fn cache(folder: &Path) -> FeatureCache {
    FeatureCache::open(&folder.join("features")).unwrap()
}

fn key(entry: &VideoEntry, encoder: &PixelStats, spec: &ExtractSpec) -> CacheKey {
    CacheKey::new(encoder.hash(), &spec.features, file_hash(&entry.path).unwrap())
}

#[test]
fn features_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 5);
    let run = |threads: usize| {
        let cache = FeatureCache::open(&folder.path().join(format!("features-{threads}"))).unwrap();
        extract(&entries, &PixelStats::new(), spec(threads), &cache, false, &Silent).unwrap()
    };
    let one = run(1);
    assert_eq!(one.features.len(), 5);
    for (index, entry) in entries.iter().enumerate() {
        let features = &one.features[&entry.id];
        let frames = 20 + 5 * index as u64;
        assert_eq!((features.frames, features.dim, features.clips() as u64), (frames, 6, frames.div_ceil(8)));
        assert_eq!(features.spans, spec(1).features.clip.spans(frames).collect::<Vec<_>>());
        assert!((features.frame_rate_hz - 10.0).abs() < 1e-9);
    }
    let rows: Vec<&[f32]> = one.features["v0"].rows().collect();
    assert_ne!(rows[0], rows[1], "clips differ");
    for threads in [2, 5] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

#[test]
fn overlapping_clips_and_tails_come_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 1);
    let spec = strided(spec(3), 3);
    let outcome = extract(&entries, &PixelStats::new(), spec, &cache(folder.path()), false, &Silent).unwrap();
    let firsts: Vec<FrameIndex> = outcome.features["v0"].spans.iter().map(|span| span.first_frame).collect();
    assert_eq!(firsts, [0, 3, 6, 9, 12].map(FrameIndex));
    assert_eq!(outcome.features["v0"].spans[4].frames, 8);
}

#[test]
fn a_second_run_encodes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 3);
    let cache = cache(folder.path());
    let first = extract(&entries, &PixelStats::new(), spec(2), &cache, false, &Silent).unwrap();
    let (encoder, record) = (PixelStats::new(), Record::default());
    let second = extract(&entries, &encoder, spec(2), &cache, false, &record).unwrap();
    assert_eq!((encoder.calls(), &second), (0, &first));
    assert!(
        record
            .finished
            .lock()
            .unwrap()
            .iter()
            .all(|(_, outcome)| matches!(outcome, VideoOutcome::Cached { .. }))
    );
    let other = PixelStats { version: 2, ..PixelStats::new() };
    extract(&entries, &other, spec(2), &cache, false, &Silent).unwrap();
    assert!(other.calls() > 0, "another encoder has its own features");
    let finer = strided(spec(2), 4);
    assert_ne!(extract(&entries, &PixelStats::new(), finer, &cache, false, &Silent).unwrap(), first);
}

#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 6);
    let cache = cache(folder.path());
    // v0 has 3 clips and v1 has 4: the 9th clip belongs to a later video.
    let broken = PixelStats::failing_from(8);
    let error = extract(&entries, &broken, spec(1), &cache, false, &Silent).unwrap_err();
    assert!(matches!(error, DataError::Encode { .. }), "{error}");
    assert!(error.to_string().contains("the power went out"), "{error}");
    let is_cached =
        |entry: &&VideoEntry| matches!(cache.get(&key(entry, &broken, &spec(1))).unwrap(), Lookup::Found(_));
    let kept: Vec<&str> = entries.iter().filter(is_cached).map(|entry| entry.id.as_str()).collect();
    assert!(!kept.is_empty() && kept.len() < entries.len(), "{kept:?}");
    let missing_clips: u64 = entries
        .iter()
        .zip(0..)
        .filter(|(entry, _)| !kept.contains(&entry.id.as_str()))
        .map(|(_, index)| (20_u64 + 5 * index).div_ceil(8))
        .sum();
    let encoder = PixelStats::new();
    let outcome = extract(&entries, &encoder, spec(1), &cache, false, &Silent).unwrap();
    assert_eq!(encoder.calls() as u64, missing_clips, "only what was missing is encoded");
    assert_eq!(outcome.features.len(), 6);
}

#[test]
fn a_cancelled_run_keeps_what_it_finished() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 6);
    let cache = cache(folder.path());
    let record = Record { stop_after: Some(2), ..Record::default() };
    assert!(matches!(
        extract(&entries, &PixelStats::new(), spec(1), &cache, true, &record),
        Err(DataError::Cancelled)
    ));
    let record = Record::default();
    extract(&entries, &PixelStats::new(), spec(1), &cache, true, &record).unwrap();
    let cached = record
        .finished
        .lock()
        .unwrap()
        .iter()
        .filter(|(_, outcome)| matches!(outcome, VideoOutcome::Cached { .. }))
        .count();
    assert!((2..6).contains(&cached), "{cached}");
}

#[test]
fn bad_videos_are_named_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut entries = videos(folder.path(), 4);
    let whole = std::fs::read(&entries[1].path).unwrap();
    std::fs::write(&entries[1].path, &whole[..whole.len() * 3 / 4]).unwrap();
    std::fs::write(&entries[2].path, "").unwrap();
    entries[3].frames_claimed = Some(99);
    entries.push(VideoEntry::new("gone", folder.path().join("gone.mp4"), Label::Normal));
    let record = Record::default();
    let outcome =
        extract(&entries, &PixelStats::new(), spec(2), &cache(folder.path()), true, &record).unwrap();
    assert_eq!(outcome.features.keys().collect::<Vec<_>>(), ["v0"]);
    let failed: Vec<&str> = outcome.failures.iter().map(|failure| failure.id.as_str()).collect();
    assert_eq!(failed, ["v1", "v2", "v3", "gone"], "in the order of the entries");
    for (failure, part) in outcome.failures.iter().zip(["v1.mp4", "empty", "99 frames", "gone.mp4"]) {
        assert!(failure.to_string().contains(part), "{failure}");
    }
    assert!(outcome.failures[2].reason.contains("v3.mp4 has 35 frames"), "{}", outcome.failures[2]);
    let told = record.finished.lock().unwrap();
    assert_eq!(told.len(), 5);
    assert_eq!(told.iter().filter(|(_, outcome)| matches!(outcome, VideoOutcome::Failed { .. })).count(), 4);
}

#[test]
fn without_keep_going_a_bad_video_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 3);
    std::fs::write(&entries[1].path, "no video").unwrap();
    let error =
        extract(&entries, &PixelStats::new(), spec(2), &cache(folder.path()), false, &Silent).unwrap_err();
    assert!(matches!(&error, DataError::Video { id, .. } if id == "v1"), "{error}");
}

#[test]
fn labels_beyond_the_end_are_a_failure_even_for_cached_features() {
    let folder = tempfile::tempdir().unwrap();
    let mut entries = videos(folder.path(), 2);
    let cache = cache(folder.path());
    extract(&entries, &PixelStats::new(), spec(1), &cache, false, &Silent).unwrap();
    entries[1].abnormal = Some(vec![3..=24]);
    extract(&entries, &PixelStats::new(), spec(1), &cache, false, &Silent).unwrap();
    entries[1].abnormal = Some(vec![3..=25]);
    let error = extract(&entries, &PixelStats::new(), spec(1), &cache, false, &Silent).unwrap_err();
    assert!(
        error.to_string().contains("frame 25 is abnormal") && error.to_string().contains("has 25 frames"),
        "{error}"
    );
}

#[test]
fn a_damaged_entry_is_told_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 2);
    let cache = cache(folder.path());
    let first = extract(&entries, &PixelStats::new(), spec(1), &cache, false, &Silent).unwrap();
    let path = cache.entry_path(&key(&entries[1], &PixelStats::new(), &spec(1)));
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 0x10;
    for damaged in [flipped, whole[..whole.len() / 2].to_vec(), Vec::new()] {
        std::fs::write(&path, damaged).unwrap();
        let (encoder, record) = (PixelStats::new(), Record::default());
        let again = extract(&entries, &encoder, spec(1), &cache, false, &record).unwrap();
        assert_eq!((&again, encoder.calls()), (&first, 4), "only v1 is encoded again");
        let notices = record.notices.lock().unwrap();
        assert!(
            notices.len() == 1 && notices[0].contains("`v1`") && notices[0].contains("damaged"),
            "{notices:?}"
        );
        assert_eq!(std::fs::read(&path).unwrap().len(), whole.len());
    }
}

#[test]
fn an_entry_under_a_wrong_name_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 2);
    let cache = cache(folder.path());
    extract(&entries, &PixelStats::new(), spec(1), &cache, false, &Silent).unwrap();
    let paths =
        [0, 1].map(|index: usize| cache.entry_path(&key(&entries[index], &PixelStats::new(), &spec(1))));
    std::fs::copy(&paths[0], &paths[1]).unwrap();
    assert!(
        matches!(cache.get(&key(&entries[1], &PixelStats::new(), &spec(1))).unwrap(), Lookup::Damaged(reason) if reason.contains("`file`"))
    );
}

#[test]
fn half_written_files_are_invisible_and_swept_when_old() {
    let folder = tempfile::tempdir().unwrap();
    let cache_folder = folder.path().join("features");
    let cache = FeatureCache::open(&cache_folder).unwrap();
    let (young, old) = (cache_folder.join(".partial-young"), cache_folder.join(".partial-old"));
    for path in [&young, &old] {
        std::fs::write(path, "half").unwrap();
    }
    let two_days_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 86_400);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(two_days_ago).unwrap();
    let entries = videos(folder.path(), 1);
    assert_eq!(cache.get(&key(&entries[0], &PixelStats::new(), &spec(1))).unwrap(), Lookup::Absent);
    FeatureCache::open(&cache_folder).unwrap();
    assert!(young.exists() && !old.exists());
    extract(&entries, &PixelStats::new(), spec(1), &cache, false, &Silent).unwrap();
    let files =
        std::fs::read_dir(&cache_folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file());
    assert_eq!(files.count(), 2, "the features and the young file");
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error_even_with_keep_going() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 3);
    let cache = cache(folder.path());
    std::fs::remove_dir_all(folder.path().join("features")).unwrap();
    let error = extract(&entries, &PixelStats::new(), spec(2), &cache, true, &Silent).unwrap_err();
    assert!(matches!(error, DataError::Io { action: "store the features", .. }), "{error}");
}

/// Breaks one rule of [`ClipEncoder`].
enum Rogue {
    Short,
    NotFinite,
    Panics,
}

impl ClipEncoder for Rogue {
    fn feature_dim(&self) -> usize {
        2
    }

    fn hash(&self) -> [u8; 32] {
        [9; 32]
    }

    fn encode(&self, _: &[f32]) -> Result<Vec<f32>, EncodeError> {
        match self {
            Self::Short => Ok(vec![1.0]),
            Self::NotFinite => Ok(vec![1.0, f32::NAN]),
            Self::Panics => panic!("on purpose"),
        }
    }
}

#[test]
fn rogue_encoders_are_failures_not_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 3);
    for (rogue, part) in [
        (Rogue::Short, "1 values instead of 2"),
        (Rogue::NotFinite, "value 1 of the feature is NaN"),
        (Rogue::Panics, "panicked"),
    ] {
        let outcome = extract(&entries, &rogue, spec(2), &cache(folder.path()), true, &Silent).unwrap();
        assert_eq!((outcome.features.len(), outcome.failures.len()), (0, 3));
        assert!(
            outcome.failures.iter().all(|failure| failure.reason.contains(part)),
            "{:?}",
            outcome.failures
        );
    }
}

#[test]
fn senseless_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut entries = videos(folder.path(), 1);
    let cache = cache(folder.path());
    let run =
        |entries: &[VideoEntry], spec| extract(entries, &PixelStats::new(), spec, &cache, true, &Silent);
    assert!(run(&entries, spec(0)).unwrap_err().to_string().contains("at least 1"));
    let no_batch = ExtractSpec { batch: 0, ..spec(1) };
    assert!(run(&entries, no_batch).unwrap_err().to_string().contains("at least 1"));
    assert!(run(&entries, strided(spec(1), 9)).unwrap_err().to_string().contains("stride"));
    entries.push(entries[0].clone());
    assert!(run(&entries, spec(1)).unwrap_err().to_string().contains("`v0` is listed twice"));
    assert_eq!(run(&[], spec(1)).unwrap().features.len(), 0);
}

#[test]
fn folders_of_images_are_videos_too() {
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    std::fs::create_dir(&frames).unwrap();
    let Some(data) = shared_data("ped2") else { return };
    let status = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(data.join("Train001.mp4"))
        .args(["-frames:v", "12"])
        .arg(frames.join("%d.png"))
        .status()
        .unwrap();
    assert!(status.success());
    let entries = [VideoEntry::new("frames", &frames, Label::Normal)];
    let outcome =
        extract(&entries, &PixelStats::new(), spec(1), &cache(folder.path()), false, &Silent).unwrap();
    assert_eq!((outcome.features["frames"].frames, outcome.features["frames"].clips()), (12, 2));
}

#[test]
fn ped2_is_extracted_in_full() {
    let Some(data) = shared_data("ped2") else { return };
    let folder = tempfile::tempdir().unwrap();
    let manifest = Manifest::load(&data.join("labels.csv"), &data).unwrap();
    let features = FeatureSpec { clip: ClipSpec::i3d(), ..spec(2).features };
    let spec = ExtractSpec { features, ..spec(2) };
    let record = Record::default();
    let outcome =
        extract(manifest.entries(), &PixelStats::new(), spec, &cache(folder.path()), false, &record).unwrap();
    assert_eq!(outcome.features.values().map(|features| features.frames).sum::<u64>(), 4560);
    let clips: usize = outcome.features.values().map(|features| features.clips()).sum();
    assert_eq!(
        (clips, record.clips.load(Ordering::SeqCst)),
        (304, 304),
        "video lengths in 16ths, rounded up"
    );
}
