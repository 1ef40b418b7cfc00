//! Run folders: stopped, resumed, read back.

use crate::footage::{config, finished_run, job, pretrained, training_videos, validation_videos};
use burn::tensor::Device;
use vad_data::ClipEncoder;
use watchpost::bag::BagSet;
use watchpost::checkpoint;
use watchpost::explain::{Explainer, Layer};
use watchpost::finetune::clips::ClipInput;
use watchpost::finetune::start::PADDING;
use watchpost::finetune::training::{score_video, train};
use watchpost::finetune::tuned::{TunedEncoder, TunedRun, TunedSpec};
use watchpost::model::sga::encoder::SgaEncoder;
use watchpost::recipe::curves::{Selection, ValPoint};
use watchpost::recipe::mist_stage2_config::{NAME, Stage2Config};
use watchpost::recipe::system::Detector;
use watchpost::run::{Flow, RunMetrics, RunOutcome};
use watchpost::tensors;

#[test]
fn a_run_stopped_anywhere_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (videos, val) = (training_videos(&folder), validation_videos(&folder));
    let (config, pretrained, device) = (config(), pretrained(), Device::flex());
    let run_in = |name: &str| TunedRun::create(&folder.path().join(name), false).unwrap();
    let work = |run: &TunedRun, stop_at: u64| {
        let job = job(&config, &videos, &val, &pretrained, &device);
        train(run, job, &mut |report| if report.train.step == stop_at { Flow::Stop } else { Flow::Continue })
            .unwrap()
    };
    let straight = run_in("straight");
    let RunOutcome::Finished(whole) = work(&straight, 0) else { panic!("not finished") };
    assert_eq!(whole.curves.train.len(), 8);
    assert_eq!(whole.curves.validation.len(), 4);
    let state =
        |run: &TunedRun| checkpoint::load_of::<Stage2Config>(NAME, &run.run().checkpoint_path()).unwrap();
    // In an epoch, at the end of the frozen phase, and after it.
    for stop_at in [1, 4, 7] {
        let stopped = run_in(&format!("stopped at {stop_at}"));
        assert_eq!(work(&stopped, stop_at), RunOutcome::Stopped { step: stop_at });
        assert!(!stopped.encoder_path().exists());
        assert_eq!(work(&stopped, 0), RunOutcome::Finished(whole.clone()), "stopped at {stop_at}");
        assert!(state(&stopped) == state(&straight), "stopped at {stop_at}: another state");
    }
    let (encoder, _) = tensors::load(&straight.encoder_path()).unwrap();
    assert_eq!(encoder, whole.selected);
    assert_eq!(straight.last_encoder_path().exists(), !whole.selection.is_last_of(&whole.curves));
    assert_eq!(straight.run().metrics().unwrap().curves, whole.curves);
    assert_eq!(work(&straight, 0), RunOutcome::Finished(whole), "a finished run was changed");
}

#[test]
fn a_tuned_encoder_read_back_scores_as_in_training() {
    let folder = tempfile::tempdir().unwrap();
    let (videos, val) = (training_videos(&folder), validation_videos(&folder));
    let config = Stage2Config { epochs: 1, ..config() };
    let device = Device::flex();
    let (run, outcome) = finished_run(&folder, &config, &videos, &val);
    let unfinished = TunedEncoder::load(&run, &device).unwrap_err().to_string();
    assert!(unfinished.contains("tuned.json"), "{unfinished}");
    run.write_spec(&TunedSpec::new("test", "mist-seed1", &config, &outcome.selected).unwrap()).unwrap();
    let run = TunedRun::of(run.run()).unwrap().expect("a run of the second stage");
    let encoder = TunedEncoder::load(&run, &device).unwrap();
    let input = ClipInput::new(config.encoder, config.width_px, config.height_px);
    let want = score_video(encoder.network(), &input, &val[1], &device).unwrap();

    // The encoder after the last step is one of its own where another one was selected.
    let last = |selection: Selection| {
        let metrics = RunMetrics { selection, ..run.run().metrics().unwrap() };
        std::fs::write(run.run().metrics_path(), serde_json::to_vec(&metrics).unwrap()).unwrap();
        TunedEncoder::load_last(&run, &device).unwrap()
    };
    let mut other = outcome.last.clone();
    other.values_mut().for_each(|array| array.values.iter_mut().for_each(|value| *value *= 0.5));
    tensors::save(&run.last_encoder_path(), &other, None).unwrap();
    let loaded = last(Selection::Validation(ValPoint { step: 0, auc: 1.0, loss: 0.0 })).unwrap();
    assert_eq!(loaded.network().to_arrays(), other);
    assert_ne!(loaded.hash(), encoder.hash());
    assert!(last(Selection::Last { step: 2, reason: String::new() }).is_none());

    // As it is explained.
    let plain = SgaEncoder::from_arrays(
        config.encoder.kind(),
        &outcome.selected,
        "selected",
        PADDING,
        &device.clone().autodiff(),
    )
    .unwrap();
    for layer in [Layer::Block4, Layer::Block5] {
        let explainer = Explainer::new(plain.clone(), input.clone(), layer, device.clone().autodiff());
        let pixels = explainer.clip(&val[1], 32, 16).unwrap();
        let score = explainer.explain(&pixels).unwrap().score;
        assert!((score - want[1]).abs() < 1e-5, "{layer:?}: {score} {}", want[1]);
    }

    // As extraction does it: every frame normalised, one clip after the other.
    let mut preprocessor = vad_core::Preprocessor::new(input.preprocess.clone()).unwrap();
    let mut source = vad_video::FrameSource::open(&val[1].path).unwrap();
    let (mut buf, mut frames) = (vad_video::FrameBuf::new(), Vec::new());
    while source.next_frame(&mut buf).unwrap() {
        let mut frame = vec![0; input.preprocess.resized_len()];
        preprocessor.resize_into(buf.as_frame(), &mut frame).unwrap();
        frames.push(frame);
    }
    let features = frames.chunks(16).flat_map(|clip| {
        let mut values = vec![0.0; 16 * input.preprocess.resized_len()];
        preprocessor.normalise_into(clip.iter().map(Vec::as_slice), &mut values).unwrap();
        encoder.encode(&values).unwrap()
    });
    let mut bags = BagSet::default();
    bags.push("v", val[1].label, encoder.feature_dim(), &features.collect::<Vec<f32>>()).unwrap();
    let got = encoder.classifier().unwrap().score(&bags).concat();
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() < 1e-5, "{got} {want}");
    }
}
