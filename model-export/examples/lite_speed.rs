//! Milliseconds per frame of an I3D-lite on this machine, on one thread, as a board runs it.
//!
//! ```text
//! cargo run --release -p model-export --example lite_speed -- WEIGHTS.safetensors SIZE [FRAMES]
//! ```
//!
//! `SIZE` is `small`, `middle` or `large`; the weights are those of `watchpost distill`. Pictures come in the network's own
//! size. Settings of the runtime can be given as environment variables, for example `TRACT_LAZY_IM2COL_MIN_KERNEL=6`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measuring tool")]

use std::sync::Arc;
use std::time::Instant;

use vad_core::{EncoderSpec, LiteSize, ModelSpec, RgbFrame};
use vad_infer::{Encoder, FeatureStream, Pulse};

fn main() {
    let mut args = std::env::args().skip(1);
    let weights = std::fs::read(args.next().expect("the path of the weights")).unwrap();
    let size = args.next().expect("small, middle or large");
    let size = LiteSize::ALL.into_iter().find(|known| known.name() == size).expect("small, middle or large");
    let frames: usize = args.next().map_or(400, |count| count.parse().unwrap());

    let spec = ModelSpec::mist("speed", EncoderSpec::lite(size));
    let side = u32::from(spec.preprocess.width_px);
    let gmac = 1e-9 * size.plan().macs_per_frame(side as usize, side as usize) as f64;
    let onnx = model_export::encoder_onnx(&weights, &spec).unwrap();
    println!("{size}: {gmac:.4} GMAC per frame of {side} x {side} px, {frames} frames");
    let pictures: Vec<Vec<u8>> = (0..16).map(|index| picture(index, side)).collect();
    for pulse in [1, 2, 4] {
        let begin = Instant::now();
        let encoder =
            Encoder::with_pulse(&onnx, "lite.onnx", &spec, Pulse::new(pulse, spec.clip).unwrap()).unwrap();
        let mut stream = FeatureStream::new(Arc::new(encoder), &spec).unwrap();
        let load_ms = ms(begin);
        let mut times: Vec<f64> = (0..frames / pulse)
            .map(|turn| {
                let begin = Instant::now();
                for frame in turn * pulse..(turn + 1) * pulse {
                    stream.push(RgbFrame::new(side, side, &pictures[frame % 16]).unwrap()).unwrap();
                }
                ms(begin) / pulse as f64
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "pulse {pulse}: load {load_ms:.0} ms; per frame best {:.2} ms, median {:.2} ms, p99 {:.2} ms; {:.1} GMAC/s",
            at(0.0),
            at(0.5),
            at(0.99),
            gmac / at(0.5) * 1e3
        );
    }
}

fn picture(index: usize, side: u32) -> Vec<u8> {
    (0..side as usize * side as usize * 3).map(|at| ((at * 37 + index * 11) % 255) as u8).collect()
}

fn ms(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}
