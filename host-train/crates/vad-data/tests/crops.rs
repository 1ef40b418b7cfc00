//! Extraction of several crops: what they show, their order, and that threads and batches change nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::process::Command;
use std::sync::Mutex;

use common::{PixelStats, cropped, spec, strided, videos, write_video};
use vad_core::RgbFrame;
use vad_data::{
    CacheKey, ClipEncoder, CropPlan, DataError, EncodeError, ExtractSpec, FeatureCache, Features, Label,
    Lookup, Silent, VideoEntry, extract, file_hash,
};
use vad_video::VideoWriter;

fn run(entries: &[VideoEntry], encoder: &dyn ClipEncoder, spec: ExtractSpec) -> Vec<Features> {
    let folder = tempfile::tempdir().unwrap();
    let cache = FeatureCache::open(folder.path()).unwrap();
    let outcome = extract(entries, encoder, spec, &cache, false, &Silent).unwrap();
    entries.iter().map(|entry| outcome.features[&entry.id].clone()).collect()
}

#[test]
fn neither_threads_nor_batches_change_the_features() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 2);
    for plan in [CropPlan::Five, CropPlan::Ten] {
        let encoder = PixelStats::new();
        let one = run(&entries, &encoder, cropped(spec(1), plan));
        let clips: usize = one.iter().map(Features::clips).sum();
        assert_eq!(encoder.calls(), clips * plan.count());
        for features in &one {
            assert_eq!(
                (features.crops, features.values.len()),
                (plan.count(), features.clips() * plan.count() * 6)
            );
        }
        for (threads, batch) in [(3, 1), (1, 7), (2, 64)] {
            let spec = ExtractSpec { batch, ..cropped(spec(threads), plan) };
            assert_eq!(run(&entries, &PixelStats::new(), spec), one, "{threads} threads, batches of {batch}");
        }
    }
}

/// Mean of the first colour over the left half and over the right half of every frame.
struct Halves;

impl ClipEncoder for Halves {
    fn feature_dim(&self) -> usize {
        2
    }

    fn hash(&self) -> [u8; 32] {
        [7; 32]
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        let red = &clip[..clip.len() / 3];
        let half = |first: usize| {
            let values = red.chunks_exact(20).flat_map(|row| &row[first..first + 10]);
            values.sum::<f32>() / (red.len() / 2) as f32
        };
        Ok(vec![half(0), half(10)])
    }
}

/// A video that is dark on the left and bright on the right.
fn dark_to_bright(path: &std::path::Path, width_px: u32, height_px: u32, frames: u32) {
    let mut writer = VideoWriter::create(path, width_px, height_px, 10.0).unwrap();
    let row: Vec<u8> = (0..width_px).flat_map(|x| [(x * 250 / width_px) as u8; 3]).collect();
    let pixels = row.repeat(height_px as usize);
    for _ in 0..frames {
        writer.push(RgbFrame::new(width_px, height_px, &pixels).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn each_crop_shows_its_part_of_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    dark_to_bright(&path, 96, 32, 8);
    let entries = [VideoEntry::new("a", &path, Label::Normal)];
    let features = run(&entries, &Halves, cropped(spec(2), CropPlan::Ten)).remove(0);
    let crops: Vec<&[f32]> = features.values.chunks_exact(2).collect();
    let mean = |crop: usize| (crops[crop][0] + crops[crop][1]) / 2.0;
    // Top left, top right, bottom left, bottom right, centre.
    assert!(mean(0) < mean(4) && mean(4) < mean(1), "{crops:?}");
    let near = |a: f32, b: f32| (a - b).abs() < 0.02;
    assert!(near(mean(0), mean(2)) && near(mean(1), mean(3)), "upper and lower row look alike: {crops:?}");
    assert!(near(mean(4), (mean(0) + mean(1)) / 2.0), "the centre is centred: {crops:?}");
    for crop in 0..5 {
        assert!(crops[crop][0] < crops[crop][1], "brighter to the right: {crops:?}");
        let mirrored = [crops[crop + 5][1], crops[crop + 5][0]];
        assert!(near(mirrored[0], crops[crop][0]) && near(mirrored[1], crops[crop][1]), "{crops:?}");
    }
}

#[test]
fn one_crop_is_what_it_was_before_there_were_others() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 1);
    let [one, ten] = [CropPlan::One, CropPlan::Ten].map(|plan| cropped(spec(1), plan));
    let hash = file_hash(&entries[0].path).unwrap();
    let key = |spec: &ExtractSpec, hash| CacheKey::new([1; 32], &spec.features, hash).to_hex();
    // As the key was made when features had no crops.
    assert_eq!(key(&one, [2; 32]), "1020ea0ac94e67a10124da68e10484e56d8004bc9da19443fd3e277a125eb84c");
    assert_ne!(key(&one, hash), key(&ten, hash));
    assert_ne!(key(&cropped(spec(1), CropPlan::Five), hash), key(&ten, hash));
    assert_ne!(key(&strided(spec(1), 4), hash), key(&one, hash));
    assert_eq!(run(&entries, &PixelStats::new(), one)[0].crops, 1);
}

#[test]
fn crops_of_one_video_lie_side_by_side_in_one_cache() {
    let folder = tempfile::tempdir().unwrap();
    let entries = videos(folder.path(), 2);
    let cache = FeatureCache::open(&folder.path().join("features")).unwrap();
    let run = |plan, encoder: &PixelStats| {
        extract(&entries, encoder, cropped(spec(2), plan), &cache, false, &Silent).unwrap().features
    };
    let first = CropPlan::ALL.map(|plan| run(plan, &PixelStats::new()));
    let encoder = PixelStats::new();
    assert_eq!(CropPlan::ALL.map(|plan| run(plan, &encoder)), first);
    assert_eq!(encoder.calls(), 0);
}

#[test]
fn small_odd_and_short_videos_have_crops_too() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, width_px, height_px, frames| {
        let path = folder.path().join(name).with_extension("mp4");
        dark_to_bright(&path, width_px, height_px, frames);
        VideoEntry::new(name, path, Label::Normal)
    };
    let odd = folder.path().join("odd.mkv");
    let source =
        ["-v", "error", "-f", "lavfi", "-i", "testsrc=size=33x17:rate=10", "-frames:v", "8", "-c:v", "ffv1"];
    assert!(Command::new("ffmpeg").args(source).arg(&odd).status().unwrap().success());
    // Smaller than the crop, odd, taller than wide, and a single frame.
    let entries = [
        make("small", 10, 8, 9),
        VideoEntry::new("odd", odd, Label::Normal),
        make("tall", 18, 60, 8),
        make("short", 40, 30, 1),
    ];
    for plan in CropPlan::ALL {
        let found = run(&entries, &PixelStats::new(), cropped(spec(2), plan));
        assert_eq!(found.iter().map(Features::clips).collect::<Vec<_>>(), [2, 1, 1, 1]);
        assert_eq!(
            (found[3].spans[0].frames, found[3].frames),
            (1, 1),
            "the frame is repeated, the span tells"
        );
        assert!(found.iter().all(|features| features.crops == plan.count()));
    }
}

#[test]
fn pictures_too_long_for_crops_are_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.mp4");
    dark_to_bright(&path, 2400, 16, 2);
    let entries = [VideoEntry::new("long", &path, Label::Normal)];
    let cache = FeatureCache::open(&folder.path().join("features")).unwrap();
    let run = |plan| extract(&entries, &PixelStats::new(), cropped(spec(1), plan), &cache, false, &Silent);
    let error = run(CropPlan::Ten).unwrap_err();
    assert!(matches!(error, DataError::CropSize { width_px: 2400, height_px: 16, .. }), "{error}");
    assert!(error.to_string().contains("extract one crop"), "{error}");
    assert_eq!(run(CropPlan::One).unwrap().features["long"].crops, 1);
}

/// Takes batches, notes their sizes, and refuses those with a clip of the second video.
struct Batched {
    inner: PixelStats,
    sizes: Mutex<Vec<usize>>,
}

impl ClipEncoder for Batched {
    fn feature_dim(&self) -> usize {
        self.inner.feature_dim()
    }

    fn hash(&self) -> [u8; 32] {
        self.inner.hash()
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        self.encode_batch(clip, 1)
    }

    fn encode_batch(&self, clips: &[f32], count: usize) -> Result<Vec<f32>, EncodeError> {
        self.sizes.lock().unwrap().push(count);
        let mut features = Vec::new();
        for clip in clips.chunks_exact(clips.len() / count) {
            // Blue is the video's number; see `write_video`.
            let blue = &clip[clip.len() / 3 * 2..];
            let mean = blue.iter().sum::<f32>() / blue.len() as f32;
            if mean > 0.0 {
                return Err(EncodeError::new("too blue"));
            }
            features.extend(self.inner.encode(clip)?);
        }
        Ok(features)
    }
}

#[test]
fn batches_are_full_and_only_the_video_at_fault_fails() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, seed| {
        let path = folder.path().join(name).with_extension("mp4");
        write_video(&path, 32, seed);
        VideoEntry::new(name, path, Label::Normal)
    };
    let entries = [make("a", 1), make("b", 250), make("c", 2)];
    let cache = FeatureCache::open(&folder.path().join("features")).unwrap();
    let spec = ExtractSpec { batch: 8, ..cropped(spec(1), CropPlan::Ten) };
    let encoder = Batched { inner: PixelStats::new(), sizes: Mutex::default() };
    let outcome = extract(&entries, &encoder, spec.clone(), &cache, true, &Silent).unwrap();
    assert_eq!(outcome.features.keys().collect::<Vec<_>>(), ["a", "c"]);
    assert!(outcome.failures[0].reason.contains("too blue"), "{}", outcome.failures[0]);
    let key = CacheKey::new(encoder.hash(), &spec.features, file_hash(&entries[1].path).unwrap());
    assert_eq!(cache.get(&key).unwrap(), Lookup::Absent);

    let encoder = Batched { inner: PixelStats { version: 2, ..PixelStats::new() }, sizes: Mutex::default() };
    extract(&[entries[0].clone(), entries[2].clone()], &encoder, spec, &cache, false, &Silent).unwrap();
    // Two videos of four clips of ten crops.
    assert_eq!(*encoder.sizes.lock().unwrap(), [8; 10]);
}
