//! Forward and backward over all clips.

use pulp::Arch;

use crate::layer::Layer;
use crate::loops::{add_frame, add_places, add_rows, space, space_backward};

/// Weights by tap and then by channel.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// `[H taps * W taps, C]`.
    pub space: &'a [f32],
    /// `[taps, C]`, the oldest frame's first.
    pub time: &'a [f32],
    /// `[C]`.
    pub bias: &'a [f32],
}

/// What a layer makes of its input.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// Behind the kernel over the picture, `[clips, frames, H, W, C]`; the backward pass wants it.
    pub space: Vec<f32>,
    /// Behind that over time, of the same shape: the layer's output.
    pub time: Vec<f32>,
}

/// Gradients, each in the shape of what it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// Of the input, `[clips, frames, H, W, C]`.
    pub input: Vec<f32>,
    /// Of [`Weights::space`].
    pub space: Vec<f32>,
    /// Of [`Weights::time`].
    pub time: Vec<f32>,
    /// Of [`Weights::bias`].
    pub bias: Vec<f32>,
}

impl Layer {
    /// The layer's outputs.
    ///
    /// # Panics
    /// When a slice has not the length that the sizes say.
    pub fn forward(&self, x: &[f32], weights: Weights<'_>) -> Outputs {
        Arch::new().dispatch(|| self.forward_here(x, weights))
    }

    /// Gradients by the input and the weights, from that by the output. `after_space` is [`Outputs::space`] of the same input.
    ///
    /// # Panics
    /// As [`Layer::forward`].
    pub fn backward(&self, x: &[f32], after_space: &[f32], weights: Weights<'_>, grad: &[f32]) -> Gradients {
        Arch::new().dispatch(|| self.backward_here(x, after_space, weights, grad))
    }

    #[inline(always)]
    fn forward_here(&self, x: &[f32], weights: Weights<'_>) -> Outputs {
        self.check(x, weights);
        let (from, to) = (self.input_len(), self.output_len());
        let mut after_space = vec![0.0; self.all_frames() * to];
        for (x, sums) in x.chunks_exact(from).zip(after_space.chunks_exact_mut(to)) {
            space(self, x, weights.space, sums);
        }
        let mut after_time = Vec::with_capacity(after_space.len());
        while after_time.len() < after_space.len() {
            after_time.extend_from_slice(weights.bias);
        }
        let clip = self.frames * to;
        for (frames, sums) in after_space.chunks_exact(clip).zip(after_time.chunks_exact_mut(clip)) {
            for (t, sums) in sums.chunks_exact_mut(to).enumerate() {
                for (tap, weight) in self.taps_at(t, weights.time) {
                    add_frame(sums, &frames[self.earlier(t, tap) * to..][..to], weight);
                }
            }
        }
        Outputs { space: after_space, time: after_time }
    }

    #[inline(always)]
    fn backward_here(&self, x: &[f32], after_space: &[f32], weights: Weights<'_>, grad: &[f32]) -> Gradients {
        self.check(x, weights);
        let (from, to, c) = (self.input_len(), self.output_len(), self.channels);
        assert_eq!([after_space.len(), grad.len()], [self.all_frames() * to; 2], "gradients of {self:?}");
        let mut own = Gradients {
            input: vec![0.0; x.len()],
            space: vec![0.0; weights.space.len()],
            time: vec![0.0; weights.time.len()],
            bias: vec![0.0; c],
        };
        // Sums over a frame first: over all frames at once small numbers would be lost in large ones.
        let mut by_frame = vec![0.0; weights.space.len().max(c)];
        let mut by_space = vec![0.0; self.frames * to];
        let clip = self.frames * to;
        for (number, grads) in grad.chunks_exact(clip).enumerate() {
            let frames = &after_space[number * clip..][..clip];
            by_space.fill(0.0);
            for (t, grad) in grads.chunks_exact(to).enumerate() {
                add_in_turn(&mut own.bias, &mut by_frame, |sums| add_rows(sums, grad));
                for (tap, weight) in self.taps_at(t, weights.time) {
                    let earlier = self.earlier(t, tap) * to..(self.earlier(t, tap) + 1) * to;
                    add_frame(&mut by_space[earlier.clone()], grad, weight);
                    let by_tap = &mut own.time[tap * c..(tap + 1) * c];
                    add_in_turn(by_tap, &mut by_frame, |sums| add_places(sums, &frames[earlier], grad));
                }
            }
            let first = number * self.frames * from;
            let x = x[first..].chunks_exact(from);
            let by_x = own.input[first..].chunks_exact_mut(from);
            for ((x, by_x), grad) in x.zip(by_x).zip(by_space.chunks_exact(to)) {
                add_in_turn(&mut own.space, &mut by_frame, |sums| {
                    space_backward(self, x, weights.space, grad, by_x, sums);
                });
            }
        }
        own
    }

    /// The taps over time of frame `t` that lie within the clip.
    #[inline(always)]
    fn taps_at<'a>(&self, t: usize, time: &'a [f32]) -> impl Iterator<Item = (usize, &'a [f32])> {
        time.chunks_exact(self.channels).enumerate().skip((self.taps - 1).saturating_sub(t))
    }

    /// The frame that a tap of frame `t` lies on.
    #[inline(always)]
    fn earlier(&self, t: usize, tap: usize) -> usize {
        t + tap + 1 - self.taps
    }

    fn check(&self, x: &[f32], weights: Weights<'_>) {
        let c = self.channels;
        let found = [x.len(), weights.space.len(), weights.time.len(), weights.bias.len()];
        let expected = [self.all_frames() * self.input_len(), self.space_taps() * c, self.taps * c, c];
        assert_eq!(found, expected, "input, taps over picture and time, and bias of {self:?}");
    }
}

/// Adds to `total` what `sum` adds up from zero.
#[inline(always)]
fn add_in_turn(total: &mut [f32], room: &mut [f32], sum: impl FnOnce(&mut [f32])) {
    let room = &mut room[..total.len()];
    room.fill(0.0);
    sum(room);
    add_rows(total, room);
}
