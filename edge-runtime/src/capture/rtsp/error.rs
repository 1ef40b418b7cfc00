//! Why a network camera gives no pictures, in words that name it and what to do.

use std::fmt;

use vad_h264::DecodeError;

use crate::config::{RtspSource, Transport};

/// A camera and its trouble.
#[derive(Debug)]
pub struct RtspError {
    /// Its address as it is shown.
    camera: String,
    trouble: Trouble,
}

impl RtspError {
    pub(super) fn new(source: &RtspSource, trouble: Trouble) -> Self {
        Self { camera: source.url.to_string(), trouble }
    }

    pub(in crate::capture) fn is_refusal(&self) -> bool {
        matches!(self.trouble, Trouble::Anonymous | Trouble::Refused(_))
    }
}

impl fmt::Display for RtspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.camera, self.trouble)
    }
}

impl std::error::Error for RtspError {}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("cannot start its thread: {0}")]
    Thread(std::io::Error),
    #[error("{0}; is the camera switched on, and are host and port right?")]
    Unreachable(String),
    #[error("no answer for {waited_ms} ms; is the camera switched on, and are host and port right?")]
    Silent { waited_ms: u64 },
    #[error("it wants a user and a password; set `username` and `password_file`")]
    Anonymous,
    #[error("it refuses the password of `{0}`; check `username` and what is in `password_file`")]
    Refused(String),
    #[error("it has no such stream; is the path in `url` the one of the camera's manual?")]
    NoStream,
    #[error("it does not send over this transport; set transport = \"{}\"", other(*.0))]
    Transport(Transport),
    #[error("it refuses with RTSP status {status}: {reason}")]
    Status { status: u16, reason: String },
    #[error("its stream has no video; is the path in `url` the one of the camera's manual?")]
    NoVideo,
    #[error(
        "it sends its video as {0}; H.264 is understood: set the camera's stream to H.264, or give the `url` of a sub-stream that is"
    )]
    Codec(String),
    #[error("it broke off: {0}")]
    Broken(String),
    #[error("it closed the connection")]
    Closed,
    #[error("it ended the stream")]
    Bye,
    #[error("no picture for {waited_ms} ms{}", hint(*.transport))]
    Stalled { waited_ms: u64, transport: Transport },
    #[error("it sends more than {0} bytes without a picture")]
    TooMuch(u64),
    #[error("no key frame for {waited_ms} ms; set the camera's key frame interval (GOP) to 2 s or less")]
    NoKey { waited_ms: u64 },
    #[error("{0}; set the camera's stream accordingly, or give the `url` of its sub-stream")]
    Video(#[from] DecodeError),
    #[error("the library that speaks RTSP failed inside")]
    Inside,
}

fn hint(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "; is the camera still there?",
        Transport::Udp => {
            "; is the camera still there, and may its packets pass? transport = \"tcp\" needs no port of its own"
        }
    }
}

fn other(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "udp",
        Transport::Udp => "tcp",
    }
}

/// What an answer, or none, comes to.
pub(super) fn of_answer(source: &RtspSource, error: &retina::Error) -> Trouble {
    match (error.status_code(), &source.credentials) {
        (Some(401 | 403), None) => Trouble::Anonymous,
        (Some(401 | 403), Some(credentials)) => Trouble::Refused(credentials.username.clone()),
        (Some(404), _) => Trouble::NoStream,
        (Some(461), _) => Trouble::Transport(source.transport),
        (Some(status), _) if status >= 300 => Trouble::Status { status, reason: first_line(error) },
        _ => Trouble::Broken(first_line(error)),
    }
}

/// What follows names addresses and bytes.
pub(super) fn first_line(error: &retina::Error) -> String {
    const MOST: usize = 200;
    let text = error.to_string();
    text.lines().next().unwrap_or_default().chars().take(MOST).collect()
}
