//! Epochs, batches and steps: which batches make up a step, and what learns in it.

use std::ops::Range;

use crate::recipe::mist_stage2_config::Stage2Config;

/// The course of one fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    epochs: u64,
    /// At least 1.
    batches_per_epoch: u64,
    /// At least 1.
    batches_per_step: u64,
}

impl Schedule {
    /// As released, an epoch ends when the less frequent kind of video does not fill another batch; it has at least one batch.
    pub fn new(config: &Stage2Config, normal: usize, abnormal: usize) -> Self {
        Self {
            epochs: config.epochs.into(),
            batches_per_epoch: (normal.min(abnormal) / config.videos.max(1)).max(1) as u64,
            batches_per_step: u64::from(config.batches_per_step).max(1),
        }
    }

    fn steps_per_epoch(self) -> u64 {
        self.batches_per_epoch.div_ceil(self.batches_per_step)
    }

    /// Steps in all.
    pub fn steps(self) -> u64 {
        self.epochs * self.steps_per_epoch()
    }

    /// The epoch of a step; both count from 0.
    pub fn epoch_of(self, step: u64) -> u32 {
        (step / self.steps_per_epoch()) as u32
    }

    /// Whether an epoch ends with this step.
    pub fn ends_epoch(self, step: u64) -> bool {
        (step + 1).is_multiple_of(self.steps_per_epoch())
    }

    /// The batches of a step. The last step of an epoch may have fewer than the others.
    pub fn batches_of(self, step: u64) -> Range<u64> {
        let epoch = step / self.steps_per_epoch();
        let first = step % self.steps_per_epoch() * self.batches_per_step;
        let end = (first + self.batches_per_step).min(self.batches_per_epoch);
        let before = epoch * self.batches_per_epoch;
        before + first..before + end
    }

    /// The batches from a step to the end.
    pub fn batches_from(self, step: u64) -> Range<u64> {
        self.batches_of(step).start..self.epochs * self.batches_per_epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_run_on_shanghaitech_has_six_batches_and_two_steps_in_an_epoch() {
        let config = Stage2Config { epochs: 300, videos: 10, batches_per_step: 3, ..Stage2Config::default() };
        let schedule = Schedule::new(&config, 175, 63);
        assert_eq!((schedule.batches_per_epoch, schedule.steps()), (6, 600));
        assert_eq!(schedule.batches_of(3), 9..12);
        assert_eq!([schedule.epoch_of(1), schedule.epoch_of(2)], [0, 1]);
    }

    proptest! {
        #[test]
        fn every_batch_belongs_to_one_step(
            epochs in 1_u32..9, videos in 1_usize..6, per_step in 1_u32..5, normal in 1_usize..30, abnormal in 1_usize..30,
        ) {
            let config = Stage2Config { epochs, videos, batches_per_step: per_step, ..Stage2Config::default() };
            let schedule = Schedule::new(&config, normal, abnormal);
            let batches: Vec<u64> = (0..schedule.steps()).flat_map(|step| schedule.batches_of(step)).collect();
            prop_assert_eq!(batches.clone(), (0..batches.len() as u64).collect::<Vec<_>>());
            prop_assert_eq!(schedule.batches_from(0), 0..batches.len() as u64);
            prop_assert_eq!(schedule.epoch_of(schedule.steps() - 1), epochs - 1);
            prop_assert!(schedule.ends_epoch(schedule.steps() - 1));
        }
    }
}
