//! Why a pipeline gives no pictures, in words that name it and what to do.

use std::fmt;

use crate::capture::y4m::Y4mError;
use crate::config::GstPipeline;

/// A pipeline and its trouble.
#[derive(Debug)]
pub struct GstError {
    /// Its first element: the rest may hold an address with a password.
    pipeline: String,
    trouble: Trouble,
}

impl GstError {
    pub(super) fn new(pipeline: &GstPipeline, trouble: Trouble) -> Self {
        Self { pipeline: pipeline.to_string(), trouble }
    }
}

impl fmt::Display for GstError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pipeline, self.trouble)
    }
}

impl std::error::Error for GstError {}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(
        "the program gst-launch-1.0 is not installed; apt-get install gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
    )]
    Missing,
    #[error("cannot start gst-launch-1.0: {0}")]
    Start(std::io::Error),
    #[error("an earlier gst-launch-1.0 for this camera does not end, though it was killed: its driver hangs")]
    Stuck,
    #[error("gst-launch-1.0 ended: {reason}{}", hint(reason))]
    Ended { reason: String },
    #[error("no picture for {waited_ms} ms; is the camera still there?{}", its_word(said.as_deref()))]
    Stalled { waited_ms: u64, said: Option<String> },
    #[error(
        "no picture within {waited_ms} ms of its start; does the pipeline play with `gst-launch-1.0 PIPELINE ! fakesink`?{}",
        its_word(said.as_deref())
    )]
    Silent { waited_ms: u64, said: Option<String> },
    #[error("{0}")]
    Stream(#[from] Y4mError),
    #[error("{0}")]
    Picture(String),
}

fn its_word(said: Option<&str>) -> String {
    said.map_or_else(String::new, |said| format!(" gst-launch-1.0 said: {said}"))
}

fn hint(reason: &str) -> &'static str {
    if reason.contains("no element") {
        "; `gst-inspect-1.0 NAME` looks for an element. videoconvert and videoscale come with gstreamer1.0-plugins-base, y4menc with gstreamer1.0-plugins-good"
    } else {
        ""
    }
}
