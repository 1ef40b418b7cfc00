//! Prints without ever making the hub wait: a blocked terminal costs lines, not alarms.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Lines that may wait for a slow terminal.
const QUEUE_LINES: usize = 4_096;

/// A bounded queue of lines before a thread that writes them.
#[derive(Debug)]
pub struct Printer {
    lines: Option<flume::Sender<String>>,
    hidden: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Printer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start<W: Write + Send + 'static>(mut out: W) -> std::io::Result<Self> {
        let (lines, queue) = flume::bounded::<String>(QUEUE_LINES);
        let hidden = Arc::new(AtomicU64::new(0));
        let hidden_here = Arc::clone(&hidden);
        let thread = std::thread::Builder::new().name("printer".to_owned()).spawn(move || {
            for line in queue.iter() {
                let skipped = hidden_here.swap(0, Ordering::Relaxed);
                let note = match skipped {
                    0 => Ok(()),
                    _ => writeln!(
                        out,
                        "({skipped} lines not shown: the terminal was too slow; `alarms` lists everything)"
                    ),
                };
                // A closed terminal ends the printing, not the hub.
                if note.and_then(|()| writeln!(out, "{line}")).and_then(|()| out.flush()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { lines: Some(lines), hidden, thread: Some(thread) })
    }

    /// Queues a line; counts it as hidden when the queue is full.
    pub fn line(&self, line: String) {
        if let Some(lines) = &self.lines
            && let Err(flume::TrySendError::Full(_)) = lines.try_send(line)
        {
            self.hidden.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        drop(self.lines.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
