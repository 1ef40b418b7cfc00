//! Raw to calibrated score.

use super::Calibration;

/// Distance that a probability keeps from 0 and 1 before its logit is taken.
const LOGIT_MARGIN: f32 = 1e-6;

impl Calibration {
    /// Calibrated score, 0 to 1; nothing for a raw score that is not finite.
    ///
    /// Finite raw scores outside 0 to 1 are clamped first. The parameters are as
    /// [`super::ScoreSpec::validate`] wants them.
    #[must_use]
    pub fn apply(&self, raw: f32) -> Option<f32> {
        if !raw.is_finite() {
            return None;
        }
        let probability = raw.clamp(0.0, 1.0);
        Some(match *self {
            Self::Identity => probability,
            Self::Logistic { slope, intercept } => sigmoid(slope * logit(probability) + intercept),
        })
    }
}

fn logit(probability: f32) -> f32 {
    let inner = probability.clamp(LOGIT_MARGIN, 1.0 - LOGIT_MARGIN);
    libm::logf(inner / (1.0 - inner))
}

/// `1 / (1 + exp(-x))`, in the form whose exponential cannot overflow.
fn sigmoid(x: f32) -> f32 {
    let shrunk = libm::expf(-x.abs());
    let upper = 1.0 / (1.0 + shrunk);
    if x < 0.0 { shrunk * upper } else { upper }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One unit in the last place of `f32` near 1, a few times over.
    const NEAR: f32 = 1e-6;

    #[test]
    fn logistic_matches_hand_computed_values() {
        let platt = Calibration::Logistic { slope: 2.0, intercept: -1.0 };
        // logit(0.5) = 0, sigmoid(-1) = 0.268941...; logit(0.9) = ln 9, sigmoid(2 ln 9 - 1) = 81/(81+e).
        assert!((platt.apply(0.5).unwrap() - 0.268_941_43).abs() < NEAR);
        assert!((platt.apply(0.9).unwrap() - 81.0 / (81.0 + core::f32::consts::E)).abs() < NEAR);
    }

    #[test]
    fn results_are_the_same_bits_everywhere() {
        // Golden bits, each within 2 ulp of the 40-digit value (checked by hand when they were
        // written): a change of `libm` that moves them would part board and host.
        let platt = Calibration::Logistic { slope: 1.7, intercept: -0.3 };
        let bits = [0.01, 0.25, 0.5, 0.75, 0.99].map(|raw| platt.apply(raw).unwrap().to_bits());
        assert_eq!(bits, [0x399d_3e37, 0x3dd2_5159, 0x3ed9_e2ab, 0x3f53_d392, 0x3f7f_dc31]);
    }

    #[test]
    fn what_is_not_finite_is_missing() {
        for raw in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(Calibration::Identity.apply(raw), None);
        }
        assert_eq!(Calibration::Identity.apply(-3.0), Some(0.0));
        assert_eq!(Calibration::Identity.apply(3.0), Some(1.0));
    }

    proptest! {
        #[test]
        fn logistic_keeps_range_and_order(
            slope in 1e-3_f32..1000.0, intercept in -1000.0_f32..1000.0,
            low in -0.5_f32..1.5, high in -0.5_f32..1.5,
        ) {
            let platt = Calibration::Logistic { slope, intercept };
            let (low, high) = (low.min(high), low.max(high));
            let (a, b) = (platt.apply(low).unwrap(), platt.apply(high).unwrap());
            prop_assert!((0.0..=1.0).contains(&a) && (0.0..=1.0).contains(&b));
            // `expf` is faithful, not correctly rounded: order holds to an ulp or two.
            prop_assert!(a <= b + NEAR, "{} -> {}, {} -> {}", low, a, high, b);
        }

        #[test]
        fn unit_logistic_is_the_identity(raw in 0.001_f32..0.999) {
            let unit = Calibration::Logistic { slope: 1.0, intercept: 0.0 };
            prop_assert!((unit.apply(raw).unwrap() - raw).abs() < NEAR);
        }
    }
}
