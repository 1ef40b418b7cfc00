//! Everything a command can fail with. Each message names the file and the place.

use std::io::ErrorKind;
use std::path::PathBuf;

/// See the module's documentation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// A clip could not be scored.
    #[error(transparent)]
    Infer(#[from] vad_infer::InferError),
    /// The outbox refused.
    #[error(transparent)]
    Outbox(#[from] crate::outbox::OutboxError),
    /// A source of frames failed.
    #[error(transparent)]
    Capture(#[from] crate::capture::CaptureError),
    /// A file could not be read.
    #[error("{}: cannot read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("{}: cannot write: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bundle cannot tell where its encoder looks.
    #[error(
        "{}: this bundle carries no attention, which --explain draws; `watchpost finetune` of a distilled encoder makes a run whose `watchpost export` carries one",
        bundle.display()
    )]
    NoAttention {
        /// The bundle.
        bundle: PathBuf,
    },
    /// Whoever read standard output has gone, as `head` does when it has enough. It ends the program, without a complaint.
    #[error("nobody reads standard output any more")]
    OutputClosed,
    /// The system refuses something basic.
    #[error("cannot {doing}: {reason}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// The system's reason.
        reason: String,
    },
    /// The configuration lacks something that this command needs.
    #[error("{}: {reason}", file.display())]
    Incomplete {
        /// The configuration file.
        file: PathBuf,
        /// What to add.
        reason: String,
    },
}

impl Error {
    /// What became of a write to standard output.
    pub(crate) fn output(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::system("write to standard output")(error),
        }
    }

    /// Wraps a failure of the operating system.
    pub(crate) fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |e| Self::System { doing, reason: e.to_string() }
    }
}
