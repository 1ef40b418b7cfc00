//! A `1x1x1` convolution, in f32 or in int8.

use super::int8::Int8;
use super::pointwise::{Pointwise, Then};

#[derive(Debug)]
pub(super) enum Layer {
    Float(Pointwise),
    Int8(Int8),
}

impl Layer {
    /// Channels of its input, filled up.
    pub(super) fn inputs(&self) -> usize {
        match self {
            Self::Float(layer) => layer.inputs(),
            Self::Int8(layer) => layer.inputs(),
        }
    }

    /// Channels of its output, filled up.
    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::Float(layer) => layer.outputs(),
            Self::Int8(layer) => layer.outputs(),
        }
    }

    /// Words that the inputs of so many places take in int8.
    pub(super) fn words(&self, places: usize) -> usize {
        match self {
            Self::Float(_) => 0,
            Self::Int8(layer) => layer.words(places),
        }
    }

    /// From `[places, inputs]` to `[places, outputs]`; `words` is room for the inputs in int8.
    pub(super) fn run(&self, x: &[f32], words: &mut [i32], then: Then<'_>, y: &mut [f32]) {
        match self {
            Self::Float(layer) => layer.run(x, then, y),
            Self::Int8(layer) => {
                let words = &mut words[..layer.words(x.len() / layer.inputs())];
                layer.quantise(x, words);
                layer.run(words, then, y);
            }
        }
    }
}
