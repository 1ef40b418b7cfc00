//! Training, validation and test videos as distinct types.
//!
//! A function that takes a `&Split<Train>` cannot be handed test videos:
//!
//! ```compile_fail
//! fn train(_: &vad_data::Split<vad_data::Train>) {}
//! fn misuse(splits: &vad_data::Splits) {
//!     train(&splits.test);
//! }
//! ```
//!
//! ```
//! fn train(_: &vad_data::Split<vad_data::Train>) {}
//! fn proper_use(splits: &vad_data::Splits) {
//!     train(&splits.train);
//! }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::{DataError, Label, Manifest, VideoEntry};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Train {}
    impl Sealed for super::Val {}
    impl Sealed for super::Test {}
}

/// What the videos of a split are for; nobody else can add a kind.
pub trait SplitKind: sealed::Sealed {
    /// Name in messages and reports.
    const NAME: &'static str;
}

/// Videos to learn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Train {}
/// Videos to choose checkpoints and thresholds by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Val {}
/// Videos to report figures on, and for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {}

impl SplitKind for Train {
    const NAME: &'static str = "train";
}
impl SplitKind for Val {
    const NAME: &'static str = "val";
}
impl SplitKind for Test {
    const NAME: &'static str = "test";
}

/// Videos of one kind, sorted by id. Only [`Splits`] makes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<K> {
    entries: Vec<VideoEntry>,
    kind: PhantomData<K>,
}

impl<K: SplitKind> Split<K> {
    fn new(mut entries: Vec<VideoEntry>) -> Self {
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        Self { entries, kind: PhantomData }
    }

    /// The videos, sorted by id.
    #[must_use]
    pub fn entries(&self) -> &[VideoEntry] {
        &self.entries
    }

    /// Number of videos.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without videos.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Videos of one label.
    pub fn of(&self, label: Label) -> impl Iterator<Item = &VideoEntry> {
        self.entries.iter().filter(move |entry| entry.label == label)
    }

    /// Ids, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.id.as_str())
    }

    /// `train`, `val` or `test`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        K::NAME
    }
}

/// How many videos a split gets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Quota {
    /// This many of each label.
    Videos {
        /// Normal videos.
        normal: usize,
        /// Abnormal videos.
        abnormal: usize,
    },
    /// This share of each label's videos, 0 to 1, rounded; above 0 it gets at least one while any are left.
    Share(f64),
    /// What the others leave. At most one split of a plan may have it.
    Rest,
}

impl Quota {
    /// No videos.
    pub const NONE: Self = Self::Videos { normal: 0, abnormal: 0 };
}

/// How to part a manifest. Train draws first, then val, then test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitPlan {
    /// Videos to learn from.
    pub train: Quota,
    /// Videos to choose by.
    pub val: Quota,
    /// Videos to report on.
    pub test: Quota,
}

/// Splits by id, for run records and published lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitIds {
    /// Ids to learn from.
    pub train: Vec<String>,
    /// Ids to choose by.
    pub val: Vec<String>,
    /// Ids to report on.
    pub test: Vec<String>,
}

/// A manifest parted without overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splits {
    /// Videos to learn from: at least one of each label.
    pub train: Split<Train>,
    /// Videos to choose by.
    pub val: Split<Val>,
    /// Videos to report on.
    pub test: Split<Test>,
    /// Ids of videos in none of the three, sorted.
    pub unused: Vec<String>,
}

impl Splits {
    /// Draws splits for each label on its own (stratified). The result depends on the set of ids and labels, the plan
    /// and the seed, and on nothing else: not on the order of the label file, nor on the machine.
    ///
    /// # Errors
    /// More videos asked for than there are, a share outside 0 to 1, two rests, or no training video of some label.
    pub fn draw(manifest: &Manifest, plan: &SplitPlan, seed: u64) -> Result<Self, DataError> {
        Self::draw_from(manifest.entries(), plan, seed)
    }

    fn draw_from(entries: &[VideoEntry], plan: &SplitPlan, seed: u64) -> Result<Self, DataError> {
        check_plan(plan)?;
        let mut parts: [Vec<VideoEntry>; 4] = Default::default();
        for label in Label::ALL {
            let mut pool: Vec<&VideoEntry> = entries.iter().filter(|entry| entry.label == label).collect();
            pool.sort_by(|a, b| a.id.cmp(&b.id));
            shuffle(&mut pool, label_rng(seed, label));
            let counts = plan_counts(plan, label, pool.len())?;
            let mut left = pool.into_iter().cloned();
            for (part, count) in parts.iter_mut().zip(counts) {
                part.extend(left.by_ref().take(count));
            }
            parts[3].extend(left);
        }
        let [train, val, test, unused] = parts;
        Self::assemble(train, val, test, unused)
    }

    /// Splits given by id.
    ///
    /// # Errors
    /// An id that the manifest lacks, an id that stands twice (in one list or in two), or no training video of some
    /// label.
    pub fn from_ids(manifest: &Manifest, ids: &SplitIds) -> Result<Self, DataError> {
        let by_id: BTreeMap<&str, &VideoEntry> =
            manifest.entries().iter().map(|entry| (entry.id.as_str(), entry)).collect();
        let mut taken = BTreeMap::new();
        let train = pick(&by_id, &ids.train, Train::NAME, &mut taken)?;
        let val = pick(&by_id, &ids.val, Val::NAME, &mut taken)?;
        let test = pick(&by_id, &ids.test, Test::NAME, &mut taken)?;
        let unused = by_id
            .iter()
            .filter(|(id, _)| !taken.contains_key(*id))
            .map(|(_, &entry)| entry.clone())
            .collect();
        Self::assemble(train, val, test, unused)
    }

    /// A published split: the test videos are those of `test` and no others; of the videos of `train` the share `val` of
    /// each label, 0 to 1, is drawn for choosing by, as [`Splits::draw`] does.
    ///
    /// # Errors
    /// As [`Splits::from_ids`] and [`Splits::draw`].
    pub fn official(
        manifest: &Manifest,
        train: &[String],
        test: &[String],
        val: f64,
        seed: u64,
    ) -> Result<Self, DataError> {
        let ids = SplitIds { train: train.to_vec(), val: Vec::new(), test: test.to_vec() };
        let published = Self::from_ids(manifest, &ids)?;
        let plan = SplitPlan { train: Quota::Rest, val: Quota::Share(val), test: Quota::NONE };
        let drawn = Self::draw_from(published.train.entries(), &plan, seed)?;
        Ok(Self { test: published.test, unused: published.unused, ..drawn })
    }

    /// The ids, for the record; [`Splits::from_ids`] takes them back.
    #[must_use]
    pub fn ids(&self) -> SplitIds {
        let owned = |id: &str| id.to_owned();
        SplitIds {
            train: self.train.ids().map(owned).collect(),
            val: self.val.ids().map(owned).collect(),
            test: self.test.ids().map(owned).collect(),
        }
    }

    fn assemble(
        train: Vec<VideoEntry>,
        val: Vec<VideoEntry>,
        test: Vec<VideoEntry>,
        unused: Vec<VideoEntry>,
    ) -> Result<Self, DataError> {
        for label in Label::ALL {
            if !train.iter().any(|entry| entry.label == label) {
                return fault(format!(
                    "no {label} video for training; weak labels need videos of both kinds: label more videos or give `train` more"
                ));
            }
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = [&train, &val, &test].into_iter().flatten().find(|entry| !seen.insert(&entry.id))
        {
            return fault(format!(
                "the video `{}` stands in two splits; figures on it would mean nothing",
                twice.id
            ));
        }
        let mut unused: Vec<String> = unused.into_iter().map(|entry| entry.id).collect();
        unused.sort();
        Ok(Self { train: Split::new(train), val: Split::new(val), test: Split::new(test), unused })
    }
}

fn fault<T>(problem: String) -> Result<T, DataError> {
    Err(DataError::Split { problem })
}

fn pick<'a>(
    by_id: &BTreeMap<&'a str, &'a VideoEntry>,
    ids: &'a [String],
    split: &'static str,
    taken: &mut BTreeMap<&'a str, &'static str>,
) -> Result<Vec<VideoEntry>, DataError> {
    let mut entries = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(&entry) = by_id.get(id.as_str()) else {
            let hint = crate::suggest::did_you_mean(id, by_id.keys().copied());
            return fault(format!("`{id}` of `{split}` is not in the label file{hint}"));
        };
        if let Some(before) = taken.insert(id, split) {
            return fault(format!(
                "`{id}` of `{split}` stands in `{before}` already; a video belongs to one split"
            ));
        }
        entries.push(entry.clone());
    }
    Ok(entries)
}

fn check_plan(plan: &SplitPlan) -> Result<(), DataError> {
    let quotas = [plan.train, plan.val, plan.test];
    if quotas.iter().filter(|quota| **quota == Quota::Rest).count() > 1 {
        return fault("two splits ask for the rest; give all but one a number or a share".to_owned());
    }
    let shares =
        quotas.iter().filter_map(|quota| if let Quota::Share(share) = quota { Some(*share) } else { None });
    if let Some(share) = shares.clone().find(|share| !(0.0..=1.0).contains(share)) {
        return fault(format!("a share must be 0 to 1, not {share}"));
    }
    let total: f64 = shares.sum();
    // Shares such as 0.7 + 0.2 + 0.1 sum to slightly more than 1.
    if total > 1.0 + 1e-9 {
        return fault(format!("the shares add up to {total}, more than 1"));
    }
    Ok(())
}

/// Videos of one label for train, val and test.
fn plan_counts(plan: &SplitPlan, label: Label, available: usize) -> Result<[usize; 3], DataError> {
    let mut left = available;
    let mut counts = [0; 3];
    let quotas = [plan.train, plan.val, plan.test];
    for (count, quota) in counts.iter_mut().zip(quotas) {
        *count = match quota {
            Quota::Rest => continue,
            Quota::Videos { normal, abnormal } => {
                if label == Label::Normal {
                    normal
                } else {
                    abnormal
                }
            }
            // At most `available`, so the cast is exact.
            Quota::Share(share) if share > 0.0 => {
                ((share * available as f64).round() as usize).max(1).min(left)
            }
            Quota::Share(_) => 0,
        };
        if *count > left {
            return fault(format!(
                "{count} more {label} videos asked for, but only {left} of {available} are left; ask for fewer or label more"
            ));
        }
        left -= *count;
    }
    if let Some(rest) = quotas.iter().position(|quota| *quota == Quota::Rest) {
        counts[rest] = left;
    }
    Ok(counts)
}

/// An independent stream of random numbers for each label.
fn label_rng(seed: u64, label: Label) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(match label {
        Label::Normal => 0,
        Label::Abnormal => 1,
    });
    rng
}

/// Fisher-Yates, written out so that no library's change of method changes old splits.
fn shuffle<T>(items: &mut [T], mut rng: ChaCha8Rng) {
    for end in (1..items.len()).rev() {
        // A 64-bit draw scaled to 0..=end; below 2^64 by construction, and its bias is below 2^-40 for any real list.
        let at = (u128::from(rng.next_u64()) * (end as u128 + 1)) >> 64;
        items.swap(end, at as usize);
    }
}

#[cfg(test)]
mod tests;
