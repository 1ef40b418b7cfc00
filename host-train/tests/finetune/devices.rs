//! Several devices: the bits of one, whatever their number, also across a stop; and what happens when one fails.

use crate::footage::{SIDE_PX, config, finished_run, job, pretrained, training_videos, validation_videos};
use burn::optim::GradientsAccumulator;
use burn::tensor::{Device, Tensor};
use vad_data::{ExtractSpec, FeatureCache, FeatureSpec, Features, Replicas, Silent, extract};
use watchpost::checkpoint;
use watchpost::device::DeviceList;
use watchpost::dropout::Mask;
use watchpost::finetune::clips::{Clip, ClipInput};
use watchpost::finetune::crew::Crew;
use watchpost::finetune::error::TuneError;
use watchpost::finetune::lesson::{Group, Teacher};
use watchpost::finetune::training::{Job, train};
use watchpost::finetune::tuned::{TunedEncoder, TunedRun, TunedSpec};
use watchpost::model::sga::encoder::SgaEncoder;
use watchpost::recipe::mist_stage2_config::{NAME, Stage2Config};
use watchpost::rng::{Purpose, stream};
use watchpost::run::{Flow, RunOutcome};
use watchpost::tensors::Arrays;

/// Three groups in each batch and two batches in each step, so that two devices have a round left over.
fn grouped() -> Stage2Config {
    Stage2Config { clips_per_video: 3, clips_at_once: 2, batches_per_step: 2, ..config() }
}

#[test]
fn any_number_of_devices_gives_the_bits_of_one_also_across_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (videos, val) = (training_videos(&folder), validation_videos(&folder));
    let (config, pretrained) = (grouped(), pretrained());
    assert!(config.dropout > 0.0, "nothing is drawn");
    let work = |run: &TunedRun, devices: &str, stop_at: u64| {
        let open = devices.parse::<DeviceList>().unwrap().open().unwrap();
        let job = Job { more_devices: &open.others, ..job(&config, &videos, &val, &pretrained, &open.first) };
        train(run, job, &mut |report| if report.train.step == stop_at { Flow::Stop } else { Flow::Continue })
            .unwrap()
    };
    let state =
        |run: &TunedRun| checkpoint::load_of::<Stage2Config>(NAME, &run.run().checkpoint_path()).unwrap();
    let run_in = |name: &str| TunedRun::create(&folder.path().join(name), false).unwrap();
    let one = run_in("one");
    let RunOutcome::Finished(whole) = work(&one, "cpu", 0) else { panic!("not finished") };
    for devices in ["cpu,cpu", "cpu,cpu,cpu,cpu"] {
        let several = run_in(devices);
        assert_eq!(work(&several, devices, 0), RunOutcome::Finished(whole.clone()), "{devices}");
        assert!(state(&several) == state(&one), "{devices}: another state");
    }
    // The third of four steps is the first in which the backbone learns.
    let stopped = run_in("stopped");
    assert_eq!(work(&stopped, "cpu,cpu", 1), RunOutcome::Stopped { step: 1 });
    assert_eq!(work(&stopped, "cpu,cpu,cpu", 3), RunOutcome::Stopped { step: 3 });
    assert_eq!(work(&stopped, "cpu", 0), RunOutcome::Finished(whole));
    assert!(state(&stopped) == state(&one), "stopped: another state");
}

#[test]
fn features_of_copies_on_several_devices_are_those_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let (videos, val) = (training_videos(&folder), validation_videos(&folder));
    let config = Stage2Config { epochs: 1, ..config() };
    let (run, outcome) = finished_run(&folder, &config, &videos, &val);
    run.write_spec(&TunedSpec::new("test", "mist-seed1", &config, &outcome.selected).unwrap()).unwrap();
    let spec = run.spec().unwrap();
    let entries: Vec<_> = videos.into_iter().map(|video| video.entry).collect();
    let features = |devices: &str, threads: usize| -> Vec<Features> {
        let open = devices.parse::<DeviceList>().unwrap().open().unwrap();
        let load = |device: &Device| TunedEncoder::load(&run, device).unwrap();
        let encoder = Replicas::new(load(&open.first), open.others.iter().map(load).collect()).unwrap();
        let cache = FeatureCache::open(&folder.path().join(format!("features of {devices}"))).unwrap();
        let features = FeatureSpec::new(spec.preprocess.clone(), spec.clip);
        let request = ExtractSpec { features, threads, batch: 1 };
        extract(&entries, &encoder, request, &cache, false, &Silent).unwrap().features.into_values().collect()
    };
    let one = features("cpu", 1);
    assert_eq!(one.len(), 4);
    assert_eq!(features("cpu,cpu,cpu", 6), one);
}

/// A crew on flex and `others`, and the encoder that it teaches.
fn crew(config: &Stage2Config, others: &[Device]) -> (Crew, SgaEncoder) {
    let device = Device::flex();
    let encoder = pretrained().encoder(config, &device.clone().autodiff()).unwrap();
    let encoder = encoder.training(config.trained_in(config.frozen_epochs));
    let input = ClipInput::new(config.encoder, config.width_px, config.height_px);
    let teacher = Teacher { input, weights: config.class_weights(), guides: config.guides() };
    (Crew::start(teacher, &device, others, &encoder).unwrap(), encoder)
}

/// A clip of noise.
pub fn clip(seed: usize) -> Clip {
    let bytes = 8 * 3 * usize::from(SIDE_PX).pow(2);
    let pixels = (0..bytes).map(|at| (at * (31 + seed) % 251) as u8).collect();
    Clip { pixels, label: seed as f32 }
}

/// Losses and gradients of one clip for each device.
fn lessons(config: &Stage2Config, others: &[Device]) -> (Vec<f32>, Arrays) {
    let (crew, encoder) = crew(config, others);
    let mut rng = stream(1, Purpose::Dropout, 0);
    let mut group = |(seed, device)| {
        let mask = encoder.draw_mask(0.5, 1, &mut rng, device);
        Group { clips: vec![clip(seed)], share: 0.5, mask }
    };
    let round = crew.devices().enumerate().map(&mut group).collect();
    let (mut losses, mut sum) = (Vec::new(), GradientsAccumulator::new());
    for lesson in crew.lessons(&encoder, round).unwrap() {
        losses.extend([lesson.sums.classifier, lesson.sums.guided]);
        sum.accumulate(&encoder, lesson.grads);
    }
    (losses, encoder.gradients(&sum.grads()))
}

/// Two backends stand for two cards: another device, which tensors have to be carried to and from.
#[cfg(feature = "ndarray")]
#[test]
fn a_copy_on_another_kind_of_device_teaches_the_same_up_to_rounding() {
    let other = watchpost::device::DeviceChoice::Ndarray.open().unwrap();
    let config = config();
    let (alike, mixed) = (lessons(&config, &[Device::flex()]), lessons(&config, &[other]));
    assert_eq!((alike.0.len(), mixed.0.len()), (4, 4));
    for (one, other) in alike.0.iter().zip(&mixed.0) {
        assert!((one - other).abs() < 1e-4, "{one} {other}");
    }
    assert_eq!(alike.0[..2], mixed.0[..2], "the first device's own");
    let most = |arrays: &Arrays| {
        let values = arrays.values().flat_map(|array| &array.values);
        values.fold(0.0_f32, |most, value| most.max(value.abs()))
    };
    let scale = most(&alike.1);
    assert!(scale > 0.0);
    for (name, array) in &alike.1 {
        for (one, other) in array.values.iter().zip(&mixed.1[name].values) {
            assert!((one - other).abs() < 1e-3 * scale, "{name}: {one} {other} of {scale}");
        }
    }
}

#[test]
fn a_device_that_fails_is_named_and_ends_the_training() {
    let config = config();
    let (crew, encoder) = crew(&config, &[Device::flex(), Device::flex()]);
    let group = |seed| Group { clips: vec![clip(seed)], share: 1.0 / 3.0, mask: None };
    assert_eq!(crew.lessons(&encoder, (0..3).map(group).collect()).unwrap().len(), 3);

    // An error goes through as it is.
    let short = Group { clips: vec![Clip { pixels: vec![0; 5], label: 1.0 }], ..group(1) };
    let error = crew.lessons(&encoder, vec![group(0), short]).unwrap_err();
    assert!(matches!(error, TuneError::Shape(_)), "{error}");
    assert_eq!(crew.lessons(&encoder, (0..3).map(group).collect()).unwrap().len(), 3);

    // burn panics on shapes that do not fit, as it does on a card that fails.
    let device = crew.devices().nth(2).unwrap();
    let mask = Some(Mask::from_factors(Tensor::zeros([2, 3], device)));
    let broken = Group { mask, ..group(2) };
    let error = crew.lessons(&encoder, vec![group(0), group(1), broken]).unwrap_err().to_string();
    assert!(error.contains("device 2 of --device"), "{error}");
    let error = crew.lessons(&encoder, (0..3).map(group).collect()).unwrap_err().to_string();
    assert!(error.contains("device 2 of --device"), "{error}");
}
