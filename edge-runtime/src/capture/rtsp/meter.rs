//! How much a camera may send without a picture. The library that speaks RTSP keeps what belongs to one message or one picture, however
//! long it is.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// What this thread reads.
pub(super) struct Meter {
    most: u64,
    /// Where the counter was; `None` where the kernel does not count.
    begin: Option<u64>,
}

impl Meter {
    /// Counts from now on, up to `most` bytes.
    pub(super) fn start(most: u64) -> Self {
        Self { most, begin: read_bytes() }
    }

    /// Counts anew.
    pub(super) fn begin_anew(&mut self) {
        self.begin = read_bytes();
    }

    /// The future's result; `None` when the thread has read more than it may and the future waits for still more.
    pub(super) async fn within<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Pending if self.is_over() => Poll::Ready(None),
            polled => polled.map(Some),
        })
        .await
    }

    fn is_over(&self) -> bool {
        let read = self.begin.and_then(|begin| Some(read_bytes()?.saturating_sub(begin)));
        read.is_some_and(|bytes| bytes > self.most)
    }
}

/// Bytes that this thread has read from connections and files since it began.
fn read_bytes() -> Option<u64> {
    let counters = std::fs::read_to_string("/proc/thread-self/io").ok()?;
    counters.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_a_thread_reads_counts_and_what_another_reads_does_not() {
        let mut zeros = std::fs::File::open("/dev/zero").unwrap();
        let mut meter = Meter::start(1 << 20);
        if read_bytes().is_none() {
            return;
        }
        let mut buffer = vec![0; 2 << 20];
        std::thread::scope(|scope| scope.spawn(|| zeros.read_exact(&mut buffer).unwrap()).join().unwrap());
        assert!(!meter.is_over());
        zeros.read_exact(&mut buffer).unwrap();
        assert!(meter.is_over());
        meter.begin_anew();
        assert!(!meter.is_over());
    }
}
