//! Progress bars, on a terminal only, and lines beside them, which a log gets too.

use super::terminal::count;
use super::{interrupt, processor_time};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use vad_data::{Progress, VideoOutcome};

/// One bar that counts `units`.
pub fn bar(len: u64, units: &str) -> ProgressBar {
    let bar = ProgressBar::new(len);
    bar.set_style(style(&format!("{{prefix}} {{bar:32}} {{pos}}/{{len}} {units} {{eta}} {{msg}}")));
    bar
}

/// A line on standard error, above the bar where there is one.
pub fn say(bar: &ProgressBar, text: &str) {
    bar.suspend(|| eprintln!("{text}"));
}

/// One bar for all videos, and one for each at work.
pub struct ExtractBars {
    bars: MultiProgress,
    videos: ProgressBar,
    at_work: Mutex<HashMap<String, ProgressBar>>,
    started: Instant,
    processor_s: Option<f64>,
    /// Clips encoded, not those found in the cache.
    clips: AtomicU64,
}

/// How fast an extraction was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    clips: u64,
    seconds: f64,
    /// Cores that worked for it, on average, where the system tells.
    cores: Option<f64>,
}

impl ExtractBars {
    pub fn new(videos: usize) -> Self {
        let bars = MultiProgress::new();
        let videos = bars.add(bar(videos as u64, "videos"));
        Self {
            bars,
            videos,
            at_work: Mutex::default(),
            started: Instant::now(),
            processor_s: processor_time::seconds(),
            clips: AtomicU64::new(0),
        }
    }

    /// Takes the bars away and says how fast it went.
    pub fn finish(&self) -> Speed {
        self.videos.finish_and_clear();
        self.speed()
    }

    fn speed(&self) -> Speed {
        let seconds = self.started.elapsed().as_secs_f64();
        let used = processor_time::seconds().zip(self.processor_s).map(|(now, before)| now - before);
        Speed {
            clips: self.clips.load(Ordering::Relaxed),
            seconds,
            cores: used.map(|used| used / seconds.max(f64::MIN_POSITIVE)),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, ProgressBar>) -> T) -> T {
        act(&mut self.at_work.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn line(&self, text: &str) {
        self.bars.suspend(|| eprintln!("{text}"));
    }
}

impl Progress for ExtractBars {
    fn video_started(&self, id: &str, clips_hint: Option<u64>) {
        let bar = self.bars.add(ProgressBar::new(clips_hint.unwrap_or(0)));
        bar.set_style(style("  {bar:30} {pos}/{len} clips {msg}"));
        bar.set_message(id.to_owned());
        self.with(|at_work| at_work.insert(id.to_owned(), bar));
    }

    fn clips_done(&self, id: &str, clips: u64) {
        self.clips.fetch_add(1, Ordering::Relaxed);
        self.videos.set_message(format!("{:.1} clips/s", self.speed().clips_per_s()));
        self.with(|at_work| at_work.get(id).map(|bar| bar.set_position(clips)));
    }

    fn video_finished(&self, id: &str, outcome: &VideoOutcome) {
        if let Some(bar) = self.with(|at_work| at_work.remove(id)) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        self.videos.inc(1);
        if let VideoOutcome::Failed { reason } = outcome {
            self.line(&format!("failed: {id}: {reason}"));
        }
    }

    fn notice(&self, text: &str) {
        self.line(&format!("note: {text}"));
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

impl Speed {
    fn clips_per_s(self) -> f64 {
        self.clips as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.clips {
            0 => f.write_str("nothing was left to encode"),
            clips => {
                let rate = self.clips_per_s();
                write!(
                    f,
                    "encoded {} in {:.0} s: {rate:.2} clips/s",
                    count(clips as usize, "clip"),
                    self.seconds
                )?;
                let all = std::thread::available_parallelism().map_or(1, usize::from);
                self.cores.map_or(Ok(()), |cores| write!(f, ", {cores:.2} of {} at work", count(all, "core")))
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template is a constant of this file; a wrong one falls back to the plain bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
