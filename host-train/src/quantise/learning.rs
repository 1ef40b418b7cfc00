//! Quantisation-aware training: layers in int8 learn to give, rounded, what the network gives in f32.
//!
//! The teacher is the network itself in f32, so neither labels nor another network are needed, and what an encoder was trained
//! to, by distillation or by fine-tuning, is what it is held to (quantised distillation as in Mishra and Marr, "Apprentice",
//! ICLR 2018). Only the layers in int8 learn. The grids of their inputs stay as calibration chose them, their weights are
//! rounded anew in every step, and gradients pass a rounding as if it were not there, except where an input lies beyond its
//! grid (Bengio et al., 2013; Jacob et al., CVPR 2018).
//!
//! With `s` and `t` the features of student and teacher, means over a clip, the loss is
//! `mean((s - t)^2) / var(t)` for each place of the picture, plus the same of their means over the picture, which is what
//! detectors read. The variances are over the calibration footage.

use burn::module::{Module, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use model_export::{InputGrid, Int8Layer, Int8Plan, Int8Weights};

use super::calibration::{Calibration, Planned, divide, row};
use crate::backbone::i3d_lite::{I3dLite, mixed};
use crate::distill::error::DistillError;
use crate::distill::lessons::clip_means;
use crate::optim::adam::{Adam, AdamConfig};
use crate::run::Flow;
use crate::tensors::Array;
use crate::threads::in_threads;

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QatConfig {
    /// Number of steps.
    pub steps: u32,
    /// Largest step size of Adam. It rises from 0 over the first tenth of the steps and falls to 0 as half a cosine: the
    /// weights are nearly right, and Adam's first steps move all of them alike, however small the gradients.
    pub learning_rate: f32,
}

impl QatConfig {
    /// The usual step size.
    pub fn new(steps: u32) -> Self {
        Self { steps, learning_rate: 1e-5 }
    }

    fn learning_rate_at(&self, step: u32) -> f32 {
        let rising = ((step + 1) as f32 / (0.1 * self.steps as f32)).min(1.0);
        let done = std::f32::consts::PI * step as f32 / self.steps.max(1) as f32;
        self.learning_rate * rising * 0.5 * (1.0 + done.cos())
    }
}

/// The windows of a step, `[1, 3, T, H, W]` each as [`I3dLite::forward`] takes them, T a multiple of a clip's frames.
pub type Draw<'a> = dyn FnMut(u32) -> Result<Vec<Tensor<5>>, DistillError> + 'a;

/// The layers in int8, while they learn.
#[derive(Module, Debug)]
struct Rounded {
    layers: Vec<RoundedLayer>,
}

#[derive(Module, Debug)]
struct RoundedLayer {
    /// `[outputs, inputs]`.
    weight: Param<Tensor<2>>,
    /// `[outputs]`.
    bias: Param<Tensor<1>>,
    /// Its place in the network.
    #[module(skip)]
    number: usize,
    #[module(skip)]
    input: InputGrid,
    #[module(skip)]
    divisors: Vec<f32>,
}

/// What features are held against.
struct Spread {
    places: f32,
    clips: f32,
}

impl Calibration {
    /// Teaches the layers of a plan on windows that `draw` gives for each step. Where that brings the features of the calibration
    /// footage no nearer, the plan comes back as it was. `progress` gets each step's loss; nothing comes back where it says
    /// stop. The calibration's own clips must be of a multiple of 16 frames as well.
    ///
    /// # Errors
    /// Those of `draw`.
    pub fn learn(
        &self,
        planned: &Planned,
        config: QatConfig,
        draw: &mut Draw<'_>,
        progress: &mut dyn FnMut(f32) -> Flow,
    ) -> Result<Option<Planned>, DistillError> {
        let device = self.clips.device().autodiff();
        let net = I3dLite::from_arrays(self.net.size(), &self.net.to_arrays(), "calibration", "", &device)?;
        let net = net.no_grad();
        let spread = Spread::of(&clip_means(self.net.maps(self.clips.clone())));
        let mut rounded = Rounded::of(&planned.plan, self.layers(), &device);
        let mut adam = Adam::new(AdamConfig::default());
        for step in 0..config.steps {
            let windows = draw(step)?;
            let (loss, grads) = lesson(&self.net, &net, &rounded, &spread, windows, &device);
            adam.set_learning_rate(config.learning_rate_at(step));
            rounded = adam.step(rounded, grads);
            if progress(loss) == Flow::Stop {
                return Ok(None);
            }
        }
        let learnt = self.planned(rounded.plan(self.layers()));
        // Also where it is no number.
        let is_nearer = learnt.error < planned.error;
        Ok(Some(if is_nearer { learnt } else { planned.clone() }))
    }
}

/// The mean loss over the windows, each in a thread of its own, with its gradients.
fn lesson(
    teacher: &I3dLite,
    net: &I3dLite,
    rounded: &Rounded,
    spread: &Spread,
    windows: Vec<Tensor<5>>,
    device: &Device,
) -> (f32, GradientsParams) {
    let share = 1.0 / windows.len().max(1) as f32;
    let parts = in_threads(windows, |window| {
        let (net, copy) = (net.clone().fork(device), rounded.clone().fork(device));
        let aim = Tensor::from_inner(clip_means(teacher.maps(window.clone())));
        let loss = spread.loss(clip_means(copy.maps(&net, Tensor::from_inner(window))), aim) * share;
        let grads = GradientsParams::from_grads(loss.backward(), &copy);
        (loss.into_scalar::<f32>(), grads)
    });
    let (mut loss, mut sum) = (0.0, GradientsAccumulator::new());
    for (part, grads) in parts {
        loss += part;
        sum.accumulate(rounded, grads);
    }
    (loss, sum.grads())
}

impl Spread {
    /// Of `[clips, places, D]`.
    fn of(features: &Tensor<3>) -> Self {
        let variance = |x: Tensor<3>| {
            let off = x.clone() - x.mean_dim(0);
            off.square().mean().into_scalar::<f32>().max(f32::MIN_POSITIVE)
        };
        Self { places: variance(features.clone()), clips: variance(features.clone().mean_dim(1)) }
    }

    fn loss(&self, student: Tensor<3>, teacher: Tensor<3>) -> Tensor<1> {
        let off = student - teacher;
        off.clone().square().mean() / self.places + off.mean_dim(1).square().mean() / self.clips
    }
}

impl Rounded {
    fn of(plan: &Int8Plan, names: &[String], device: &Device) -> Self {
        let layers = names.iter().enumerate().filter_map(|(number, name)| Some((number, plan.get(name)?)));
        Self { layers: layers.map(|(number, how)| RoundedLayer::of(number, how, device)).collect() }
    }

    fn maps(&self, net: &I3dLite, window: Tensor<5>) -> Tensor<4> {
        let mut layers = self.layers.iter().peekable();
        net.maps_by(window, &mut |layer, x| match layers.next_if(|rounded| rounded.number == layer.number) {
            Some(rounded) => rounded.forward(x),
            None => layer.forward(x),
        })
    }

    fn plan(&self, names: &[String]) -> Int8Plan {
        let mut plan = Int8Plan::default();
        for layer in &self.layers {
            let how = Int8Layer {
                input: layer.input,
                divisors: layer.divisors.clone(),
                weight: Array::from_tensor(layer.weight.val()).values,
                bias: Array::from_tensor(layer.bias.val()).values,
            };
            plan.insert(names[layer.number].clone(), how);
        }
        plan
    }
}

impl RoundedLayer {
    fn of(number: usize, how: &Int8Layer, device: &Device) -> Self {
        let outputs = how.bias.len();
        let shape = [outputs, how.weight.len() / outputs.max(1)];
        Self {
            weight: Param::from_data(TensorData::new(how.weight.clone(), shape), device),
            bias: Param::from_data(TensorData::new(how.bias.clone(), [outputs]), device),
            number,
            input: how.input,
            divisors: how.divisors.clone(),
        }
    }

    /// `[places, inputs]` to `[places, outputs]`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (scale, zero) = (self.input.scale(), f32::from(self.input.zero_point()));
        let steps = (divide(x, &self.divisors) / scale).clamp(-zero, InputGrid::LAST - zero);
        let x = round(steps) * scale;

        let mut weight = self.weight.val();
        if !self.divisors.is_empty() {
            let by = row(&self.divisors, &weight.device());
            weight = weight * by;
        }
        let scale = weight.clone().detach().abs().max_dim(1) / Int8Weights::MOST;
        let scale = scale.clone().mask_fill(scale.lower_elem(f32::MIN_POSITIVE), 1.0);
        let weight = round(weight / scale.clone()) * scale;
        mixed(x, weight, self.bias.val())
    }
}

/// To whole numbers; gradients pass.
fn round(x: Tensor<2>) -> Tensor<2> {
    let plain = x.clone().detach();
    x + (plain.clone().round() - plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;
    use crate::distill::lessons::CLIP;
    use crate::quantise::range::RangeMethod;
    use vad_core::LiteSize;

    const SIZE: LiteSize = LiteSize::Small;
    const SIDE_PX: usize = 32;
    /// Between two ways to add up what is rounded: now and then another sum makes an input fall to the other side.
    const SAME: f64 = 1e-2;

    fn window(shift: f32) -> Tensor<5> {
        let frames = usize::from(CLIP.frames);
        narrow::values([1, 3, frames, SIDE_PX, SIDE_PX]) * (1.0 - 0.1 * shift)
    }

    fn calibration() -> Calibration {
        let device = Device::flex();
        let clips = Tensor::cat(vec![window(0.0), window(1.0), window(2.0)], 0);
        let weights = I3dLite::init(SIZE, 1, &device).calibrate(clips.clone()).to_arrays();
        Calibration::new(SIZE, &weights, "test", clips, &device).unwrap()
    }

    /// As many steps on the windows of the calibration.
    fn learnt(own: &Calibration, planned: &Planned, steps: u32) -> (Planned, Vec<f32>) {
        let mut losses = Vec::new();
        let learnt = own.learn(
            planned,
            QatConfig::new(steps),
            &mut |_| Ok(vec![window(0.0), window(1.0), window(2.0)]),
            &mut |loss| {
                losses.push(loss);
                Flow::Continue
            },
        );
        (learnt.unwrap().unwrap(), losses)
    }

    #[test]
    fn it_begins_where_calibration_ended_and_loses_less_step_by_step() {
        let own = calibration();
        let planned = own.plan(RangeMethod::Mse, |_| true);
        let (same, none) = learnt(&own, &planned, 0);
        assert!(none.is_empty() && same.plan == planned.plan);
        assert!((same.error / planned.error - 1.0).abs() < SAME, "{} {}", same.error, planned.error);

        let (better, losses) = learnt(&own, &planned, 12);
        assert_eq!(losses.len(), 12);
        assert!(losses[11] < 0.8 * losses[0], "{losses:?}");
        assert!(better.error < planned.error, "{} {}", better.error, planned.error);
    }

    #[test]
    fn what_learns_is_rounded_as_what_is_exported() {
        let own = calibration();
        let planned = own.plan(RangeMethod::Mse, |_| true);
        let device = own.clips.device();
        let rounded = Rounded::of(&planned.plan, own.layers(), &device);
        let error = own.error(rounded.maps(&own.net, own.clips.clone()));
        assert!((error / planned.error - 1.0).abs() < SAME, "{error} {}", planned.error);
    }

    #[test]
    fn layers_that_are_not_in_int8_stay_as_they_were() {
        let own = calibration();
        let planned = own.plan(RangeMethod::Mse, |layer| layer.starts_with("stage2"));
        let (learnt, _) = learnt(&own, &planned, 2);
        assert!(learnt.plan.layers().eq(planned.plan.layers()));
        for layer in learnt.plan.layers() {
            let (before, after) = (planned.plan.get(layer).unwrap(), learnt.plan.get(layer).unwrap());
            assert_eq!((before.input, &before.divisors), (after.input, &after.divisors));
            assert_ne!(before.weight, after.weight, "{layer}");
            assert_ne!(before.bias, after.bias, "{layer}");
        }
    }

    /// Two inputs, the second divided, and two outputs, of which one reads nothing.
    fn layer() -> Int8Layer {
        Int8Layer {
            input: InputGrid::covering(-1.0, 1.55),
            divisors: vec![1.0, 4.0],
            weight: vec![1.27, 0.1111, 0.0, 0.0],
            bias: vec![0.25, -1.0],
        }
    }

    #[test]
    fn values_are_rounded_to_the_grids_of_inputs_and_weights() {
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::from_data([[0.504, 1.2345], [9.0, -9.0]], &device);
        let y = RoundedLayer::of(0, &layer(), &device).forward(x);
        // Steps of 0.01; 1.2345 / 4 becomes 0.31, 0.1111 * 4 becomes 0.44, 9 is cut off at 1.55 and -9 / 4 at -1.
        let expected = [1.27 * 0.50 + 0.44 * 0.31 + 0.25, -1.0, 1.27 * 1.55 - 0.44 + 0.25, -1.0];
        for (y, expected) in y.into_data().iter::<f32>().zip(expected) {
            assert!((y - expected).abs() < 1e-5, "{y} {expected}");
        }
    }

    #[test]
    fn gradients_pass_a_rounding_but_not_the_end_of_a_grid() {
        let device = Device::flex().autodiff();
        let rounded = RoundedLayer::of(0, &layer(), &device);
        let x = Tensor::<2>::from_data([[9.0, 1.2345]], &device).require_grad();
        let grads = rounded.forward(x.clone()).sum().backward();
        let values = |grad: Tensor<2>| grad.into_data().iter::<f32>().collect::<Vec<_>>();
        // Beyond the grid there is no slope; within it, that of the rounded weight on the divided input.
        for (by_x, expected) in values(x.grad(&grads).unwrap()).into_iter().zip([0.0, 0.44 / 4.0]) {
            assert!((by_x - expected).abs() < 1e-5, "{by_x} {expected}");
        }
        let by_weight = values(rounded.weight.val().grad(&grads).unwrap());
        for (by_weight, expected) in by_weight.into_iter().zip([1.55, 4.0 * 0.31, 1.55, 4.0 * 0.31]) {
            assert!((by_weight - expected).abs() < 1e-5, "{by_weight} {expected}");
        }
    }

    #[test]
    fn a_plan_that_learning_spoils_stays_as_it_was() {
        let own = calibration();
        let planned = own.plan(RangeMethod::Mse, |_| true);
        let wild = QatConfig { steps: 2, learning_rate: 1.0 };
        let kept = own.learn(&planned, wild, &mut |_| Ok(vec![window(0.0)]), &mut |_| Flow::Continue);
        let kept = kept.unwrap().unwrap();
        assert_eq!((kept.plan, kept.error), (planned.plan, planned.error));
    }

    #[test]
    fn it_stops_where_it_is_told_to() {
        let own = calibration();
        let planned = own.plan(RangeMethod::Mse, |_| true);
        let stopped =
            own.learn(&planned, QatConfig::new(9), &mut |_| Ok(vec![window(0.0)]), &mut |_| Flow::Stop);
        assert!(stopped.unwrap().is_none());
    }
}
