//! I3D-lite on kernels of our own: the whole network for the next frames of a stream.
//!
//! A map is `[frames, height, width, channels]`, so that a depthwise kernel works on whole vectors of channels and a `1x1x1`
//! convolution is a matrix product whose sums stay in registers. Nothing is moved between layers, and nothing is
//! allocated but the features. [`LiteNet::read`] takes exactly the graphs that the exporter writes; any other runs on tract.

mod depthwise;
mod dots;
mod int8;
mod isa;
mod layer;
mod lines;
mod pointwise;
mod read;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::depthwise::{Depthwise, Memory};
use self::int8::Requantise;
use self::layer::Layer;
use self::lines::Lines;
use self::pointwise::{Pointwise, Then};
use crate::tap::Tap;

pub(crate) use self::isa::{Isa, padded};
pub(crate) use self::read::{Fault, is_linear};

/// About as many values between the two `1x1x1` convolutions of a block are held at once: they stay in the cache.
const MIDDLE_VALUES: usize = 32 * 1024;

/// The same in int8.
const MIDDLE_STEPS: usize = 2 * MIDDLE_VALUES;

/// Side of the patches that are copied fastest.
const STEM: usize = vad_core::lite::STEM_PX as usize;

/// The weights and shapes of one network. Streams share it.
#[derive(Debug)]
pub(crate) struct LiteNet {
    /// Height and width of its pictures.
    picture: [usize; 2],
    /// Side of the stem's patches.
    patch: usize,
    stem: Pointwise,
    blocks: Vec<Block>,
    last: Layer,
    /// Length of a feature, without the zeros that fill it up.
    feature_dim: usize,
}

#[derive(Debug)]
struct Block {
    depthwise: Depthwise,
    expand: Layer,
    project: Layer,
    /// Channels of its output, without the zeros that fill them up.
    channels: usize,
    /// What lies between them where both are in int8: no map of f32.
    requantise: Option<Requantise>,
    /// Whether its input is added to its output.
    residual: bool,
}

/// What it remembers of one stream, and room for a step.
#[derive(Debug)]
pub(crate) struct LiteState {
    net: Arc<LiteNet>,
    pulse: usize,
    memories: Vec<Memory>,
    rooms: Rooms,
    tapped: Option<Tapped>,
}

/// The output of a block, kept beside the features.
#[derive(Debug)]
struct Tapped {
    /// Number of the block.
    block: usize,
    /// Of the latest frames, `[pulse, places, channels]`.
    map: Vec<f32>,
}

/// Maps between layers.
#[derive(Debug)]
struct Rooms {
    /// Input and output of a block, in turns.
    maps: [Lines<f32>; 2],
    /// A picture between zeros.
    framed: Lines<f32>,
    /// Behind the depthwise kernels; the stem's patches before the first block.
    narrow: Lines<f32>,
    /// Between the `1x1x1` convolutions, and the features of each place.
    wide: Lines<f32>,
    /// Inputs in int8: of the first and of the second `1x1x1` convolution.
    words: [Lines<i32>; 2],
}

impl LiteNet {
    /// Length of a feature.
    pub(crate) fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn stem_places(&self) -> usize {
        self.picture.iter().map(|side| side / self.patch).product()
    }

    /// Places of the last map.
    fn last_places(&self) -> usize {
        self.blocks.last().map_or(self.stem_places(), Block::places)
    }

    /// Whether it has the map of a tap.
    pub(crate) fn has(&self, tap: Tap) -> bool {
        self.tapped_block(tap).is_some()
    }

    /// The block whose output is the map of a tap, and its number.
    fn tapped_block(&self, tap: Tap) -> Option<(usize, &Block)> {
        let number = tap.blocks.checked_sub(1)?;
        let block = self.blocks.get(number)?;
        let size = [block.depthwise.rows(), block.row_places()];
        (block.channels == tap.channels && size == tap.size).then_some((number, block))
    }

    /// A stream at its beginning, of which it takes `pulse` frames at a time. Where it has the map of a tap, the stream keeps
    /// it.
    pub(crate) fn beginning(self: &Arc<Self>, pulse: usize, tap: Option<Tap>) -> LiteState {
        let tapped = tap.and_then(|tap| self.tapped_block(tap));
        let stem = self.stem_places();
        let map = self.blocks.iter().map(|block| block.places() * block.project.outputs());
        let map = map.chain([stem * self.stem.outputs()]).max().unwrap_or(0);
        let narrow = self.blocks.iter().map(|block| block.band_places(pulse) * block.expand.inputs());
        let narrow = narrow.chain([pulse * stem * self.stem.inputs()]).max().unwrap_or(0);
        let framed = self.blocks.iter().map(|block| block.depthwise.framed_len(block.band(pulse).rows));
        let framed = framed.max().unwrap_or(0);
        let wide = self.blocks.iter().filter(|block| block.requantise.is_none());
        let wide = wide.map(|block| block.band_places(pulse) * block.expand.outputs());
        let wide = wide.chain([pulse * self.last_places() * self.last.outputs()]).max().unwrap_or(0);
        let first = self.blocks.iter().map(|block| block.expand.words(block.band_places(pulse)));
        let first = first.chain([self.last.words(pulse * self.last_places())]).max().unwrap_or(0);
        let second = self.blocks.iter().map(|block| block.project.words(block.band_places(pulse)));
        let second = second.max().unwrap_or(0);
        LiteState {
            net: self.clone(),
            pulse,
            memories: self.blocks.iter().map(|block| block.depthwise.beginning()).collect(),
            rooms: Rooms {
                maps: [Lines::zeros(pulse * map), Lines::zeros(pulse * map)],
                framed: Lines::zeros(framed),
                narrow: Lines::zeros(narrow),
                wide: Lines::zeros(wide),
                words: [Lines::zeros(first), Lines::zeros(second)],
            },
            tapped: tapped.map(|(number, block)| Tapped {
                block: number,
                map: vec![0.0; pulse * block.places() * block.project.outputs()],
            }),
        }
    }

    /// Cuts normalised frames, `[3, pulse, H, W]`, into the stem's patches, `[places, 3 * side * side]`.
    fn patches(&self, frames: &[f32], pulse: usize, patches: &mut [f32]) {
        match self.patch {
            STEM => self.patches_of::<STEM>(frames, pulse, patches),
            _ => self.patches_of::<1>(frames, pulse, patches),
        }
    }

    /// Copies `RUN` values at a time, which divide the side of a patch.
    fn patches_of<const RUN: usize>(&self, frames: &[f32], pulse: usize, patches: &mut [f32]) {
        let ([height, width], side) = (self.picture, self.patch);
        let across = width / side;
        for (row, values) in frames.chunks_exact(width).enumerate() {
            let (plane, y) = (row / height, row % height);
            let (colour, frame) = (plane / pulse, plane % pulse);
            let place = (frame * (height / side) + y / side) * across;
            let within = (colour * side + y % side) * side;
            let rows = patches[place * self.stem.inputs()..].chunks_exact_mut(self.stem.inputs());
            for (values, patch) in values.chunks_exact(side).zip(rows) {
                let (from, _) = values.as_chunks::<RUN>();
                let (to, _) = patch[within..within + side].as_chunks_mut::<RUN>();
                to.copy_from_slice(from);
            }
        }
    }
}

/// What goes through a block together: the rows between two depthwise kernels' maps and the maps themselves stay in
/// the cache, and weights are loaded once for all of it.
#[derive(Debug, Clone, Copy)]
struct Band {
    /// More than one only where all rows are in it.
    frames: usize,
    rows: usize,
}

impl Block {
    /// Places of a row of its output.
    fn row_places(&self) -> usize {
        self.depthwise.row_len() / self.expand.inputs()
    }

    /// Places of its output.
    fn places(&self) -> usize {
        self.depthwise.rows() * self.row_places()
    }

    fn band(&self, pulse: usize) -> Band {
        let values = if self.requantise.is_some() { MIDDLE_STEPS } else { MIDDLE_VALUES };
        let places = values / self.expand.outputs();
        let frames = (places / self.places()).clamp(1, pulse);
        let bands = (self.places()).div_ceil(places.max(1));
        Band { frames, rows: self.depthwise.rows().div_ceil(bands) }
    }

    fn band_places(&self, pulse: usize) -> usize {
        let Band { frames, rows } = self.band(pulse);
        frames * rows * self.row_places()
    }

    /// From `x` to `y`, the maps of `pulse` frames.
    fn run(&self, pulse: usize, memory: &mut Memory, x: &[f32], rooms: BlockRooms<'_>, y: &mut [f32]) {
        let Band { frames, rows } = self.band(pulse);
        let x_len = x.len() / pulse;
        let (row_len, y_row_len) = (self.depthwise.row_len(), self.row_places() * self.project.outputs());
        for first in (0..pulse).step_by(frames) {
            let frames = first..(first + frames).min(pulse);
            for top in (0..self.depthwise.rows()).step_by(rows) {
                let rows = top..(top + rows).min(self.depthwise.rows());
                let narrow = &mut rooms.narrow[..frames.len() * rows.len() * row_len];
                for (frame, narrow) in frames.clone().zip(narrow.chunks_exact_mut(rows.len() * row_len)) {
                    if top == 0 {
                        memory.advance();
                    }
                    let x = &x[frame * x_len..(frame + 1) * x_len];
                    self.depthwise.run(memory, x, rows.clone(), rooms.framed, narrow);
                }
                let begin = (first * self.depthwise.rows() + top) * y_row_len;
                let span = begin..begin + frames.len() * rows.len() * y_row_len;
                let then = if self.residual { Then::Add(&x[span.clone()]) } else { Then::Nothing };
                self.widen(narrow, rooms.wide, rooms.words, then, &mut y[span]);
            }
        }
    }

    /// The two `1x1x1` convolutions.
    fn widen(
        &self,
        narrow: &[f32],
        wide: &mut [f32],
        [first, second]: &mut [Lines<i32>; 2],
        then: Then<'_>,
        y: &mut [f32],
    ) {
        let places = narrow.len() / self.expand.inputs();
        if let (Layer::Int8(expand), Layer::Int8(project), Some(requantise)) =
            (&self.expand, &self.project, &self.requantise)
        {
            let first = &mut first[..expand.words(places)];
            let second = &mut second[..project.words(places)];
            expand.quantise(narrow, first);
            expand.run_into_steps(first, requantise, second);
            project.run(second, then, y);
        } else {
            let wide = &mut wide[..places * self.expand.outputs()];
            self.expand.run(narrow, first, Then::Relu, wide);
            self.project.run(wide, second, then, y);
        }
    }
}

/// Room for what a block computes on its way.
struct BlockRooms<'a> {
    framed: &'a mut [f32],
    narrow: &'a mut [f32],
    wide: &'a mut [f32],
    words: &'a mut [Lines<i32>; 2],
}

impl LiteState {
    /// Takes the next frames, `[3, pulse, H, W]`; gives their features, `[D, pulse]`.
    pub(crate) fn run(&mut self, frames: &[f32]) -> Vec<f32> {
        let Self { net, pulse, memories, rooms, tapped } = self;
        let Rooms { maps: [x, y], framed, narrow, wide, words } = rooms;
        let patches = &mut narrow[..*pulse * net.stem_places() * net.stem.inputs()];
        net.patches(frames, *pulse, patches);
        let mut len = *pulse * net.stem_places() * net.stem.outputs();
        net.stem.run(patches, Then::Relu, &mut x[..len]);
        for (number, (block, memory)) in net.blocks.iter().zip(memories).enumerate() {
            let made = *pulse * block.places() * block.project.outputs();
            block.run(*pulse, memory, &x[..len], BlockRooms { framed, narrow, wide, words }, &mut y[..made]);
            if let Some(Tapped { map, .. }) = tapped.as_mut().filter(|tapped| tapped.block == number) {
                map.copy_from_slice(&y[..made]);
            }
            len = made;
            std::mem::swap(x, y);
        }
        let wide = &mut wide[..*pulse * net.last_places() * net.last.outputs()];
        net.last.run(&x[..len], &mut words[0], Then::Relu, wide);
        net.picture_means(wide, *pulse)
    }

    /// The tapped map of the latest frames, `[pulse, places, channels]`, these filled up; empty where there is none.
    pub(crate) fn tap(&self) -> &[f32] {
        self.tapped.as_ref().map_or(&[], |tapped| &tapped.map)
    }

    /// Back to the beginning of a stream.
    pub(crate) fn forget(&mut self) {
        self.memories.iter_mut().for_each(Memory::forget);
    }
}

impl LiteNet {
    /// The mean over each frame's places of `[pulse, places, D]`, as `[D, pulse]`.
    fn picture_means(&self, places: &[f32], pulse: usize) -> Vec<f32> {
        let width = self.last.outputs();
        let mut features = vec![0.0; self.feature_dim * pulse];
        let mut sums = vec![0.0; width];
        for (frame, places) in places.chunks_exact(places.len() / pulse).enumerate() {
            sums.fill(0.0);
            for place in places.chunks_exact(width) {
                sums.iter_mut().zip(place).for_each(|(sum, value)| *sum += value);
            }
            let count = (places.len() / width) as f32;
            let column = features.iter_mut().skip(frame).step_by(pulse);
            column.zip(&sums).for_each(|(feature, sum)| *feature = sum / count);
        }
        features
    }
}
