//! The alarm wire protocol between board and hub.
//!
//! # Audience
//!
//! `watchpostd` on the board and `watchpost hub` on the host, which may be of different versions,
//! and anyone who writes a third receiver. `docs/reference/wire.md` is the normative text; its
//! byte examples and tables are checked against this crate.
//!
//! # Terms
//!
//! - *record*: a message that lies in the board's outbox until the hub acknowledged it: an
//!   [`Alarm`], a [`Fault`] or a [`Gap`]. Its [`RecordId`] is the key of deduplication.
//! - *frame*: the bytes of one message on the wire, one frame per MQTT publish.
//!
//! # Invariants
//!
//! - One message has exactly one frame, and [`decode`] accepts no other bytes for it.
//! - No frame is longer than [`MAX_FRAME_LEN`]; nothing is allocated, whatever arrives.
//! - What [`encode`] accepts, [`decode`] accepts, and gives the same message.
//!
//! # What is deliberately absent
//!
//! Authentication and secrecy: the transport's (TLS) to give. The CRC finds damage, not malice.
#![no_std]
#![deny(missing_docs)]

mod frame;
mod message;
mod name;
pub mod topics;

pub use frame::{
    CRC_LEN, DecodeError, EncodeError, FRAME_LIMIT, HEADER_LEN, MAGIC, MAX_FRAME_LEN, MessageKind,
    SCHEMA_VERSION, decode, encode,
};
pub use message::{
    Ack, Alarm, BootId, EventKind, Fault, FaultEdge, FaultKind, Gap, Heartbeat, InvalidField, Message,
    RecordId, Severity,
};
pub use name::{BoardId, CameraId, MAX_NAME_LEN, NameError, SiteId};
