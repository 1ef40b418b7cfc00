//! What a count of rare events can rule out.

/// Counts up to which the bound is exact; above, an approximation is within 0.1 %.
const EXACT_UP_TO: u64 = 100;
/// 95 % quantile of the normal distribution.
const Z_95: f64 = 1.644_853_626_951_472_2;

/// Upper end of the one-sided 95 % confidence interval for the mean of a Poisson count: the mean under which `count` or
/// fewer would be seen in 5 % of cases. For a count of 0 it is `-ln 0.05 = 2.996`, the *rule of three*.
///
/// Source: F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 1936; above 100, the
/// Wilson-Hilferty approximation of the chi-square quantile.
pub fn upper95(count: u64) -> f64 {
    if count > EXACT_UP_TO {
        let n = count as f64 + 1.0;
        return n * (1.0 - 1.0 / (9.0 * n) + Z_95 / (3.0 * n.sqrt())).powi(3);
    }
    let (mut low, mut high) = (count as f64, count as f64 * 2.0 + 5.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if at_most(count, middle) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Probability of at most `count` events when `mean` are expected.
fn at_most(count: u64, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut sum = term;
    for events in 1..=count {
        term *= mean / events as f64;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_agree_with_published_tables() {
        // Garwood's 95 % one-sided upper limits.
        for (count, want) in
            [(0, 2.9957), (1, 4.7439), (2, 6.2958), (5, 10.5130), (10, 16.9622), (50, 63.2871)]
        {
            assert!((upper95(count) - want).abs() < 2e-3, "{count}: {}", upper95(count));
        }
    }

    #[test]
    fn the_approximation_joins_on() {
        let (exact, next) = (upper95(100), upper95(101));
        assert!(next > exact && next - exact < 1.2, "{exact} {next}");
    }
}
