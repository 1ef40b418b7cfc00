//! Features in which something happens.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vad_data::Label;
use watchpost::bag::BagSet;
use watchpost::tensors::{Arrays, encode};

/// Videos of 1 to 29 clips, every second one abnormal: there a quarter of the clips (at least one, the first ones) are
/// moved by `shift` in four dimensions.
pub fn bags(videos: usize, crops: usize, dim: usize, shift: f32, seed: u64) -> BagSet {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut set = BagSet::with_crops(crops);
    for video in 0..videos {
        let label = if video % 2 == 0 { Label::Normal } else { Label::Abnormal };
        let clips = rng.random_range(1..30_usize);
        let mut values: Vec<f32> = (0..clips * crops * dim).map(|_| rng.random::<f32>()).collect();
        if label == Label::Abnormal {
            for row in values.chunks_exact_mut(dim).take(clips.div_ceil(4) * crops) {
                row[..4].iter_mut().for_each(|value| *value += shift);
            }
        }
        set.push(&format!("video{video:03}"), label, dim, &values).unwrap();
    }
    set
}

pub fn bytes(arrays: &Arrays) -> Vec<u8> {
    encode(arrays, None).unwrap()
}

pub fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

/// Mean scores of the clips that were shifted and of those that were not; every clip has a score within 0..=1.
pub fn shifted_and_plain(set: &BagSet, scores: &[Vec<f32>]) -> [f32; 2] {
    let (mut shifted, mut plain) = (Vec::new(), Vec::new());
    for (bag, scores) in set.bags.iter().zip(scores) {
        assert_eq!(scores.len(), bag.clips);
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
        let abnormal = if bag.label == Label::Abnormal { bag.clips.div_ceil(4) } else { 0 };
        shifted.extend_from_slice(&scores[..abnormal]);
        plain.extend_from_slice(&scores[abnormal..]);
    }
    [mean(&shifted), mean(&plain)]
}
