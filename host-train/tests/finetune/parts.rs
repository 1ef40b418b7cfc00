//! What is left out for an ablation is left out.

use crate::footage::{config, job, pretrained, training_videos, validation_videos};
use crate::learning::weights_after;
use burn::tensor::Device;
use vad_data::ClipEncoder;
use watchpost::finetune::clips::ClipInput;
use watchpost::finetune::training::{score_video, train};
use watchpost::finetune::tuned::{TunedEncoder, TunedRun, TunedSpec};
use watchpost::recipe::mist_stage2_config::Stage2Config;
use watchpost::run::{Flow, RunOutcome};

fn without_guided_head() -> Stage2Config {
    Stage2Config { guided_head: false, ..config() }
}

fn without_attention() -> Stage2Config {
    Stage2Config { attention: false, ..config() }
}

#[test]
fn without_the_guided_head_its_layer_rests_and_the_attention_learns_from_the_classifier() {
    let [whole, start, end] = [(config(), 6), (without_guided_head(), 0), (without_guided_head(), 6)]
        .map(|(config, steps)| weights_after(steps, &config));
    assert!(whole.keys().eq(end.keys()));
    for (name, first) in &start {
        let moves = !name.starts_with("Conv_Atten.Att_2.");
        if name.starts_with("Conv_Atten.") || name.starts_with("Regressor.") {
            assert_eq!(end[name] != *first, moves, "{name}");
            assert!(whole[name] != *first, "{name} of the whole system");
        }
    }
}

#[test]
fn without_attention_backbone_and_classifier_learn_and_nothing_else_is_there() {
    let [whole, start, end] = [(config(), 0), (without_attention(), 0), (without_attention(), 6)]
        .map(|(config, steps)| weights_after(steps, &config));
    let is_attention = |name: &&String| name.starts_with("Conv_Atten.");
    assert!(whole.keys().any(|name| is_attention(&name)));
    assert!(start.keys().eq(whole.keys().filter(|name| !is_attention(name))));
    assert!(start.iter().all(|(name, array)| whole[name] == *array), "both begin alike");
    let moved = |prefix: &str| {
        start.iter().filter(|(name, array)| name.starts_with(prefix) && end[*name] != **array).count()
    };
    assert_eq!((moved("Regressor."), moved("backbone.mixed_4b")), (2, 6));
}

#[test]
fn runs_without_a_part_resume_to_the_same_bits_and_score_when_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (videos, val) = (training_videos(&folder), validation_videos(&folder));
    let (pretrained, device) = (pretrained(), Device::flex());
    for (name, config) in
        [("without-guided-head", without_guided_head()), ("without-attention", without_attention())]
    {
        let run_in =
            |part: &str| TunedRun::create(&folder.path().join(format!("{name}-{part}")), false).unwrap();
        let work = |run: &TunedRun, stop_at: u64| {
            let job = job(&config, &videos, &val, &pretrained, &device);
            train(run, job, &mut |report| {
                if report.train.step == stop_at { Flow::Stop } else { Flow::Continue }
            })
            .unwrap()
        };
        let (straight, stopped) = (run_in("straight"), run_in("stopped"));
        let RunOutcome::Finished(outcome) = work(&straight, 0) else { panic!("not finished") };
        assert_eq!(outcome.curves.parts, ["classifier"], "{name}: the guided classifier has a loss");
        // After the backbone has joined.
        assert_eq!(work(&stopped, 5), RunOutcome::Stopped { step: 5 });
        assert_eq!(work(&stopped, 0), RunOutcome::Finished(outcome.clone()), "{name}");

        straight
            .write_spec(&TunedSpec::new(name, "mist-seed1", &config, &outcome.selected).unwrap())
            .unwrap();
        let encoder = TunedEncoder::load(&straight, &device).unwrap();
        assert_eq!(encoder.network().attends(), config.attention);
        let input = ClipInput::new(config.encoder, config.width_px, config.height_px);
        let scores = score_video(encoder.network(), &input, &val[0], &device).unwrap();
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
        assert_eq!(encoder.feature_dim(), encoder.spec().feature_dim);
    }
}
