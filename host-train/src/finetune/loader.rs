//! Reading ahead: threads that decode the next batches while the network works on this one.
//!
//! Thread `i` of `n` reads the batches `i`, `i + n` and so on, each into a queue of one. So the order of batches does not
//! depend on who is faster, and at most two batches per thread wait in memory.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::clips::{Clip, ClipInput};
use super::error::TuneError;
use super::plan::Plan;

/// Finished batches that a thread may have waiting.
const QUEUED: usize = 1;

type Batch = Result<Vec<Clip>, TuneError>;

/// Batches of clips in order. Dropping it ends the threads.
pub struct Loader {
    queues: Vec<Receiver<Batch>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    next: usize,
}

impl Loader {
    /// Begins to read the given batches of a plan with so many threads, at least one.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        plan: &Arc<Plan>,
        input: &ClipInput,
        batches: Range<u64>,
        threads: usize,
    ) -> Result<Self, TuneError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut loader = Self { queues: Vec::new(), threads: Vec::new(), stop: stop.clone(), next: 0 };
        let threads = threads.max(1);
        for index in 0..threads {
            let (into, from) = sync_channel(QUEUED);
            let own = batches.clone().skip(index).step_by(threads);
            let (plan, input, stop) = (plan.clone(), input.clone(), stop.clone());
            let spawned = thread::Builder::new()
                .name(format!("reader {index}"))
                .spawn(move || read_all(&plan, &input, own, &into, &stop))
                .map_err(|error| TuneError::Reader { reason: format!("no thread: {error}") })?;
            loader.queues.push(from);
            loader.threads.push(spawned);
        }
        Ok(loader)
    }

    /// The next batch. Past the last one, and after an error, it is an error.
    ///
    /// # Errors
    /// When a video of the batch cannot be read.
    pub fn next_batch(&mut self) -> Result<Vec<Clip>, TuneError> {
        let turn = self.next % self.queues.len();
        self.next += 1;
        let ended = |_| TuneError::Reader { reason: "the reading thread has ended".to_owned() };
        self.queues[turn].recv().map_err(ended)?
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing to say any more.
            let _ = thread.join();
        }
    }
}

fn read_all(
    plan: &Plan,
    input: &ClipInput,
    batches: impl Iterator<Item = u64>,
    into: &SyncSender<Batch>,
    stop: &AtomicBool,
) {
    for batch in batches {
        let read = read(plan, input, batch, stop);
        let failed = read.is_err();
        if stop.load(Ordering::Relaxed) || into.send(read).is_err() || failed {
            return;
        }
    }
}

fn read(plan: &Plan, input: &ClipInput, batch: u64, stop: &AtomicBool) -> Batch {
    let mut clips = Vec::new();
    for draw in plan.batch(batch) {
        let video = &plan.videos()[draw.video];
        clips.extend(input.read(&video.entry, video.frames, &draw.clips, stop)?);
    }
    Ok(clips)
}
