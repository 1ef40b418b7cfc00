//! Settings reach the graphs that they are for.

use vad_core::ClipSpec;

use crate::plan::Contract;
use crate::prepare::Arithmetic;
use crate::{LazyIm2col, Pulse, common};

const CLIP: ClipSpec = ClipSpec { frames: 4, stride: 4 };

/// Whether tract gathers patches of the encoder's kernel, of three taps, on the fly.
fn is_lazy(min_taps: u16) -> bool {
    let contract = Contract::new("test", &[1, 3, 4, 4, 4], &[1, 256, 4]);
    let model = common::streaming_encoder(1.0, 3, [2, 0]);
    let pulse = Pulse::new(4, CLIP).unwrap();
    let lazy = LazyIm2col { min_taps };
    let ready = super::pulsed(&model, &contract, pulse, lazy, Arithmetic::F32).unwrap();
    ready.model().nodes().iter().any(|node| node.op().name() == "LazyIm2col")
}

#[test]
fn kernels_of_enough_taps_are_gathered_on_the_fly() {
    if std::env::var_os(LazyIm2col::VARIABLE).is_none() {
        assert!(is_lazy(2) && is_lazy(3));
        assert!(!is_lazy(4) && !is_lazy(u16::MAX));
    }
}
