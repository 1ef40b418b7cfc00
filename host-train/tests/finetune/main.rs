//! MIST's second stage from pixels: it learns, repeats itself on any number of devices, resumes bit for bit, freezes what it
//! should, and says what is wrong with its videos; its parts can be left out and compared. And the distillation of I3D-lite,
//! which learns from pixels too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod ablation;
mod accumulation;
mod commands;
mod devices;
mod distillation;
mod footage;
mod learning;
mod lite;
mod parts;
mod published;
mod refusals;
mod resuming;
