//! Every training system end to end on made-up features: it learns, repeats itself and resumes bit for bit, and its files
//! survive.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod arms;
mod cu;
mod files;
mod imported;
mod killed;
mod made_up;
mod mist;
mod rtfm;
mod small_ucf;
mod sultani;
