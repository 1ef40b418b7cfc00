//! Exact t-SNE (van der Maaten and Hinton, JMLR 2008): a picture of points that keeps neighbours together.
//!
//! ```text
//! p_j|i  = exp(-|x_i - x_j|^2 / 2 s_i^2) / sum_k              s_i such that 2^entropy is the perplexity
//! p_ij   = (p_j|i + p_i|j) / 2n
//! q_ij   = (1 + |y_i - y_j|^2)^-1 / sum over all pairs
//! dC/dy_i = 4 sum_j (p_ij - q_ij) (y_i - y_j) (1 + |y_i - y_j|^2)^-1
//! ```
//!
//! Gradient descent with momentum and gains as the authors give them, early exaggeration, and the step size of later
//! practice. Time and memory grow with the square of the points; [`MOST_POINTS`] keep both small. One thread and one order
//! of sums: the same input and seed give the same picture.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Points above which nothing is computed: a few seconds, and 18 MB.
pub const MOST_POINTS: usize = 1500;

/// Fewer points have no neighbourhoods worth a picture.
const LEAST_POINTS: usize = 4;
/// Factor on all p in the first part, so that groups form before they settle.
const EXAGGERATION: f64 = 12.0;
/// Steps with exaggeration and low momentum.
const EARLY_STEPS: u32 = 250;
const MOMENTUM: (f64, f64) = (0.5, 0.8);
const LEAST_STEP_SIZE: f64 = 50.0;
const LEAST_GAIN: f64 = 0.01;
/// Deviation of the first positions.
const START_DEVIATION: f64 = 1e-4;
/// Halvings in search of a point's deviation: more than an `f64` can tell apart.
const HALVINGS: usize = 64;

/// How the picture is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tsne {
    /// Neighbours that a point minds, about; lowered to a third of the points where there are few.
    pub perplexity: f64,
    /// Steps of descent.
    pub steps: u32,
    /// Decides the first positions.
    pub seed: u64,
}

impl Default for Tsne {
    fn default() -> Self {
        Self { perplexity: 30.0, steps: 750, seed: 1 }
    }
}

/// The position of each row of a table `[points, dim]`. `None` for fewer than 4 or more than [`MOST_POINTS`] points, for a
/// table that is not rectangular, and for values that are not finite.
pub fn tsne(values: &[f32], dim: usize, how: Tsne) -> Option<Vec<[f64; 2]>> {
    let points = values.len().checked_div(dim)?;
    let fits = (LEAST_POINTS..=MOST_POINTS).contains(&points) && points * dim == values.len();
    if !fits || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let likeness = joint(&squared_distances(values, dim, points), points, how.perplexity);
    let mut descent = Descent::new(points, how.seed);
    for step in 0..how.steps {
        descent.step(&likeness, step);
    }
    Some(descent.places)
}

/// `[points, points]`, in units of their mean, so that no scale of features overflows.
fn squared_distances(values: &[f32], dim: usize, points: usize) -> Vec<f64> {
    let row = |point: usize| &values[point * dim..(point + 1) * dim];
    let mut table = vec![0.0; points * points];
    for i in 0..points {
        for j in 0..i {
            let pairs = row(i).iter().zip(row(j));
            let distance: f64 = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
            table[i * points + j] = distance;
            table[j * points + i] = distance;
        }
    }
    let mean = table.iter().sum::<f64>() / table.len() as f64;
    if mean > 0.0 {
        table.iter_mut().for_each(|distance| *distance /= mean);
    }
    table
}

/// The p of all pairs, `[points, points]`; they sum to 1.
fn joint(distances: &[f64], points: usize, perplexity: f64) -> Vec<f64> {
    let entropy = perplexity.min((points - 1) as f64 / 3.0).max(1.0).ln();
    let mut given: Vec<f64> = Vec::with_capacity(points * points);
    for (point, row) in distances.chunks_exact(points).enumerate() {
        given.extend(conditional(row, point, entropy));
    }
    let share = 1.0 / (2 * points) as f64;
    let both = |i: usize, j: usize| (given[i * points + j] + given[j * points + i]) * share;
    (0..points * points).map(|at| both(at / points, at % points)).collect()
}

/// The p of all points given one of them, whose entropy is as asked for.
fn conditional(distances: &[f64], point: usize, entropy: f64) -> Vec<f64> {
    let nearest = distances.iter().enumerate().filter(|(other, _)| *other != point).map(|(_, d)| *d);
    let nearest = nearest.fold(f64::INFINITY, f64::min);
    let (mut low, mut high, mut precision) = (0.0, f64::INFINITY, 1.0);
    let mut shares = Vec::new();
    for _ in 0..HALVINGS {
        let found;
        (shares, found) = with_precision(distances, point, nearest, precision);
        if found > entropy {
            low = precision;
            precision = if high.is_finite() { f64::midpoint(low, high) } else { precision * 2.0 };
        } else {
            high = precision;
            precision = f64::midpoint(low, high);
        }
    }
    shares
}

/// Shares `exp(-precision * distance)`, normalised, and their entropy.
fn with_precision(distances: &[f64], point: usize, nearest: f64, precision: f64) -> (Vec<f64>, f64) {
    let excess = |distance: f64| distance - nearest;
    let weight = |(other, distance): (usize, &f64)| match other == point {
        true => 0.0,
        false => (-precision * excess(*distance)).exp(),
    };
    let mut shares: Vec<f64> = distances.iter().enumerate().map(weight).collect();
    let sum: f64 = shares.iter().sum();
    let weighted: f64 = shares.iter().zip(distances).map(|(share, d)| share * excess(*d).max(0.0)).sum();
    shares.iter_mut().for_each(|share| *share /= sum);
    (shares, sum.ln() + precision * weighted / sum)
}

/// Positions on their way.
struct Descent {
    places: Vec<[f64; 2]>,
    speeds: Vec<[f64; 2]>,
    gains: Vec<[f64; 2]>,
    step_size: f64,
}

impl Descent {
    fn new(points: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            places: (0..points).map(|_| normal_pair(&mut rng).map(|value| value * START_DEVIATION)).collect(),
            speeds: vec![[0.0; 2]; points],
            gains: vec![[1.0; 2]; points],
            step_size: (points as f64 / EXAGGERATION / 4.0).max(LEAST_STEP_SIZE),
        }
    }

    fn step(&mut self, likeness: &[f64], step: u32) {
        let early = step < EARLY_STEPS;
        let (exaggeration, momentum) = if early { (EXAGGERATION, MOMENTUM.0) } else { (1.0, MOMENTUM.1) };
        let slopes = gradient(&self.places, likeness, exaggeration);
        for (((place, speed), gain), slope) in
            self.places.iter_mut().zip(&mut self.speeds).zip(&mut self.gains).zip(slopes)
        {
            for axis in 0..2 {
                let uphill = (slope[axis] > 0.0) == (speed[axis] > 0.0);
                gain[axis] = if uphill { gain[axis] * 0.8 } else { gain[axis] + 0.2 }.max(LEAST_GAIN);
                speed[axis] = momentum * speed[axis] - self.step_size * gain[axis] * slope[axis];
                place[axis] += speed[axis];
            }
        }
        self.centre();
    }

    fn centre(&mut self) {
        let count = self.places.len() as f64;
        for axis in 0..2 {
            let mean = self.places.iter().map(|place| place[axis]).sum::<f64>() / count;
            self.places.iter_mut().for_each(|place| place[axis] -= mean);
        }
    }
}

/// The slope of the divergence at every place, with all p times `exaggeration`.
fn gradient(places: &[[f64; 2]], likeness: &[f64], exaggeration: f64) -> Vec<[f64; 2]> {
    let (mut attraction, mut repulsion) =
        (vec![[0.0_f64; 2]; places.len()], vec![[0.0_f64; 2]; places.len()]);
    let mut sum = 0.0;
    for (i, row) in likeness.chunks_exact(places.len()).enumerate() {
        let (mut pull, mut push) = ([0.0; 2], [0.0; 2]);
        for j in 0..i {
            let (dx, dy) = (places[i][0] - places[j][0], places[i][1] - places[j][1]);
            let near = 1.0 / (1.0 + dx * dx + dy * dy);
            sum += 2.0 * near;
            let (p, q) = (row[j] * near, near * near);
            pull = [pull[0] + p * dx, pull[1] + p * dy];
            push = [push[0] + q * dx, push[1] + q * dy];
            attraction[j] = [attraction[j][0] - p * dx, attraction[j][1] - p * dy];
            repulsion[j] = [repulsion[j][0] - q * dx, repulsion[j][1] - q * dy];
        }
        attraction[i] = [attraction[i][0] + pull[0], attraction[i][1] + pull[1]];
        repulsion[i] = [repulsion[i][0] + push[0], repulsion[i][1] + push[1]];
    }
    let slope = |(pull, push): (&[f64; 2], &[f64; 2])| {
        [0, 1].map(|axis| 4.0 * (exaggeration * pull[axis] - push[axis] / sum))
    };
    attraction.iter().zip(&repulsion).map(slope).collect()
}

/// Two normal deviates by Box and Muller.
fn normal_pair(rng: &mut ChaCha8Rng) -> [f64; 2] {
    // 53 bits, above 0 and up to 1.
    let mut uniform = || ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let radius = (-2.0 * uniform().ln()).sqrt();
    let (sine, cosine) = (std::f64::consts::TAU * uniform()).sin_cos();
    [radius * cosine, radius * sine]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two groups in eight dimensions, first and last half of the points, `apart` from each other.
    fn groups(points: usize, apart: f32) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        (0..points)
            .flat_map(|point| {
                let shift = if point < points / 2 { 0.0 } else { apart };
                let pairs: Vec<f32> = (0..4).flat_map(|_| normal_pair(&mut rng)).map(|v| v as f32).collect();
                pairs.into_iter().map(move |value| value + shift)
            })
            .collect()
    }

    fn divergence(places: &[[f64; 2]], likeness: &[f64]) -> f64 {
        let n = places.len();
        let near = |i: usize, j: usize| {
            1.0 / (1.0 + (places[i][0] - places[j][0]).powi(2) + (places[i][1] - places[j][1]).powi(2))
        };
        let pairs: Vec<(usize, usize)> =
            (0..n * n).map(|at| (at / n, at % n)).filter(|(i, j)| i != j).collect();
        let sum: f64 = pairs.iter().map(|&(i, j)| near(i, j)).sum();
        pairs.iter().map(|&(i, j)| likeness[i * n + j] * (likeness[i * n + j] * sum / near(i, j)).ln()).sum()
    }

    #[test]
    fn the_slope_is_that_of_the_divergence() {
        let likeness = joint(&squared_distances(&groups(12, 2.0), 8, 12), 12, 3.0);
        assert!((likeness.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let places: Vec<[f64; 2]> = (0..12).map(|_| normal_pair(&mut rng)).collect();
        let slopes = gradient(&places, &likeness, 1.0);
        for point in 0..12 {
            for axis in 0..2 {
                let moved = |by: f64| {
                    let mut places = places.clone();
                    places[point][axis] += by;
                    divergence(&places, &likeness)
                };
                let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((slopes[point][axis] - numeric).abs() < 1e-8, "{} {numeric}", slopes[point][axis]);
            }
        }
    }

    #[test]
    fn every_point_minds_as_many_others_as_the_perplexity_says() {
        let distances = squared_distances(&groups(60, 1.0), 8, 60);
        for (point, row) in distances.chunks_exact(60).enumerate() {
            let shares = conditional(row, point, 7.0_f64.ln());
            let entropy: f64 = shares.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
            assert!((entropy.exp() - 7.0).abs() < 1e-6, "{}", entropy.exp());
            assert_eq!(shares[point], 0.0);
        }
    }

    #[test]
    fn groups_stay_groups_and_the_same_seed_gives_the_same_picture() {
        let values = groups(80, 8.0);
        let how = Tsne { steps: 400, ..Tsne::default() };
        let places = tsne(&values, 8, how).unwrap();
        let distance = |i: usize, j: usize| {
            (places[i][0] - places[j][0]).powi(2) + (places[i][1] - places[j][1]).powi(2)
        };
        for i in 0..80 {
            let nearest =
                (0..80).filter(|j| *j != i).min_by(|a, b| distance(i, *a).total_cmp(&distance(i, *b)));
            assert_eq!(nearest.unwrap() < 40, i < 40, "the nearest neighbour of {i} is of the other group");
        }
        assert_eq!(Some(&places), tsne(&values, 8, how).as_ref());
        assert_ne!(Some(places), tsne(&values, 8, Tsne { seed: 2, ..how }));
    }

    #[test]
    fn equal_points_and_huge_values_have_places_and_bad_tables_none() {
        for value in [0.0_f32, 3e30] {
            let mut values = vec![value; 6 * 3];
            values[4] += 1.0;
            let places = tsne(&values, 3, Tsne { steps: 300, ..Tsne::default() }).unwrap();
            assert!(places.iter().flatten().all(|at| at.is_finite()), "{places:?}");
        }
        let none = |values: &[f32], dim: usize| tsne(values, dim, Tsne::default()).is_none();
        assert!(none(&[0.0; 9], 3) && none(&[0.0; 13], 3) && none(&[], 3) && none(&[0.0; 12], 0));
        assert!(none(&[f32::NAN; 12], 3) && none(&vec![0.0; MOST_POINTS + 1], 1));
    }
}
