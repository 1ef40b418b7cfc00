//! What makes up one step: the sum of its batches' gradients, each batch the mean of its clips however they are grouped.

use crate::devices::clip;
use crate::footage::{config, pretrained};
use burn::tensor::Device;
use golden::{Tolerance, assert_close};
use watchpost::finetune::clips::Clip;
use watchpost::finetune::schedule::Schedule;
use watchpost::finetune::tuner::Tuner;
use watchpost::optim::adam::AdamConfig;
use watchpost::recipe::mist_stage2_config::Stage2Config;
use watchpost::recipe::system::Losses;
use watchpost::tensors::{Array, Arrays, group};

/// Sums in `f32` in another order: of the largest value of an array.
const OF_ANOTHER_ORDER: f64 = 1e-4;

/// Videos of each label, which with one in a batch make two batches an epoch.
const VIDEOS: usize = 2;

/// Clips of each batch.
const CLIPS: usize = 4;

/// Everything learns from the first step on, and neither decay nor clipping changes gradients. Dropout stays:
/// its draws belong to batches and clips, not to steps and groups.
fn bare() -> Stage2Config {
    let config = Stage2Config {
        frozen_epochs: 0,
        weight_decay: 0.0,
        clip_norm: f32::MAX,
        clips_at_once: CLIPS,
        batches_per_step: 1,
        ..config()
    };
    assert!(config.dropout > 0.0, "nothing is drawn");
    config
}

fn batch(number: u64) -> Vec<Clip> {
    let first = CLIPS * number as usize;
    (0..CLIPS).map(|at| Clip { label: at as f32 / CLIPS as f32, ..clip(first + at) }).collect()
}

/// Gradients and losses of a fresh tuner's step of this number. Adam itself hides how large gradients are, but its first
/// moment after one step is a fixed share of them.
fn one_step(config: &Stage2Config, step: u64) -> (Arrays, Losses) {
    let schedule = Schedule::new(config, VIDEOS, VIDEOS);
    let mut batches = schedule.batches_of(step).map(batch);
    let mut tuner = Tuner::new(config, schedule, &pretrained(), &Device::flex(), &[]).unwrap();
    let losses =
        tuner.step(step, &mut || Ok(batches.next().expect("no more than the step's batches"))).unwrap();
    assert!(batches.next().is_none(), "a batch was left out");
    let share = 1.0 - AdamConfig::default().beta1;
    let mut grads = group(&tuner.snapshot(), "optimiser.m.");
    grads.values_mut().flat_map(|array| &mut array.values).for_each(|value| *value /= share);
    (grads, losses)
}

fn largest(arrays: &Arrays) -> f64 {
    let values = arrays.values().flat_map(|array| &array.values);
    values.fold(0.0, |most, value| most.max(f64::from(value.abs())))
}

fn assert_same_gradients(what: &str, got: &Arrays, want: &Arrays) {
    assert!(got.keys().eq(want.keys()), "{what}: other parameters learn");
    let scale = largest(want);
    assert!(scale > 0.0, "{what}: nothing is learnt");
    // What cancels out within an array is rounded as the terms were.
    let tolerance = Tolerance {
        of_max_abs: OF_ANOTHER_ORDER,
        absolute: OF_ANOTHER_ORDER * OF_ANOTHER_ORDER * scale,
        ..Tolerance::exact()
    };
    for (name, want) in want {
        assert_close(&format!("{what}, {name}"), &got[name].values, &want.values, tolerance);
    }
}

fn assert_same_losses(what: &str, got: &Losses, want: [f32; 3]) {
    assert_eq!(got.parts.len(), 2, "{what}");
    assert_close(what, &numbers(got), &want, Tolerance::new(OF_ANOTHER_ORDER, 0.0));
}

fn numbers(losses: &Losses) -> [f32; 3] {
    [losses.total, losses.parts[0].1, losses.parts[1].1]
}

fn norm(arrays: &Arrays) -> f64 {
    let squares = arrays.values().flat_map(|array| &array.values).map(|value| f64::from(*value).powi(2));
    squares.sum::<f64>().sqrt()
}

#[test]
fn a_step_of_two_batches_sums_their_gradients_and_reports_their_mean_loss() {
    let (config, together) = (bare(), Stage2Config { batches_per_step: 2, ..bare() });
    let (got, losses) = one_step(&together, 0);
    let [(first, first_losses), (second, second_losses)] = [0, 1].map(|step| one_step(&config, step));
    assert!(first != second, "both batches teach the same");
    let sum = |(name, array): (&String, &Array)| {
        let values = array.values.iter().zip(&second[name].values).map(|(one, other)| one + other).collect();
        (name.clone(), Array { values, ..array.clone() })
    };
    let want: Arrays = first.iter().map(sum).collect();
    assert_same_gradients("two batches", &got, &want);
    let tolerance = Tolerance::new(OF_ANOTHER_ORDER, 0.0);
    assert_close("norm of the sum", &[losses.grad_norm], &[norm(&want)], tolerance);
    let (one, other) = (numbers(&first_losses), numbers(&second_losses));
    let mean = [0, 1, 2].map(|at| (one[at] + other[at]) / 2.0);
    assert_same_losses("mean of two batches", &losses, mean);
}

#[test]
fn the_groups_of_a_batch_do_not_change_what_it_teaches() {
    let (want, want_losses) = one_step(&bare(), 0);
    // Groups of one, and a group of three beside one of one.
    for clips_at_once in [1, 3] {
        let (got, losses) = one_step(&Stage2Config { clips_at_once, ..bare() }, 0);
        let what = format!("{clips_at_once} at once");
        assert_same_gradients(&what, &got, &want);
        assert_same_losses(&what, &losses, numbers(&want_losses));
        assert_close(
            &what,
            &[losses.grad_norm],
            &[want_losses.grad_norm],
            Tolerance::new(OF_ANOTHER_ORDER, 0.0),
        );
    }
}
