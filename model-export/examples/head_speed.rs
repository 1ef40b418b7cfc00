//! Milliseconds per clip of every head that boards run, at its published widths, on one thread of this machine.
//!
//! ```text
//! cargo run --release -p model-export --example head_speed -- [FEATURE_DIM] [CLIPS]
//! ```
//!
//! Weights are random. 1024 features are I3D's and those of the large I3D-lite; 512 and 256 those of the others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measuring tool")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::Instant;

use common::{head_tensors, safetensors};
use golden::hashed_values;
use vad_core::{EncoderSpec, HeadContext, HeadKind, HeadSpec, ModelSpec};
use vad_infer::Head;

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u32>().expect("a number"));
    let dim = args.next().unwrap_or(1024);
    let clips = args.next().unwrap_or(200) as usize;
    println!("{dim} features, {clips} clips");
    let window = |clips| HeadContext::Window { clips };
    let heads = [
        (HeadKind::Mlp, [512, 32], HeadContext::Clip),
        (HeadKind::CuGenerator, [512, 128], HeadContext::Clip),
        (HeadKind::CuClassifier, [512, 32], HeadContext::Memory { clips: 5 }),
        (HeadKind::Rtfm, [512, 128], window(16)),
        (HeadKind::Rtfm, [512, 128], window(32)),
        (HeadKind::RtfmCausal, [512, 128], window(18)),
        (HeadKind::Arms, [1024, 32], window(16)),
        (HeadKind::Arms, [1024, 32], window(32)),
    ];
    for (kind, [first, second], context) in heads {
        let head = HeadSpec { context, ..HeadSpec::per_clip(kind, vec![dim, first, second, 1]) };
        measure(head, dim, clips);
    }
}

fn measure(head: HeadSpec, dim: u32, clips: usize) {
    let title = format!("{:?} over {:?}", head.kind, head.context);
    let weights = safetensors(&head_tensors(&head));
    let spec = ModelSpec { head, ..ModelSpec::mist("speed", EncoderSpec::imported("made-up", dim)) };
    let onnx = model_export::head_onnx(&weights, &spec).unwrap();
    let begin = Instant::now();
    let mut stream = Arc::new(Head::from_onnx(&onnx, "head.onnx", &spec).unwrap()).stream();
    let load_ms = ms(begin);
    let features = hashed_values("features", 1, dim as usize * clips, 0.0, 0.1);
    let score = |feature: &[f32]| {
        let begin = Instant::now();
        stream.push(feature).unwrap();
        ms(begin)
    };
    let mut times: Vec<f64> = features.chunks_exact(dim as usize).map(score).collect();
    times.sort_by(f64::total_cmp);
    let mib = onnx.len() as f64 / (1 << 20) as f64;
    let median = times[times.len() / 2];
    println!(
        "{title:<48} {mib:5.1} MiB, load {load_ms:4.0} ms, best {:6.2} ms, median {median:6.2} ms",
        times[0]
    );
}

fn ms(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}
