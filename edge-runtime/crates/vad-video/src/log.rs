//! What a child program says on its standard error, kept within bounds.
//!
//! A thread drains the pipe, so the child never blocks on it however much it complains. The first lines name the
//! cause and the last ones the outcome: both are kept, the middle is dropped.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};

const HEAD_BYTES: usize = 4096;
const TAIL_BYTES: usize = 4096;
const REASON_LINES: usize = 3;

/// The first and last bytes of a log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    head: Vec<u8>,
    tail: VecDeque<u8>,
}

impl Log {
    /// Reads to the end; a read error ends it too, since nothing more can be learnt.
    pub(crate) fn drain(mut from: impl Read) -> Self {
        let mut log = Self::default();
        let mut chunk = [0_u8; 4096];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => return log,
                Ok(count) => log.push(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return log,
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let to_head = bytes.len().min(HEAD_BYTES - self.head.len());
        self.head.extend_from_slice(&bytes[..to_head]);
        self.tail.extend(&bytes[to_head..]);
        let excess = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..excess);
    }

    /// True when the program had nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.iter().all(u8::is_ascii_whitespace)
    }

    /// The first lines in one, without memory addresses, so that equal faults read equally.
    pub(crate) fn reason(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let mut lines = Vec::<String>::new();
        for text in [String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&tail)] {
            for line in text.lines().map(tidy).filter(|line| !line.is_empty()) {
                if lines.len() < REASON_LINES && !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        lines.join("; ")
    }
}

/// `[h264 @ 0x55e5] [error] text` becomes `h264: text`.
fn tidy(line: &str) -> String {
    let mut rest = line.trim();
    let mut context = None;
    while let Some((inside, after)) = rest.strip_prefix('[').and_then(|open| open.split_once(']')) {
        if let Some((name, _address)) = inside.split_once(" @ ") {
            context = Some(name);
        }
        rest = after.trim_start();
    }
    match context {
        Some(name) if name != "NULL" => format!("{name}: {rest}"),
        _ => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_levels_are_left_out_and_repeats_collapse() {
        let text =
            "[h264 @ 0x55e5] [error] bad slice\n[h264 @ 0x99] [error] bad slice\n\n[error] f.mp4: invalid\n";
        let log = Log::drain(text.as_bytes());
        assert_eq!(log.reason(), "h264: bad slice; f.mp4: invalid");
        assert!(!log.is_empty());
    }

    #[test]
    fn endless_logs_stay_small_and_keep_both_ends() {
        let text = format!("first cause\n{}last word\n", "x".repeat(5_000_000));
        let log = Log::drain(text.as_bytes());
        assert_eq!(log.head.len() + log.tail.len(), HEAD_BYTES + TAIL_BYTES);
        assert!(log.reason().starts_with("first cause"));
        assert!(String::from_utf8_lossy(log.tail.as_slices().0).len() <= TAIL_BYTES);
        assert!(log.tail.iter().rev().copied().take(10).eq(b"last word\n".iter().rev().copied()));
    }
}
