//! Times the bootstrap on a test set of the size of UCF-Crime: `cargo run -p vad-eval --example bootstrap_speed`.

use std::error::Error;
use std::time::Instant;

use vad_eval::{RankedVideos, Resampling};

const VIDEOS: usize = 290;
const FRAMES: usize = 3_800;

fn main() -> Result<(), Box<dyn Error>> {
    for (name, frames_per_score) in [("one score per clip of 16 frames", 16), ("one score per frame", 1)] {
        let videos: Vec<(Vec<f32>, Vec<bool>)> = (0..VIDEOS).map(|n| video(n, frames_per_score)).collect();
        let started = Instant::now();
        let ranked = RankedVideos::new(videos.iter().map(|(scores, labels)| (&scores[..], &labels[..])))?;
        let sorted_s = started.elapsed().as_secs_f64();
        let interval = Resampling::default().judge(&[ranked])?.intervals().roc_auc;
        let all_s = started.elapsed().as_secs_f64();
        println!("{} frames, {name}: sorted in {sorted_s:.2} s, 1000 draws in {all_s:.2} s", VIDEOS * FRAMES);
        println!("  frame ROC AUC {interval:?}");
    }
    Ok(())
}

fn video(number: usize, frames_per_score: usize) -> (Vec<f32>, Vec<bool>) {
    let is_abnormal = |frame: usize| number.is_multiple_of(2) && (1_000..1_580).contains(&frame);
    let noise = |n: usize| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / (1_u64 << 24) as f32;
    let score = |frame: usize| {
        let lift = if is_abnormal(frame) { 0.3 } else { 0.0 };
        lift + 0.7 * noise(number * FRAMES + frame / frames_per_score)
    };
    ((0..FRAMES).map(score).collect(), (0..FRAMES).map(is_abnormal).collect())
}
