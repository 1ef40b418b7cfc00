//! The hub: receives alarms from boards, stores each one exactly once and acknowledges it after the commit.
//!
//! ```text
//! boards -> MQTT broker (embedded or external) -> link -> core -> store (SQLite)
//!                                                  ^                |
//!                                                  +--- acks <------+  only for what a commit made durable
//! ```
//!
//! What is deliberately absent: an acknowledgement before a commit, trust in a transport acknowledgement, an unbounded
//! queue, and a board that is still shown as normal after its heartbeats stopped.
//!
//! A message may be lost anywhere between the board and the store: the board keeps the record until it receives the
//! [`Ack`](alarm_proto::Ack) and publishes it again. A message may arrive many times: the store deduplicates on
//! `(board, boot counter, boot random, seq)` in the transaction that stores the alarm, and acknowledges again.

#![deny(missing_docs)]

pub mod boards;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod core;
pub mod error;
pub mod ingest;
pub mod link;
pub mod present;
pub mod printer;
pub mod refusals;
pub mod report;
pub mod run;
pub mod store;
pub mod url;

pub use error::HubError;
