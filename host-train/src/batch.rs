//! Which clips one training step looks at, as a pure function of data, seed and step.

use rand::seq::SliceRandom;
use vad_data::Label;

use crate::bag::BagSet;
use crate::rng::{Purpose, stream};
use crate::sampling::{Shift, SubBags};

/// How batches are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSpec {
    /// Seed of all draws.
    pub seed: u64,
    /// Abnormal videos per step, and as many normal ones.
    pub pairs: usize,
    /// Sub-bags drawn from each video.
    pub sub_bags: SubBags,
    /// How sub-bags are shifted.
    pub shift: Shift,
}

/// The clips of one step. Bags come normal first, then abnormal, `pairs` of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Rows of [`BagSet::values`] that occur, each once, ascending.
    pub distinct_rows: Vec<usize>,
    /// For every drawn clip its position in `distinct_rows`: `[2 * pairs, L * T]`.
    pub occurrences: Vec<usize>,
}

/// Draws batches from one set of bags.
#[derive(Clone, Debug)]
pub struct BatchPlan<'a> {
    bags: &'a BagSet,
    spec: BatchSpec,
    normal: Vec<usize>,
    abnormal: Vec<usize>,
}

impl<'a> BatchPlan<'a> {
    /// Both labels must occur in `bags`, which [`crate::bag::TrainingSet`] ensures; else batches are empty.
    pub fn new(bags: &'a BagSet, spec: BatchSpec) -> Self {
        Self {
            bags,
            spec,
            normal: bags.with_label(Label::Normal),
            abnormal: bags.with_label(Label::Abnormal),
        }
    }

    /// The batch of a step, counted from 0. Each label's videos come in a fresh random order every epoch.
    pub fn batch(&self, step: u64) -> Batch {
        let mut rng = stream(self.spec.seed, Purpose::Sampling, step);
        let mut rows = Vec::with_capacity(2 * self.spec.pairs * self.spec.sub_bags.len());
        for (members, purpose) in
            [(&self.normal, Purpose::NormalOrder), (&self.abnormal, Purpose::AbnormalOrder)]
        {
            for index in videos(members, purpose, self.spec.seed, self.spec.pairs, step) {
                let bag = &self.bags.bags[index];
                let shifts = self.spec.sub_bags.draw_shifts(bag.clips, self.spec.shift, &mut rng);
                let clips = self.spec.sub_bags.indices(bag.clips, &shifts);
                rows.extend(clips.into_iter().map(|clip| bag.first_row + clip));
            }
        }
        dedupe(&rows, self.bags.rows())
    }
}

/// The videos of one label that a step looks at: `pairs` of `members`, which come in a fresh random order every epoch.
/// Nothing when there are no members.
pub fn videos(members: &[usize], purpose: Purpose, seed: u64, pairs: usize, step: u64) -> Vec<usize> {
    let count = members.len() as u64;
    if count == 0 {
        return Vec::new();
    }
    let first = step * pairs as u64;
    let mut order: (u64, Vec<usize>) = (u64::MAX, Vec::new());
    let mut chosen = Vec::with_capacity(pairs);
    for position in first..first + pairs as u64 {
        let epoch = position / count;
        if order.0 != epoch {
            order = (epoch, shuffled(members, purpose, seed, epoch));
        }
        chosen.push(order.1[(position % count) as usize]);
    }
    chosen
}

fn shuffled(members: &[usize], purpose: Purpose, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order = members.to_vec();
    order.shuffle(&mut stream(seed, purpose, epoch));
    order
}

fn dedupe(rows: &[usize], all_rows: usize) -> Batch {
    let mut position = vec![usize::MAX; all_rows];
    for row in rows {
        position[*row] = 0;
    }
    let distinct_rows: Vec<usize> = (0..all_rows).filter(|row| position[*row] == 0).collect();
    for (index, row) in distinct_rows.iter().enumerate() {
        position[*row] = index;
    }
    Batch { occurrences: rows.iter().map(|row| position[*row]).collect(), distinct_rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bags(lengths: &[(Label, usize)]) -> BagSet {
        let mut set = BagSet::default();
        for (index, (label, clips)) in lengths.iter().enumerate() {
            set.push(&index.to_string(), *label, 1, &vec![0.5; *clips]).unwrap();
        }
        set
    }

    fn spec(pairs: usize) -> BatchSpec {
        let sub_bags = SubBags { segments: 4, clips_per_segment: 3 };
        BatchSpec { seed: 3, pairs, sub_bags, shift: Shift::Random }
    }

    #[test]
    fn normal_bags_come_first_and_every_video_comes_once_per_epoch() {
        use Label::{Abnormal, Normal};
        let set = bags(&[(Abnormal, 5), (Normal, 1), (Normal, 40), (Abnormal, 2), (Normal, 7)]);
        let plan = BatchPlan::new(&set, spec(3));
        let mut seen = vec![0; set.bags.len()];
        for step in 0..4 {
            let batch = plan.batch(step);
            assert_eq!(batch.occurrences.len(), 6 * 12);
            for (index, clips) in batch.occurrences.chunks(12).enumerate() {
                let row = batch.distinct_rows[clips[0]];
                let bag = set
                    .bags
                    .iter()
                    .position(|b| (b.first_row..b.first_row + b.clips).contains(&row))
                    .unwrap();
                assert_eq!(set.bags[bag].label == Normal, index < 3);
                seen[bag] += 1;
            }
        }
        // 4 steps of 3: four epochs of the three normal videos, six of the two abnormal ones.
        assert_eq!(seen, [6, 4, 4, 6, 4]);
    }

    #[test]
    fn batches_depend_on_the_step_alone() {
        let set = bags(&[(Label::Abnormal, 90), (Label::Normal, 80)]);
        let plan = BatchPlan::new(&set, spec(2));
        assert_eq!(plan.batch(5), plan.batch(5));
        assert_ne!(plan.batch(5), plan.batch(6));
    }
}
