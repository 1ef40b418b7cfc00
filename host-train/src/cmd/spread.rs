//! Mean and spread of a figure over seeds.

use serde::Serialize;
use std::fmt;

/// Mean, sample standard deviation and range; of one value nothing but the value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub mean: f64,
    /// `None` of one value.
    deviation: Option<f64>,
    min: f64,
    max: f64,
}

impl Spread {
    /// Of at least one value; without any, nothing is a number.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            deviation: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// In writing; undefined where one of the values is.
pub fn of_figures(values: impl Iterator<Item = Option<f64>>) -> String {
    let values: Option<Vec<f64>> = values.collect();
    values.map_or_else(|| "undefined".to_owned(), |values| Spread::of(values).to_string())
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.deviation {
            Some(deviation) => {
                write!(f, "{:.4} ± {deviation:.4} ({:.4} to {:.4})", self.mean, self.min, self.max)
            }
            None => write!(f, "{:.4}", self.mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample_and_one_value_has_none() {
        assert_eq!(Spread::of([1.0, 3.0]).to_string(), "2.0000 ± 1.4142 (1.0000 to 3.0000)");
        assert_eq!(Spread::of([0.5]).to_string(), "0.5000");
    }
}
