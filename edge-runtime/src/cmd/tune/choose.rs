//! Which candidate is taken, from times alone.

/// By this share of the default's time another must be faster: less is noise on most boards.
pub(super) const CLEARLY_FASTER: f64 = 0.03;

/// The fastest of `others`, each with its time, if it is clearly faster than the default.
pub(super) fn choose<T>(default_ms: f64, others: impl IntoIterator<Item = (T, f64)>) -> Option<T> {
    let fastest = others.into_iter().min_by(|(_, a), (_, b)| a.total_cmp(b));
    let is_clear = |ms: f64| ms < default_ms * (1.0 - CLEARLY_FASTER);
    fastest.filter(|(_, ms)| is_clear(*ms)).map(|(candidate, _)| candidate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn noise_keeps_the_default_and_a_clear_winner_wins() {
        assert_eq!(choose(1.0, [("a", 0.98), ("b", 0.975)]), None);
        assert_eq!(choose(1.0, [("a", 0.96), ("b", 0.5), ("c", 0.9)]), Some("b"));
        assert_eq!(choose(1.0, [("a", 1.0), ("b", 7.0)]), None);
        assert_eq!(choose::<()>(1.0, []), None);
        assert_eq!(choose(1.0, [("a", f64::NAN)]), None, "what was not measured");
    }

    proptest! {
        #[test]
        fn no_choice_is_slower_than_the_default_or_than_another(
            default_ms in 1e-3..1e4_f64,
            others_ms in proptest::collection::vec(1e-3..1e4_f64, 0..12),
        ) {
            match choose(default_ms, others_ms.iter().map(|&ms| (ms, ms))) {
                Some(ms) => {
                    prop_assert!(ms < default_ms * (1.0 - CLEARLY_FASTER));
                    prop_assert!(others_ms.iter().all(|&other| ms <= other));
                }
                None => prop_assert!(others_ms.iter().all(|&ms| ms >= default_ms * (1.0 - CLEARLY_FASTER))),
            }
        }
    }
}
