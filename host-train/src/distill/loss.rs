//! How far the student is from its teacher.
//!
//! - *Feature loss*: the mean of `(p - t)^2` over clips, places and channels, where `p` is the student's projected feature of a
//!   clip in one place of the picture and `t` the teacher's, less its mean in that place over the footage, each channel of
//!   which has deviation 1: 1 says that nothing was learnt, 0 that everything was. Places, not their mean: a small thing that
//!   moves hardly changes the mean, and a clip says sixteen times as much. Less the mean in that place, because what always
//!   stands there is most of what I3D sees, and nothing that an alarm could be about.
//! - *Change loss*: the mean of `((p' - p) - (t' - t))^2` over pairs of a clip and the next of its window, divided by the mean of
//!   `(t' - t)^2` over the footage: what cameras that differ have in common is that things move.
//! - *Relation loss*: the mean of `(cos(s_i, s_j) - cos(t_i, t_j))^2` over pairs of clips of a step, where `s` is the student's own
//!   feature, the mean over places, less its mean over the step. What is alike to the teacher shall be alike to the student,
//!   in the feature that boards keep (after Park et al., "Relational Knowledge Distillation", CVPR 2019, and Tung and Mori,
//!   "Similarity-Preserving Knowledge Distillation", ICCV 2019).

use burn::tensor::Tensor;

/// Keeps lengths of features above 0.
const EPSILON: f32 = 1e-6;

/// The feature loss.
///
/// # Shapes
/// Both `[clips * places, D]`.
pub fn feature_loss(projected: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
    (projected - teacher).square().mean()
}

/// The change loss; 0 for windows of a single clip.
///
/// # Shapes
/// Both `[windows, clips, D]`; `usual` is the mean squared change of the teacher's features.
pub fn change_loss(projected: Tensor<3>, teacher: Tensor<3>, usual: f32) -> Tensor<1> {
    if teacher.dims()[1] < 2 {
        return Tensor::zeros([1], &teacher.device());
    }
    (changes(projected) - changes(teacher)).square().mean() / usual
}

/// From each clip of a window to the next.
fn changes(windows: Tensor<3>) -> Tensor<3> {
    let pairs = windows.dims()[1] - 1;
    windows.clone().narrow(1, 1, pairs) - windows.narrow(1, 0, pairs)
}

/// The relation loss.
///
/// # Shapes
/// `[clips, D]` and `[clips, D']`.
pub fn relation_loss(student: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
    (cosines(student) - cosines(teacher)).square().mean()
}

/// Least variance of a channel that is not held against the student in full, as a share of the usual one.
const LEAST_VARIANCE: f32 = 0.04;

/// Share of the teacher's variance that the student explains, the mean over channels; a channel that hardly varies counts
/// less.
///
/// # Shapes
/// Both `[clips, D]`.
pub fn explained(student: Tensor<2>, teacher: Tensor<2>) -> f32 {
    let column_means = |squares: Tensor<2>| squares.mean_dim(0).into_data().iter::<f32>().collect::<Vec<_>>();
    let missed = column_means((student - teacher.clone()).square());
    let spread = column_means((teacher.clone() - teacher.mean_dim(0)).square());
    let mut sorted = spread.clone();
    sorted.sort_by(f32::total_cmp);
    let usual = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let least = (LEAST_VARIANCE * usual).max(f32::MIN_POSITIVE);
    let shares = missed.iter().zip(&spread).map(|(missed, spread)| 1.0 - missed / spread.max(least));
    shares.sum::<f32>() / missed.len().max(1) as f32
}

/// The cosine between each pair of rows, less their mean.
fn cosines(rows: Tensor<2>) -> Tensor<2> {
    let rows = rows.clone() - rows.mean_dim(0);
    let length = (rows.clone().square().sum_dim(1) + EPSILON).sqrt();
    let rows = rows / length;
    rows.clone().matmul(rows.transpose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn rows<const N: usize, const D: usize>(values: [[f32; D]; N]) -> Tensor<2> {
        Tensor::from_data(TensorData::from(values), &Device::flex())
    }

    #[test]
    fn a_student_that_repeats_its_teacher_in_another_scale_is_right() {
        let teacher = rows([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]]);
        let moved = teacher.clone() * 3.0 + 5.0;
        assert!(relation_loss(moved.clone(), teacher.clone()).into_scalar::<f32>() < 1e-8);
        assert!(feature_loss(moved, teacher).into_scalar::<f32>() > 1.0);
    }

    #[test]
    fn a_channel_counts_for_its_share_of_variance_and_not_for_its_size() {
        let teacher = rows([[1.0, 4.0], [-1.0, -4.0]]);
        assert_eq!(explained(teacher.clone(), teacher.clone()), 1.0);
        // All of the small channel, nothing of the large one.
        let half = rows([[1.0, 0.0], [-1.0, 0.0]]);
        assert_eq!(explained(half, teacher.clone()), 0.5);
        assert_eq!(explained(teacher.clone() * 0.0, teacher), 0.0);
    }

    #[test]
    fn a_change_is_what_counts_and_not_where_it_begins() {
        let window = |values: [[f32; 2]; 3]| rows(values).reshape([1, 3, 2]);
        let teacher = window([[0.0, 1.0], [2.0, 1.0], [2.0, 4.0]]);
        let elsewhere = teacher.clone() + 7.0;
        assert!(change_loss(elsewhere, teacher.clone(), 1.0).into_scalar::<f32>() < 1e-8);
        // Changes of (2, 0) and (0, 3), of which nothing is seen, are 13 / 4 on average.
        let still = teacher.clone() * 0.0;
        assert_eq!(change_loss(still, teacher.clone(), 3.25).into_scalar::<f32>(), 1.0);
        let single = |window: Tensor<3>| window.narrow(1, 0, 1);
        assert_eq!(change_loss(single(teacher.clone()), single(teacher), 1.0).into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn values_worked_out_by_hand() {
        // Rows less their mean: (1, 0), (-1, 0) against (0, 1), (0, -1): the same relations; against equal rows, none.
        let one = rows([[2.0, 1.0], [0.0, 1.0]]);
        let other = rows([[1.0, 2.0], [1.0, 0.0]]);
        assert!(relation_loss(one.clone(), other.clone()).into_scalar::<f32>() < 1e-8);
        let equal = rows([[1.0, 1.0], [1.0, 1.0]]);
        assert!((relation_loss(one.clone(), equal).into_scalar::<f32>() - 1.0).abs() < 1e-5);
        // ((2 - 1)^2 + (1 - 2)^2 + (0 - 1)^2 + (1 - 0)^2) / 4
        assert_eq!(feature_loss(one, other).into_scalar::<f32>(), 1.0);
    }
}
