//! Counts what was refused and says so at a bounded rate, so that a hostile sender cannot fill the log.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ingest::{RawMessage, Refusal};

/// Lines printed within one window; the rest is only counted.
const LINES_PER_WINDOW: u32 = 5;
/// Length of a window.
const WINDOW: Duration = Duration::from_secs(10);
/// Longest topic excerpt in a log line, in characters before escaping.
const TOPIC_EXCERPT_CHARS: usize = 80;

/// Refusals by reason, and the rate limiter of their log lines.
#[derive(Debug, Default)]
pub struct Refusals {
    counts: BTreeMap<&'static str, u64>,
    window_start: Duration,
    lines_in_window: u32,
    unlogged: u64,
}

impl Refusals {
    /// Counts a refusal; returns the line to log, if the rate allows one.
    pub fn note(&mut self, message: &RawMessage, refusal: &Refusal, now: Duration) -> Option<String> {
        *self.counts.entry(name(refusal)).or_default() += 1;
        if now.saturating_sub(self.window_start) >= WINDOW {
            self.window_start = now;
            self.lines_in_window = 0;
        }
        if self.lines_in_window >= LINES_PER_WINDOW {
            self.unlogged += 1;
            return None;
        }
        self.lines_in_window += 1;
        let hidden = match std::mem::take(&mut self.unlogged) {
            0 => String::new(),
            more => format!(" ({more} more since the last line)"),
        };
        Some(format!(
            "refused a message on topic \"{}\", {} bytes: {refusal}{hidden}",
            excerpt(&message.topic),
            message.payload.len()
        ))
    }

    /// How many were refused, all reasons together.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many were refused for each reason.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }
}

fn name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Topic(_) => "topic",
        Refusal::Prefix => "prefix",
        Refusal::Frame(_) => "frame",
        Refusal::Board { .. } => "board",
        Refusal::Kind { .. } => "kind",
        Refusal::Range { .. } => "range",
        Refusal::StaleHeartbeat(_) => "stale-heartbeat",
        Refusal::TooManyBoards(_) => "too-many-boards",
    }
}

/// A topic made harmless for a log: bounded, on one line, without control characters.
fn excerpt(topic: &[u8]) -> String {
    let text = String::from_utf8_lossy(topic);
    let mut short: String = text.chars().take(TOPIC_EXCERPT_CHARS).flat_map(char::escape_default).collect();
    if text.chars().nth(TOPIC_EXCERPT_CHARS).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &[u8]) -> RawMessage {
        RawMessage { topic: topic.to_vec(), payload: vec![0; 7] }
    }

    #[test]
    fn a_flood_is_counted_in_full_and_logged_at_a_bounded_rate() {
        let mut refusals = Refusals::default();
        let mut lines = 0;
        for step in 0..10_000_u64 {
            let now = Duration::from_millis(step);
            lines += u32::from(refusals.note(&message(b"x"), &Refusal::Prefix, now).is_some());
        }
        assert_eq!(refusals.total(), 10_000);
        assert_eq!(lines, LINES_PER_WINDOW);
        let line = refusals.note(&message(b"x"), &Refusal::Prefix, Duration::from_secs(10)).unwrap();
        assert!(line.contains("9995 more"), "{line}");
    }

    #[test]
    fn a_line_names_topic_length_and_reason_and_cannot_be_forged() {
        let mut refusals = Refusals::default();
        let line =
            refusals.note(&message(b"a\nRAISED \xff\x1b[2J"), &Refusal::Prefix, Duration::ZERO).unwrap();
        assert!(
            line.contains("a\\nRAISED") && line.contains("7 bytes") && line.contains("below this hub"),
            "{line}"
        );
        assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
        let long = refusals.note(&message(&[b'y'; 100_000]), &Refusal::Prefix, Duration::ZERO).unwrap();
        assert!(long.len() < 400, "{}", long.len());
    }
}
