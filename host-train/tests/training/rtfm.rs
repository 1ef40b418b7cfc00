//! RTFM.

use crate::made_up::bags;
use burn::tensor::Device;
use vad_data::Label;
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::model::rtfm::Temporal;
use watchpost::recipe::rtfm::RtfmSystem;
use watchpost::recipe::rtfm_config::RtfmConfig;
use watchpost::recipe::settings::Mode;
use watchpost::recipe::system::{Detector, Losses, System};
use watchpost::tensors;

const DIM: usize = 16;

fn data(crops: usize) -> TrainingSet {
    TrainingSet::from_bags(bags(20, crops, DIM, 2.0, 1), BagSet::default()).unwrap()
}

fn small(mode: Mode) -> RtfmConfig {
    RtfmConfig { mode, seed: 5, steps: 12, pairs: 4, segments: 8, ..RtfmConfig::small() }
}

fn fresh(config: &RtfmConfig, data: &TrainingSet) -> RtfmSystem {
    RtfmSystem::new(config, data, &Device::flex()).unwrap()
}

fn run(system: &mut RtfmSystem, data: &TrainingSet, steps: std::ops::Range<u64>) -> Vec<Losses> {
    steps.map(|step| system.step(step, data)).collect()
}

fn bytes_of(system: &RtfmSystem) -> Vec<u8> {
    tensors::encode(&system.snapshot(), None).unwrap()
}

#[test]
fn both_modes_learn_to_rank_abnormal_videos_above_normal_ones() {
    let data = data(1);
    for mode in [Mode::Paper, Mode::Released] {
        let config = RtfmConfig { steps: 150, dropout: 0.3, learning_rate: 1e-3, ..small(mode) };
        let mut system = fresh(&config, &data);
        let losses = run(&mut system, &data, 0..config.steps);
        let mean = |part: &[Losses]| part.iter().map(|loss| loss.total).sum::<f32>() / part.len() as f32;
        let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
        assert!(last < first, "{mode:?}: the loss went from {first} to {last}");
        let best: Vec<f32> = system
            .detector()
            .score(&data.train)
            .iter()
            .map(|video| video.iter().copied().fold(0.0, f32::max))
            .collect();
        let of =
            |label| data.train.with_label(label).into_iter().map(|index| best[index]).collect::<Vec<_>>();
        let (normal, abnormal) = (of(Label::Normal), of(Label::Abnormal));
        let pairs = normal.len() * abnormal.len();
        let above =
            normal.iter().map(|low| abnormal.iter().filter(|high| *high > low).count()).sum::<usize>();
        assert!(above * 10 > pairs * 9, "{mode:?}: {above} of {pairs} pairs are in order");
    }
}

#[test]
fn losses_are_named_alike_at_every_step() {
    let data = data(2);
    for mode in [Mode::Paper, Mode::Released] {
        let mut system = fresh(&small(mode), &data);
        for losses in run(&mut system, &data, 0..2) {
            let names: Vec<&str> = losses.parts.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["classification", "magnitude", "sparse", "smooth"]);
            assert!(losses.total.is_finite() && losses.grad_norm > 0.0);
        }
    }
}

#[test]
fn the_head_alone_learns_resumes_and_is_read_back() {
    let data = data(2);
    let config = RtfmConfig { temporal: Temporal::None, ..small(Mode::Released) };
    let mut straight = fresh(&config, &data);
    let losses = run(&mut straight, &data, 0..12);
    assert!(losses.iter().all(|loss| loss.total.is_finite() && loss.grad_norm > 0.0));
    let mut half = fresh(&config, &data);
    run(&mut half, &data, 0..5);
    let mut rest = fresh(&config, &data);
    rest.restore(&half.snapshot(), "half").unwrap();
    assert_eq!(run(&mut rest, &data, 5..12), losses[5..]);
    let loaded = RtfmSystem::load(&config, &straight.weights(), "stored", &Device::flex()).unwrap();
    assert_eq!(loaded.score(&data.train), straight.detector().score(&data.train));
}

#[test]
fn the_causal_network_learns_resumes_and_does_not_look_ahead() {
    let data = data(2);
    let config = RtfmConfig { temporal: Temporal::CausalMtn, steps: 40, ..small(Mode::Released) };
    let mut straight = fresh(&config, &data);
    let losses = run(&mut straight, &data, 0..40);
    assert!(losses.iter().all(|loss| loss.total.is_finite() && loss.grad_norm > 0.0));
    assert!(losses[39].total < losses[0].total, "{:?} {:?}", losses[0], losses[39]);
    let mut half = fresh(&config, &data);
    run(&mut half, &data, 0..15);
    let mut rest = fresh(&config, &data);
    rest.restore(&half.snapshot(), "half").unwrap();
    assert_eq!(run(&mut rest, &data, 15..40), losses[15..]);
    let loaded = RtfmSystem::load(&config, &straight.weights(), "stored", &Device::flex()).unwrap();
    let scores = loaded.score(&data.train);
    assert_eq!(scores, straight.detector().score(&data.train));
    let longest = data.train.bags.iter().max_by_key(|bag| bag.clips).unwrap();
    let mut beginning = BagSet::with_crops(2);
    let half = longest.clips / 2;
    beginning.push("half", Label::Normal, DIM, &data.train.clips_of(longest)[..half * 2 * DIM]).unwrap();
    let at = data.train.bags.iter().position(|bag| bag == longest).unwrap();
    for (early, whole) in loaded.score(&beginning)[0].iter().zip(&scores[at]) {
        assert!((early - whole).abs() < 1e-6, "{early} {whole}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let data = data(2);
    let trained = |config: &RtfmConfig| {
        let mut system = fresh(config, &data);
        run(&mut system, &data, 0..4);
        bytes_of(&system)
    };
    let config = small(Mode::Released);
    let first = trained(&config);
    assert!(first == trained(&config), "two equal trainings differ");
    assert!(first != trained(&RtfmConfig { seed: 6, ..config }));
}

#[test]
fn a_snapshot_taken_in_the_middle_leads_to_the_same_end() {
    let data = data(2);
    for mode in [Mode::Paper, Mode::Released] {
        let config = small(mode);
        let (half, end) = (config.steps / 2, config.steps);
        let mut straight = fresh(&config, &data);
        let losses = run(&mut straight, &data, 0..end);
        let mut first = fresh(&config, &data);
        run(&mut first, &data, 0..half);
        let stored = tensors::encode(&first.snapshot(), None).unwrap();
        let (snapshot, _) = tensors::decode(&stored, "half".as_ref()).unwrap();
        let mut second = fresh(&RtfmConfig { seed: config.seed, ..config.clone() }, &data);
        second.restore(&snapshot, "half").unwrap();
        assert_eq!(run(&mut second, &data, half..end), losses[half as usize..]);
        assert!(bytes_of(&straight) == bytes_of(&second), "{mode:?}: a resumed training differs");
        assert_eq!(straight.detector().score(&data.train), second.detector().score(&data.train));
    }
}

#[test]
fn a_snapshot_that_lacks_an_array_is_refused_and_changes_nothing() {
    let data = data(1);
    let mut system = fresh(&small(Mode::Released), &data);
    let before = bytes_of(&system);
    let mut snapshot = system.snapshot();
    snapshot.remove("model.Aggregate.conv_3.0.weight").unwrap();
    let error = system.restore(&snapshot, "broken file").unwrap_err().to_string();
    assert!(error.contains("broken file") && error.contains("conv_3"), "{error}");
    assert!(before == bytes_of(&system));
}

#[test]
fn short_videos_train_and_every_clip_gets_a_score() {
    let mut train = BagSet::with_crops(3);
    train.push("one clip", Label::Abnormal, DIM, &[1.0; 3 * DIM]).unwrap();
    train.push("two clips", Label::Normal, DIM, &[0.5; 6 * DIM]).unwrap();
    train.push("no clip", Label::Normal, DIM, &[]).unwrap();
    let data = TrainingSet::from_bags(train, BagSet::default()).unwrap();
    for mode in [Mode::Paper, Mode::Released] {
        let mut system = fresh(&RtfmConfig { topk: 50, ..small(mode) }, &data);
        let losses = run(&mut system, &data, 0..3);
        assert!(losses.iter().all(|loss| loss.total.is_finite()));
        let scores = system.detector().score(&data.train);
        assert_eq!(scores.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
        assert!(scores.iter().flatten().all(|score| (0.0..=1.0).contains(score)));
    }
}

#[test]
fn a_width_that_the_network_cannot_split_is_refused() {
    let mut train = BagSet::default();
    train.push("a", Label::Abnormal, 12, &[1.0; 12]).unwrap();
    train.push("n", Label::Normal, 12, &[1.0; 12]).unwrap();
    let data = TrainingSet::from_bags(train, BagSet::default()).unwrap();
    let error = RtfmSystem::new(&RtfmConfig::small(), &data, &Device::flex()).err().unwrap();
    assert!(error.to_string().contains("multiple of 8"), "{error}");
}
