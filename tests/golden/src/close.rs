//! Comparison within a tolerance.

use std::fmt;

use crate::tolerance::Tolerance;

/// A number that can be compared: every value converts to `f64`.
pub trait Number: Copy {
    /// The value as `f64` (exact for all types but 64-bit integers beyond 2^53).
    fn to_f64(self) -> f64;
}

macro_rules! number {
    ($($element:ty),+) => {
        $(impl Number for $element {
            fn to_f64(self) -> f64 {
                self as f64
            }
        })+
    };
}
number!(f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, usize);

impl Number for bool {
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// Why two arrays are not close.
#[derive(Clone, Debug, PartialEq)]
pub enum Mismatch {
    /// The arrays have different lengths.
    Length {
        /// Elements computed.
        got: usize,
        /// Elements in the reference.
        want: usize,
    },
    /// Some elements lie outside the tolerance; the worst one is named.
    Values {
        /// How many elements lie outside.
        outside: usize,
        /// How many elements were compared.
        total: usize,
        /// Flat index of the element with the greatest error, measured in its tolerances.
        index: usize,
        /// Its computed value.
        got: f64,
        /// Its reference value.
        want: f64,
        /// The greatest difference that was allowed there.
        allowed: f64,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { got, want } => write!(f, "got {got} elements, want {want}"),
            Self::Values { outside, total, index, got, want, allowed } => write!(
                f,
                "{outside} of {total} elements differ; worst at index {index}: got {got:?}, want {want:?}, \
                 difference {:.3e}, allowed {allowed:.3e}",
                (got - want).abs()
            ),
        }
    }
}

/// Compares element by element: `|got - want| <= absolute + relative * |want| + of_max_abs * max |want|`.
/// Equal infinities match; NaN matches NaN only.
///
/// # Errors
/// [`Mismatch`], naming the worst element.
pub fn compare<G: Number, W: Number>(got: &[G], want: &[W], tolerance: Tolerance) -> Result<(), Mismatch> {
    if got.len() != want.len() {
        return Err(Mismatch::Length { got: got.len(), want: want.len() });
    }
    let max_abs = want.iter().map(|w| w.to_f64().abs()).filter(|w| w.is_finite()).fold(0.0, f64::max);
    let mut outside = 0;
    let mut worst: Option<(f64, usize, f64)> = None;
    for (index, (g, w)) in got.iter().zip(want).enumerate() {
        let (g, w) = (g.to_f64(), w.to_f64());
        let allowed = tolerance.allowed(w, max_abs);
        let excess = excess(g, w, allowed);
        if excess > 1.0 {
            outside += 1;
            if worst.is_none_or(|(most, ..)| excess > most) {
                worst = Some((excess, index, allowed));
            }
        }
    }
    match worst {
        None => Ok(()),
        Some((_, index, allowed)) => Err(Mismatch::Values {
            outside,
            total: want.len(),
            index,
            got: got[index].to_f64(),
            want: want[index].to_f64(),
            allowed,
        }),
    }
}

/// The error in units of what is allowed; above 1 is outside.
fn excess(got: f64, want: f64, allowed: f64) -> f64 {
    if got == want || (got.is_nan() && want.is_nan()) {
        return 0.0;
    }
    let difference = (got - want).abs();
    if !difference.is_finite() || allowed <= 0.0 {
        return f64::INFINITY;
    }
    difference / allowed
}

/// Panics unless the arrays are close ([`compare`]); the message names `what`, the worst index and both values.
#[track_caller]
pub fn assert_close<G: Number, W: Number>(what: &str, got: &[G], want: &[W], tolerance: Tolerance) {
    if let Err(mismatch) = compare(got, want, tolerance) {
        panic!("{what}: {mismatch} ({tolerance})");
    }
}
