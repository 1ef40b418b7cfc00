//! Framing: magic, version, kind, payload, CRC.
//!
//! ```text
//! 0   2         3      4                    len-4      len
//! | WP | version | kind | postcard payload | CRC-32 LE |
//! ```

use crc::{CRC_32_ISO_HDLC, Crc};
use postcard::experimental::max_size::MaxSize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::message::{Ack, Alarm, Fault, Gap, Heartbeat, InvalidField, Message};

/// First bytes of every frame.
pub const MAGIC: [u8; 2] = *b"WP";
/// Version of the schema. Any change of a payload raises it.
pub const SCHEMA_VERSION: u8 = 1;
/// Bytes before the payload: magic, version, kind.
pub const HEADER_LEN: usize = 4;
/// Bytes after it.
pub const CRC_LEN: usize = 4;
/// Bytes that no frame of any version may exceed.
pub const FRAME_LIMIT: usize = 256;
/// Length of the longest frame of this version, in bytes.
pub const MAX_FRAME_LEN: usize = {
    let longer = max(MessageKind::Alarm.max_frame_len(), MessageKind::Heartbeat.max_frame_len());
    let records = max(MessageKind::Gap.max_frame_len(), MessageKind::Fault.max_frame_len());
    max(longer, max(MessageKind::Ack.max_frame_len(), records))
};

const _: () = assert!(MAX_FRAME_LEN <= FRAME_LIMIT);

const MIN_FRAME_LEN: usize = HEADER_LEN + CRC_LEN + 1;
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// The kind byte of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageKind {
    /// [`Alarm`].
    Alarm = 1,
    /// [`Heartbeat`].
    Heartbeat = 2,
    /// [`Ack`].
    Ack = 3,
    /// [`Gap`].
    Gap = 4,
    /// [`Fault`].
    Fault = 5,
}

impl MessageKind {
    /// All kinds, by their byte.
    pub const ALL: [Self; 5] = [Self::Alarm, Self::Heartbeat, Self::Ack, Self::Gap, Self::Fault];

    /// Length of the longest frame of this kind, in bytes.
    #[must_use]
    pub const fn max_frame_len(self) -> usize {
        let payload_len = match self {
            Self::Alarm => Alarm::POSTCARD_MAX_SIZE,
            Self::Heartbeat => Heartbeat::POSTCARD_MAX_SIZE,
            Self::Ack => Ack::POSTCARD_MAX_SIZE,
            Self::Gap => Gap::POSTCARD_MAX_SIZE,
            Self::Fault => Fault::POSTCARD_MAX_SIZE,
        };
        HEADER_LEN + payload_len + CRC_LEN
    }

    /// Kind of a message.
    #[must_use]
    pub const fn of(message: &Message) -> Self {
        match message {
            Message::Alarm(_) => Self::Alarm,
            Message::Heartbeat(_) => Self::Heartbeat,
            Message::Ack(_) => Self::Ack,
            Message::Gap(_) => Self::Gap,
            Message::Fault(_) => Self::Fault,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Why a message has no frame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A field breaks the rules that the receiver checks.
    #[error("message cannot be sent: {0}")]
    Invalid(#[from] InvalidField),
    /// The payload did not fit. The maximum sizes rule it out.
    #[error("message is longer than {MAX_FRAME_LEN} bytes: {0}")]
    Payload(postcard::Error),
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Fewer bytes than any frame has, or more.
    #[error("frame has {len} bytes, but must have {MIN_FRAME_LEN} to {MAX_FRAME_LEN}")]
    Length {
        /// Bytes given.
        len: usize,
    },
    /// The first two bytes are not "WP".
    #[error("frame begins with {found:02x?}, which is not a Watchpost frame")]
    Magic {
        /// Bytes found.
        found: [u8; 2],
    },
    /// The sender speaks another version.
    #[error("frame has schema version {found}, but only {SCHEMA_VERSION} is known: update the older side")]
    Version {
        /// Version found.
        found: u8,
    },
    /// The frame was damaged or cut.
    #[error("frame is damaged: its CRC is {computed:#010x}, but it says {stored:#010x}")]
    Crc {
        /// CRC of the bytes.
        computed: u32,
        /// CRC in the frame.
        stored: u32,
    },
    /// The kind byte is not one of [`MessageKind::ALL`].
    #[error("frame has the unknown kind {found}")]
    Kind {
        /// Kind found.
        found: u8,
    },
    /// The payload is not a message of its kind.
    #[error("payload cannot be read: {0}")]
    Payload(postcard::Error),
    /// The payload goes on after its message.
    #[error("payload has {extra} bytes after its end")]
    Trailing {
        /// Bytes too many.
        extra: usize,
    },
    /// The payload is not the encoding that [`encode`] would have written.
    #[error("payload is not in canonical form")]
    NotCanonical,
    /// A field breaks its rule.
    #[error("payload is invalid: {0}")]
    Invalid(#[from] InvalidField),
}

/// Writes the frame of `message` into `buffer` and returns it.
///
/// # Errors
///
/// [`EncodeError::Invalid`] for a message that [`Message::validate`] refuses.
pub fn encode<'a>(message: &Message, buffer: &'a mut [u8; MAX_FRAME_LEN]) -> Result<&'a [u8], EncodeError> {
    message.validate()?;
    match message {
        Message::Alarm(alarm) => write(MessageKind::Alarm, alarm, buffer),
        Message::Heartbeat(heartbeat) => write(MessageKind::Heartbeat, heartbeat, buffer),
        Message::Ack(ack) => write(MessageKind::Ack, ack, buffer),
        Message::Gap(gap) => write(MessageKind::Gap, gap, buffer),
        Message::Fault(fault) => write(MessageKind::Fault, fault, buffer),
    }
}

fn write<'a>(
    kind: MessageKind,
    payload: &impl Serialize,
    buffer: &'a mut [u8; MAX_FRAME_LEN],
) -> Result<&'a [u8], EncodeError> {
    let [m0, m1] = MAGIC;
    buffer[..HEADER_LEN].copy_from_slice(&[m0, m1, SCHEMA_VERSION, kind as u8]);
    let space = &mut buffer[HEADER_LEN..MAX_FRAME_LEN - CRC_LEN];
    let payload_len = postcard::to_slice(payload, space).map_err(EncodeError::Payload)?.len();
    let end = HEADER_LEN + payload_len;
    let crc = CRC.checksum(&buffer[..end]);
    buffer[end..end + CRC_LEN].copy_from_slice(&crc.to_le_bytes());
    Ok(&buffer[..end + CRC_LEN])
}

/// Reads one frame, all of it.
///
/// # Errors
///
/// A [`DecodeError`] that says what is wrong. Nothing is allocated, and no input panics.
pub fn decode(frame: &[u8]) -> Result<Message, DecodeError> {
    let (kind, payload) = open(frame)?;
    let message = match kind {
        MessageKind::Alarm => Message::Alarm(read(payload)?),
        MessageKind::Heartbeat => Message::Heartbeat(read(payload)?),
        MessageKind::Ack => Message::Ack(read(payload)?),
        MessageKind::Gap => Message::Gap(read(payload)?),
        MessageKind::Fault => Message::Fault(read(payload)?),
    };
    let mut canonical = [0; MAX_FRAME_LEN];
    match encode(&message, &mut canonical) {
        Ok(canonical) if canonical == frame => Ok(message),
        Ok(_) | Err(EncodeError::Payload(_)) => Err(DecodeError::NotCanonical),
        Err(EncodeError::Invalid(invalid)) => Err(DecodeError::Invalid(invalid)),
    }
}

/// Checks everything around the payload.
fn open(frame: &[u8]) -> Result<(MessageKind, &[u8]), DecodeError> {
    let wrong_length = || DecodeError::Length { len: frame.len() };
    if !(MIN_FRAME_LEN..=MAX_FRAME_LEN).contains(&frame.len()) {
        return Err(wrong_length());
    }
    let (body, crc) = frame.split_last_chunk::<CRC_LEN>().ok_or_else(wrong_length)?;
    let (&[m0, m1, version, kind], payload) =
        body.split_first_chunk::<HEADER_LEN>().ok_or_else(wrong_length)?;
    if [m0, m1] != MAGIC {
        return Err(DecodeError::Magic { found: [m0, m1] });
    }
    // Before the CRC: another version may lay out everything that follows in another way.
    if version != SCHEMA_VERSION {
        return Err(DecodeError::Version { found: version });
    }
    let (computed, stored) = (CRC.checksum(body), u32::from_le_bytes(*crc));
    if computed != stored {
        return Err(DecodeError::Crc { computed, stored });
    }
    let kind = MessageKind::from_byte(kind).ok_or(DecodeError::Kind { found: kind })?;
    Ok((kind, payload))
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    let (message, rest) = postcard::take_from_bytes(payload).map_err(DecodeError::Payload)?;
    if rest.is_empty() { Ok(message) } else { Err(DecodeError::Trailing { extra: rest.len() }) }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}
