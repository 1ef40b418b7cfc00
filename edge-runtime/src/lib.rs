//! The board: camera frames in, alarms out.
//!
//! ```text
//! capture -> Watch: Painter (masks) -> Detector (vad-infer, vad-core) -> AlarmEdge -> Siren (local lines)
//!                                                                                  -> AlarmDesk -> Outbox (disk) -> Link -> hub
//!                                                                                                         ^-- Ack --'
//!                                     -> Recorder (encoded once) -> evidence (pictures and videos on disk)
//!                                     -> Screen -> Page -> browsers and Prometheus
//! ```
//!
//! # Invariants
//! - What lies under a privacy mask reaches no model and no file: the detector takes a [`view::MaskedFrame`] alone.
//! - The local alarm acts before anything is stored or sent.
//! - An alarm is *raised* when its outbox record is on disk; it leaves the outbox on the hub's Ack alone.
//! - Every queue between threads is bounded. A camera that dies stops no other.
//! - Every timeout is on monotonic time; a board without a valid wall clock alarms.
//!
//! # What is deliberately absent
//! No training code, no TLS library in C, no preprocessing and no score arithmetic of its own: those are `vad-core`'s,
//! bit for bit as on the host.

pub mod absence;
pub mod arming;
mod atomic;
pub mod calibration;
pub mod capture;
pub mod cli;
pub mod clock;
mod cmd;
pub mod command;
pub mod config;
pub mod desk;
pub mod detector;
pub mod energy;
pub mod error;
pub mod evidence;
mod eyes;
pub mod faults;
pub mod gate;
pub mod health;
mod hex;
mod kept;
pub mod link;
pub mod local_alarm;
pub mod model;
pub mod onlookers;
pub mod orders;
pub mod outbox;
pub mod page;
pub mod picture;
pub mod pipeline;
mod proc;
pub mod service;
pub mod shutdown;
pub mod standing;
pub mod told;
pub mod tuned;
pub mod view;
pub mod wall_clock;
pub mod watch;

pub use error::Error;
