//! Reference vectors: discovery, loading and named tolerances.
//!
//! A case is a pair `<folder>/<name>.json` + `<folder>/<name>.npz`. The JSON names every array, the source it was
//! computed from and the tolerance; the npz holds the arrays. Tests ask for cases by prefix, so a case dropped into
//! the folder is tested without a change of code:
//!
//! ```no_run
//! for case in golden::cases("metrics/scores") {
//!     let scores = case.f64("in.scores");
//!     let got = [scores.data.iter().sum::<f64>()];
//!     golden::assert_close(&case.what("out.sum"), &got, &case.f64("out.sum").data, case.tolerance());
//! }
//! ```
//!
//! The cases of this crate's `cases` folder are always there. The folder that the environment variable `GOLDEN_DIR`
//! names (absolute, or relative to the workspace root) is laid over it: its further cases are added, and a case of the
//! same name replaces the one kept here. [`shared_data`] finds what is too large or not ours to keep here.
#![deny(missing_docs)]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: a broken reference must stop the test that asked for it, with the reason"
)]

mod array;
mod case;
mod close;
mod discover;
mod hashed;
pub mod machine;
mod shared;
mod tolerance;

pub use array::Array;
pub use case::Case;
pub use close::{Mismatch, Number, assert_close, compare};
pub use discover::{cases, cases_in};
pub use hashed::hashed_values;
pub use shared::{kinetics_i3d, shared_data};
pub use tolerance::Tolerance;
