//! Made-up videos of a bright square, and a network small enough to learn from them in seconds.

use std::path::Path;

use burn::tensor::Device;
use golden::hashed_values;
use image::{Rgb, RgbImage};
use tempfile::TempDir;
use vad_data::{Label, VideoEntry};
use watchpost::finetune::labels::LabelledVideo;
use watchpost::finetune::start::Pretrained;
use watchpost::finetune::training::{Job, train};
use watchpost::finetune::tuned::TunedRun;
use watchpost::recipe::mist_stage2_config::{EncoderChoice, Stage2Config};
use watchpost::recipe::trainer::TrainOutcome;
use watchpost::run::{Flow, RunOutcome};
use watchpost::tensors::{Array, Arrays};

pub const SIDE_PX: u16 = 32;

/// Outputs of every branch of every Inception block.
const WIDTH: usize = 6;

/// A video of `frames` pictures in a folder: the square rests, or moves to and fro when the video is abnormal.
pub fn video(folder: &TempDir, id: &str, label: Label, frames: u32) -> VideoEntry {
    let path = folder.path().join(id);
    std::fs::create_dir_all(&path).unwrap();
    let start = id.bytes().map(u32::from).sum::<u32>() % 12;
    for frame in 0..frames {
        let step = if label == Label::Abnormal { 3 * frame } else { 0 };
        let swing = (start + step) % 36;
        let left = if swing < 18 { swing } else { 36 - swing };
        picture(left + 2, start).save(path.join(format!("{frame:04}.png"))).unwrap();
    }
    VideoEntry::new(id, path, label)
}

fn picture(left: u32, top: u32) -> RgbImage {
    RgbImage::from_fn(40, 36, |x, y| {
        let inside = (left..left + 12).contains(&x) && (top + 4..top + 16).contains(&y);
        let noise = ((x * 7 + y * 13) % 23) as u8;
        Rgb([if inside { 230 } else { 40 + noise }; 3])
    })
}

/// Its clips labelled as a whole.
pub fn labelled(entry: VideoEntry, frames: u64) -> LabelledVideo {
    let label = if entry.label == Label::Abnormal { 1.0 } else { 0.0 };
    LabelledVideo { entry, frames, labels: vec![label; frames.div_ceil(16) as usize] }
}

/// Two videos of each label.
pub fn training_videos(folder: &TempDir) -> Vec<LabelledVideo> {
    let of = |id: &str, label| labelled(video(folder, id, label, 40), 40);
    vec![
        of("still-a", Label::Normal),
        of("still-b", Label::Normal),
        of("moving-a", Label::Abnormal),
        of("moving-b", Label::Abnormal),
    ]
}

pub fn validation_videos(folder: &TempDir) -> Vec<VideoEntry> {
    vec![video(folder, "still-v", Label::Normal, 32), video(folder, "moving-v", Label::Abnormal, 32)]
}

/// Both videos twice per epoch, the backbone frozen for the first two of four epochs.
pub fn config() -> Stage2Config {
    Stage2Config {
        seed: 3,
        width_px: SIDE_PX,
        height_px: SIDE_PX,
        epochs: 4,
        warmup_epochs: 1,
        frozen_epochs: 2,
        videos: 1,
        clips_per_video: 2,
        clips_at_once: 3,
        k: 2,
        eval_every: 1,
        ..Stage2Config::small(EncoderChoice::Small)
    }
}

pub fn job<'a>(
    config: &'a Stage2Config,
    train: &[LabelledVideo],
    val: &'a [VideoEntry],
    pretrained: &'a Pretrained,
    device: &'a Device,
) -> Job<'a> {
    Job { config, train: train.to_vec(), val, pretrained, device, more_devices: &[], readers: 2 }
}

/// A run in the folder, trained to its end.
pub fn finished_run(
    folder: &TempDir,
    config: &Stage2Config,
    videos: &[LabelledVideo],
    val: &[VideoEntry],
) -> (TunedRun, TrainOutcome) {
    let (pretrained, device) = (pretrained(), Device::flex());
    let run = TunedRun::create(&folder.path().join("run"), false).unwrap();
    let job = job(config, videos, val, &pretrained, &device);
    match train(&run, job, &mut |_| Flow::Continue).unwrap() {
        RunOutcome::Finished(outcome) => (run, *outcome),
        RunOutcome::Stopped { step } => panic!("stopped at step {step}"),
    }
}

/// I3D's first layers, narrow and drawn at random.
pub fn pretrained() -> Pretrained {
    let mut arrays = Arrays::new();
    unit(&mut arrays, "Conv3d_1a_7x7", 3, WIDTH, 7);
    unit(&mut arrays, "Conv3d_2b_1x1", WIDTH, WIDTH, 1);
    unit(&mut arrays, "Conv3d_2c_3x3", WIDTH, 4 * WIDTH, 3);
    for block in ["3b", "3c", "4b"] {
        let layers = [
            ("Branch_0.Conv3d_0a_1x1", 4, 1),
            ("Branch_1.Conv3d_0a_1x1", 4, 1),
            ("Branch_1.Conv3d_0b_3x3", 1, 3),
            ("Branch_2.Conv3d_0a_1x1", 4, 1),
            ("Branch_2.Conv3d_0b_3x3", 1, 3),
            ("Branch_3.Conv3d_0b_1x1", 4, 1),
        ];
        for (layer, inputs, kernel) in layers {
            unit(&mut arrays, &format!("Mixed_{block}.{layer}"), inputs * WIDTH, WIDTH, kernel);
        }
    }
    Pretrained::new(arrays, "test")
}

fn unit(arrays: &mut Arrays, name: &str, inputs: usize, outputs: usize, kernel: usize) {
    let mut add = |part: &str, shape: Vec<usize>, low: f64, high: f64| {
        let name = format!("{name}.{part}");
        let values = hashed_values(&name, 7, shape.iter().product(), low, high);
        arrays.insert(name, Array { shape, values });
    };
    let bound = (6.0 / (inputs * kernel.pow(3)) as f64).sqrt();
    add("conv.weight", vec![outputs, inputs, kernel, kernel, kernel], -bound, bound);
    add("bn.bias", vec![outputs], 0.0, 0.1);
    add("bn.running_mean", vec![outputs], -0.1, 0.1);
    add("bn.running_var", vec![outputs], 0.5, 1.5);
}

/// Removes the pictures of a video from `first` on.
pub fn cut(entry: &VideoEntry, first: u32) {
    for frame in first.. {
        let path: &Path = &entry.path.join(format!("{frame:04}.png"));
        if std::fs::remove_file(path).is_err() {
            return;
        }
    }
}
