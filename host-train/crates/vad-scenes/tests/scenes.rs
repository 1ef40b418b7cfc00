//! What every scene promises: it repeats, and its truth is where the pictures differ.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic")]

use vad_scenes::{Anomaly, AnomalyKind, Scene, SceneError, SceneSpec};

fn small(seed: u64) -> SceneSpec {
    SceneSpec { width_px: 160, height_px: 120, frames: 60, ..SceneSpec::normal(seed) }
}

fn with(kind: AnomalyKind, seed: u64) -> SceneSpec {
    let anomaly = Some(Anomaly { kind, first_frame: 20, last_frame: 49 });
    SceneSpec { anomaly, ..small(seed) }
}

fn frame(scene: &mut Scene, index: u64) -> Vec<u8> {
    let mut rgb = Vec::new();
    scene.render(index, &mut rgb).unwrap();
    rgb
}

#[test]
fn equal_specs_give_equal_bytes_in_any_order_of_frames() {
    for kind in AnomalyKind::ALL {
        let (mut one, mut other) = (Scene::new(with(kind, 3)).unwrap(), Scene::new(with(kind, 3)).unwrap());
        let indices = [0, 13, 21, 34, 59];
        let forward = indices.map(|index| frame(&mut one, index));
        let mut backward = [59, 34, 21, 13, 0].map(|index| frame(&mut other, index));
        backward.reverse();
        assert!(forward == backward, "{kind}");
    }
}

/// The pictures of a seed are part of what a published figure rests on: they change only knowingly.
#[test]
fn the_pictures_of_a_seed_are_those_of_yesterday() {
    let mut scene = Scene::new(with(AnomalyKind::Vehicle, 11)).unwrap();
    let checksum = (0..60)
        .step_by(15)
        .flat_map(|index| frame(&mut scene, index))
        .fold(0_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(byte).wrapping_mul(0x9e37_79b1));
    assert_eq!(checksum, PICTURES_OF_SEED_11, "the rasteriser or a random stream changed");
}

const PICTURES_OF_SEED_11: u32 = 115_349_378;

#[test]
fn seeds_differ() {
    let mut pictures = [1, 2, 3].map(|seed| frame(&mut Scene::new(small(seed)).unwrap(), 0));
    pictures.sort();
    assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2]);
}

#[test]
fn the_truth_is_where_the_picture_differs_from_an_uneventful_one() {
    for kind in AnomalyKind::ALL {
        for seed in [4, 5, 6] {
            let mut scene = Scene::new(with(kind, seed)).unwrap();
            let mut quiet = Scene::new(with(kind, seed)).unwrap().uneventful();
            let truth = scene.truth().unwrap();
            assert!(quiet.truth().is_none());
            assert_eq!(*truth.start(), 20, "{kind} {seed}");
            // Every frame near the borders, some of the others.
            let near = |index: u64| index.abs_diff(20).min(index.abs_diff(*truth.end())) < 4;
            for index in (0..60).filter(|index| index % 6 == 0 || near(*index)) {
                let differs = frame(&mut scene, index) != frame(&mut quiet, index);
                // The first frame of a fall or of a stoop is that of the last step.
                let first_of_staying = kind.stays() && index == *truth.start();
                if !first_of_staying {
                    assert_eq!(
                        differs,
                        truth.contains(&index),
                        "{kind}, seed {seed}, frame {index}, {truth:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_crossing_is_done_when_asked_for_if_its_speed_allows() {
    for kind in [AnomalyKind::Cyclist, AnomalyKind::Vehicle, AnomalyKind::Runner] {
        let anomaly = Some(Anomaly { kind, first_frame: 50, last_frame: 129 });
        let scene = Scene::new(SceneSpec { anomaly, ..SceneSpec::normal(9) }).unwrap();
        assert_eq!(scene.truth(), Some(50..=129), "{kind}");
    }
}

#[test]
fn a_crossing_too_short_for_any_speed_takes_the_time_it_needs() {
    let anomaly = Some(Anomaly { kind: AnomalyKind::Vehicle, first_frame: 50, last_frame: 52 });
    let truth = Scene::new(SceneSpec { anomaly, ..SceneSpec::normal(9) }).unwrap().truth().unwrap();
    assert!(*truth.start() == 50 && *truth.end() > 58, "{truth:?}");
}

#[test]
fn what_stays_is_true_up_to_the_end() {
    for kind in [AnomalyKind::Fall, AnomalyKind::LeftObject] {
        assert_eq!(Scene::new(with(kind, 1)).unwrap().truth(), Some(20..=59));
    }
}

#[test]
fn an_anomaly_changes_much_of_the_picture() {
    for (kind, least_px) in
        [(AnomalyKind::Cyclist, 500), (AnomalyKind::Vehicle, 2500), (AnomalyKind::Runner, 350)]
    {
        let anomaly = Some(Anomaly { kind, first_frame: 50, last_frame: 129 });
        let spec = SceneSpec { anomaly, ..SceneSpec::normal(21) };
        let mut scene = Scene::new(spec.clone()).unwrap();
        let mut quiet = Scene::new(spec).unwrap().uneventful();
        let (with, without) = (frame(&mut scene, 90), frame(&mut quiet, 90));
        let pairs = with.chunks_exact(3).zip(without.chunks_exact(3));
        let changed = pairs.filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > 20)).count();
        assert!(changed >= least_px, "{kind}: {changed} pixels");
    }
}

#[test]
fn an_empty_street_is_no_error() {
    let mut scene = Scene::new(SceneSpec { walkers: Some(0.0), ..small(2) }).unwrap();
    assert_eq!(frame(&mut scene, 59).len(), 160 * 120 * 3);
}

#[test]
fn bad_specs_are_refused_with_the_value_and_the_range() {
    let base = small(1);
    let anomaly =
        |first_frame, last_frame| Some(Anomaly { kind: AnomalyKind::Runner, first_frame, last_frame });
    let cases = [
        (SceneSpec { width_px: 63, ..base.clone() }, "width_px = 63: give an even number from 64 to 2048"),
        (SceneSpec { height_px: 4096, ..base.clone() }, "height_px = 4096"),
        (SceneSpec { frame_rate_hz: 0.0, ..base.clone() }, "frame_rate_hz = 0: give 1 to 60"),
        (SceneSpec { frames: 0, ..base.clone() }, "frames = 0"),
        (SceneSpec { walkers: Some(f32::NAN), ..base.clone() }, "walkers = NaN"),
        (SceneSpec { anomaly: anomaly(30, 20), ..base.clone() }, "from frame 30 to 20"),
        (SceneSpec { anomaly: anomaly(30, 60), ..base.clone() }, "0..60"),
    ];
    for (spec, says) in cases {
        let Err(error) = Scene::new(spec) else { panic!("accepted: {says}") };
        assert!(error.to_string().contains(says), "{error}");
    }
    let mut rgb = Vec::new();
    let error = Scene::new(base).unwrap().render(60, &mut rgb).unwrap_err();
    assert_eq!(error, SceneError::NoSuchFrame { frame: 60, frames: 60 });
    assert!("bike".parse::<AnomalyKind>().unwrap_err().to_string().contains("left-object"));
}
