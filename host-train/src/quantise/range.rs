//! Where the inputs of a layer lie, and the grid that they are rounded to.

use model_export::InputGrid;

/// Bins of a histogram: eight for each step of a grid.
const BINS: usize = 2048;

/// Share of the values that a percentile leaves out at each end.
const OUTSIDE: f64 = 5e-5;

/// Percents of an end of the range that are tried for the least error.
const TRIED: std::ops::RangeInclusive<u8> = 2..=100;

/// How the range of a grid is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum RangeMethod {
    /// All values: nothing is cut off, steps are widest. Events reach beyond what normal footage usually has, so the values
    /// that are rare there are the last ones to do without.
    #[default]
    MinMax,
    /// All but 0.01 %, the outermost: those are cut off.
    Percentile,
    /// The range that has the least squared error over the values.
    Mse,
}

impl RangeMethod {
    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::MinMax => "min-max",
            Self::Percentile => "percentile",
            Self::Mse => "mse",
        }
    }
}

/// How often values occurred.
#[derive(Clone, Debug)]
pub struct Histogram {
    least: f32,
    bin: f32,
    counts: Vec<u64>,
}

impl Histogram {
    /// Of finite values.
    pub fn of(values: &[f32]) -> Self {
        let (least, most) =
            values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), &value| {
                (least.min(value), most.max(value))
            });
        let bin = (most - least) / BINS as f32;
        let bin = if bin.is_normal() { bin } else { 1.0 };
        let mut counts = vec![0; BINS];
        for value in values {
            // At least 0, and the greatest value belongs to the last bin.
            counts[(((value - least) / bin) as usize).min(BINS - 1)] += 1;
        }
        Self { least, bin, counts }
    }

    /// The grid that a method chooses.
    pub fn grid(&self, method: RangeMethod) -> InputGrid {
        match method {
            RangeMethod::MinMax => InputGrid::covering(self.least, self.most()),
            RangeMethod::Percentile => self.percentile(),
            RangeMethod::Mse => self.least_error(),
        }
    }

    fn most(&self) -> f32 {
        self.least + self.bin * BINS as f32
    }

    fn percentile(&self) -> InputGrid {
        let total: u64 = self.counts.iter().sum();
        let outside = (total as f64 * OUTSIDE) as u64;
        let within = |counts: &mut dyn Iterator<Item = &u64>| {
            let mut passed = 0;
            counts
                .take_while(|&&count| {
                    passed += count;
                    passed <= outside
                })
                .count()
        };
        let (below, above) = (within(&mut self.counts.iter()), within(&mut self.counts.iter().rev()));
        let edge = |bins: usize| self.least + self.bin * bins as f32;
        InputGrid::covering(edge(below), edge(BINS - above))
    }

    /// The upper end first, then the lower one.
    fn least_error(&self) -> InputGrid {
        let most = self.best(|share| (self.least, share * self.most())).ends().1;
        self.best(|share| (share * self.least, most))
    }

    /// The best of the grids that cover these ends.
    fn best(&self, ends: impl Fn(f32) -> (f32, f32)) -> InputGrid {
        let tried = TRIED.map(|percent| {
            let (least, most) = ends(f32::from(percent) / 100.0);
            InputGrid::covering(least, most)
        });
        let with_error = tried.map(|grid| (self.squared_error(grid), grid));
        let best = with_error.min_by(|(a, _), (b, _)| a.total_cmp(b));
        best.map_or_else(|| InputGrid::covering(self.least, self.most()), |(_, grid)| grid)
    }

    /// Of all values, each taken for the middle of its bin.
    fn squared_error(&self, grid: InputGrid) -> f64 {
        let error = |(bin, &count): (usize, &u64)| {
            let value = self.least + self.bin * (bin as f32 + 0.5);
            count as f64 * f64::from(grid.nearest(value) - value).powi(2)
        };
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(error).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million values in -1 to 2, and one far out.
    fn with_an_outlier() -> Vec<f32> {
        let even = (0..1_000_000).map(|at| at as f32 / 1_000_000.0 * 3.0 - 1.0);
        even.chain([40.0]).collect()
    }

    #[test]
    fn min_max_takes_every_value_in() {
        let (least, most) = Histogram::of(&with_an_outlier()).grid(RangeMethod::MinMax).ends();
        assert!(least <= -0.9 && most >= 39.9, "{least} to {most}");
    }

    #[test]
    fn percentile_and_mse_cut_an_outlier_off() {
        for method in [RangeMethod::Percentile, RangeMethod::Mse] {
            let (least, most) = Histogram::of(&with_an_outlier()).grid(method).ends();
            assert!(least <= -0.2 && (1.9..20.0).contains(&most), "{method:?}: {least} to {most}");
        }
    }

    #[test]
    fn mse_has_the_least_error_of_the_three() {
        let values = with_an_outlier();
        let histogram = Histogram::of(&values);
        let error = |method| {
            let grid = histogram.grid(method);
            values.iter().map(|&value| f64::from(grid.nearest(value) - value).powi(2)).sum::<f64>()
        };
        let [whole, percentile, mse] =
            [RangeMethod::MinMax, RangeMethod::Percentile, RangeMethod::Mse].map(error);
        assert!(mse < whole, "{mse} {whole}");
        assert!(mse < percentile * 1.05, "{mse} {percentile}");
    }

    #[test]
    fn one_value_and_none_give_a_sound_grid() {
        for values in [&[0.0; 5][..], &[3.0; 5], &[]] {
            for method in [RangeMethod::MinMax, RangeMethod::Percentile, RangeMethod::Mse] {
                let grid = Histogram::of(values).grid(method);
                assert!(grid.scale() > 0.0 && grid.scale().is_finite(), "{values:?} {method:?}");
            }
        }
    }
}
