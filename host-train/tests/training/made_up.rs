//! Features in which something happens.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vad_data::Label;
use watchpost::bag::BagSet;

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
