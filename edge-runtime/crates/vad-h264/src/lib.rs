//! H.264 on a board, through Cisco's openh264: frames into samples of a clip, and what a network camera sends into frames.
//!
//! Both directions speak [`vad_core::RgbFrame`], 8-bit RGB, and colours of BT.601 in the range 16 to 235, which is what cameras give.
//!
//! # Invariants
//! - One thread: the call that encodes or decodes does the work.
//! - Sizes are checked before anything is allocated, also those that a stream claims.
//! - No bytes panic.
//!
//! # What is deliberately absent
//! Files, containers and networks.
#![deny(missing_docs)]

mod colour;
mod decoder;
mod encoder;
mod sequence;
mod units;

pub use decoder::{DecodeError, DecodedPicture, Decoder};
pub use encoder::{Encoder, EncoderSpec, ParameterSets, Sample};

/// Longest and shortest side of a picture that openh264 takes, pixels.
pub const MAX_SIDES_PX: (u32, u32) = (3_840, 2_160);

/// Why H.264 was not written.
#[derive(Debug, thiserror::Error)]
pub enum H264Error {
    /// The picture is too large or too small.
    #[error("a picture of {width_px}x{height_px} px; H.264 here takes 16x16 to 3840x2160")]
    Size {
        /// Its width.
        width_px: u32,
        /// Its height.
        height_px: u32,
    },
    /// openh264 refused.
    #[error("openh264: {0}")]
    Codec(#[from] openh264::Error),
}
