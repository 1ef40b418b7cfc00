//! Milliseconds per I3D clip on this machine.
//!
//! ```text
//! cargo run --release -p model-export --example encoder_speed -- [WEIGHTS.safetensors] [RUNS] [THREADS]
//! ```
//!
//! Each thread encodes `RUNS` clips of 16 frames of 224x224 px with a shared encoder. Settings of the
//! runtime can be given as environment variables, for example `TRACT_LAZY_IM2COL_MIN_KERNEL=6`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measuring tool")]

use std::time::Instant;

use vad_core::ModelSpec;
use vad_infer::Encoder;

fn main() {
    let mut args = std::env::args().skip(1);
    let weights = args.next().expect("the path of the I3D weights");
    let mut number = |default: usize| args.next().map_or(default, |a| a.parse().unwrap());
    let (runs, threads) = (number(7), number(1));

    let weights = std::fs::read(weights).unwrap();
    let spec = ModelSpec::i3d_mist("speed");
    let onnx = model_export::encoder_onnx(&weights, &spec).unwrap();
    let begin = Instant::now();
    let encoder = Encoder::from_onnx(&onnx, "encoder.onnx", &spec).unwrap();
    println!("load: {:.0} ms", ms(begin));

    let clip: Vec<f32> = (0..encoder.clip_len()).map(|i| ((i * 37) % 255) as f32 / 127.5 - 1.0).collect();
    encoder.encode(&clip).unwrap();
    let begin = Instant::now();
    let mut times: Vec<f64> = std::thread::scope(|scope| {
        let work = || (0..runs).map(|_| time_one(&encoder, &clip)).collect::<Vec<_>>();
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|w| w.join().unwrap()).collect()
    });
    let total = ms(begin);
    times.sort_by(f64::total_cmp);
    println!(
        "{threads} thread(s), {runs} clips each: best {:.0} ms, median {:.0} ms per clip, {:.2} clips/s",
        times[0],
        times[times.len() / 2],
        (runs * threads) as f64 * 1e3 / total
    );
}

fn time_one(encoder: &Encoder, clip: &[f32]) -> f64 {
    let begin = Instant::now();
    encoder.encode(clip).unwrap();
    ms(begin)
}

fn ms(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}
