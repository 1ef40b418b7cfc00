//! How an extraction tells what it does.

/// How a video ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoOutcome {
    /// Its features were in the cache.
    Cached {
        /// Clips found.
        clips: u64,
    },
    /// Its features were extracted and stored.
    Extracted {
        /// Clips encoded.
        clips: u64,
    },
    /// It failed.
    Failed {
        /// Why, with file, place and remedy.
        reason: String,
    },
}

/// Listener to an extraction. Every method does nothing unless it is overridden. All but [`Progress::cancelled`] are
/// called from the thread that called `extract`.
pub trait Progress: Sync {
    /// The extraction of this many videos begins.
    fn begin(&self, videos: usize) {
        let _ = videos;
    }

    /// Work on a video begins; the number of its clips is a guess from its header.
    fn video_started(&self, id: &str, clips_hint: Option<u64>) {
        let _ = (id, clips_hint);
    }

    /// So many clips of a video are encoded by now, with all their crops.
    fn clips_done(&self, id: &str, clips: u64) {
        let _ = (id, clips);
    }

    /// A video has ended; without a start before if it was cached or could not be opened.
    fn video_finished(&self, id: &str, outcome: &VideoOutcome) {
        let _ = (id, outcome);
    }

    /// Something that a person should know but that needs no action, such as a damaged cache entry.
    fn notice(&self, text: &str) {
        let _ = text;
    }

    /// True once the extraction should stop; asked often, from any thread.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
