//! Scores in order, with equal scores together: what every rank metric and curve is computed from.

/// A score: `f32` or `f64`. Higher means more anomalous.
pub trait Score: Copy {
    /// The score as `f64`, exactly.
    fn to_f64(self) -> f64;
}

impl Score for f32 {
    fn to_f64(self) -> f64 {
        self.into()
    }
}

impl Score for f64 {
    fn to_f64(self) -> f64 {
        self
    }
}

/// Scores of abnormal and of normal frames, each sorted. Sorting them apart keeps the elements one word wide.
pub(crate) struct Ranking {
    abnormal: Vec<u64>,
    normal: Vec<u64>,
}

/// The frames that share one score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Group {
    pub score: f64,
    pub abnormal: u64,
    pub normal: u64,
}

impl Ranking {
    /// `None` when the lengths differ or a score is NaN. O(n log n).
    pub fn new<S: Score>(scores: &[S], labels: &[bool]) -> Option<Self> {
        if scores.len() != labels.len() {
            return None;
        }
        let abnormal_frames = labels.iter().filter(|&&label| label).count();
        let mut abnormal = Vec::with_capacity(abnormal_frames);
        let mut normal = Vec::with_capacity(labels.len() - abnormal_frames);
        for (score, &label) in scores.iter().zip(labels) {
            let key = ordered_key(score.to_f64())?;
            if label { &mut abnormal } else { &mut normal }.push(key);
        }
        abnormal.sort_unstable();
        normal.sort_unstable();
        Some(Self { abnormal, normal })
    }

    pub fn abnormal(&self) -> u64 {
        self.abnormal.len() as u64
    }

    pub fn normal(&self) -> u64 {
        self.normal.len() as u64
    }

    /// Groups of equal scores, highest score first.
    pub fn groups(&self) -> Groups<'_> {
        Groups { abnormal: &self.abnormal, normal: &self.normal }
    }
}

pub(crate) struct Groups<'a> {
    abnormal: &'a [u64],
    normal: &'a [u64],
}

impl Iterator for Groups<'_> {
    type Item = Group;

    fn next(&mut self) -> Option<Group> {
        let key = self.abnormal.last().max(self.normal.last()).copied()?;
        Some(Group {
            score: score_of(key),
            abnormal: pop_equal(&mut self.abnormal, key),
            normal: pop_equal(&mut self.normal, key),
        })
    }
}

fn pop_equal(keys: &mut &[u64], key: u64) -> u64 {
    let mut popped = 0;
    while let Some((&last, rest)) = keys.split_last() {
        if last != key {
            break;
        }
        *keys = rest;
        popped += 1;
    }
    popped
}

const SIGN: u64 = 1 << 63;

/// An integer that sorts as the score does; `None` for NaN. Both zeros are one score.
pub(crate) fn ordered_key(score: f64) -> Option<u64> {
    if score.is_nan() {
        return None;
    }
    let bits = (score + 0.0).to_bits();
    Some(if bits & SIGN == 0 { bits | SIGN } else { !bits })
}

fn score_of(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_scores_do_and_come_back() {
        let scores = [f64::NEG_INFINITY, -2.5, -1e-300, 0.0, 1e-300, 0.5, 1.0, f64::INFINITY];
        let keys: Vec<u64> = scores.iter().map(|&s| ordered_key(s).unwrap()).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        for (score, key) in scores.iter().zip(keys) {
            assert_eq!(score_of(key), *score);
        }
        assert_eq!(ordered_key(-0.0), ordered_key(0.0));
        assert_eq!(ordered_key(f64::NAN), None);
    }

    #[test]
    fn equal_scores_form_one_group() {
        let ranking = Ranking::new(&[0.5_f32, 0.25, 0.5, 0.5], &[true, false, false, true]).unwrap();
        let groups: Vec<Group> = ranking.groups().collect();
        assert_eq!(
            groups,
            [Group { score: 0.5, abnormal: 2, normal: 1 }, Group { score: 0.25, abnormal: 0, normal: 1 }]
        );
    }
}
