//! Time of preprocessing, one thread: `cargo run --release -p vad-core --example preprocess_speed`.
//!
//! Prints the median over many frames. Nothing is asserted: times belong to a machine.

use std::hint::black_box;
use std::time::Instant;

use vad_core::{PreprocessSpec, Preprocessor, RgbFrame};

const ROUNDS: usize = 201;

fn median_us(mut work: impl FnMut()) -> f64 {
    let mut times_us: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times_us.sort_by(f64::total_cmp);
    times_us[ROUNDS / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spec = PreprocessSpec::i3d();
    let mut preprocessor = Preprocessor::new(spec.clone())?;
    let mut resized = vec![0; spec.resized_len()];
    for (width_px, height_px) in [(360, 240), (640, 480), (1920, 1080), (160, 120)] {
        let data: Vec<u8> = (0..width_px * height_px * 3).map(|i| (i * 31 % 251) as u8).collect();
        let frame = RgbFrame::new(width_px, height_px, &data)?;
        preprocessor.resize_into(frame, &mut resized)?;
        let resize_us = median_us(|| {
            let done = preprocessor.resize_into(black_box(frame), black_box(&mut resized));
            assert_eq!(done, Ok(()));
        });
        println!("resize {width_px}x{height_px} to 224x224: {resize_us:.0} us");
    }
    let mut clip = vec![0.0; spec.resized_len() * 16];
    let normalise_us = median_us(|| {
        let frames = std::iter::repeat_n(&resized[..], 16);
        assert_eq!(preprocessor.normalise_into(black_box(frames), black_box(&mut clip)), Ok(()));
    });
    println!("normalise 16 frames of 224x224: {normalise_us:.0} us");
    Ok(())
}
