//! The mathematics against stored reference vectors. Cases are found by prefix: one dropped into the folder is tested
//! without a change here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod arms;
mod cu;
mod heads;
mod i3d;
mod mist;
mod mist2;
mod rtfm;
mod stored;
mod twister;
mod two_engines;
