//! MIST's second stage from pixels: it learns, repeats itself, resumes bit for bit, freezes what it should, and says what is
//! wrong with its videos.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod footage;
mod learning;
mod refusals;
mod resuming;
