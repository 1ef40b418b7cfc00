//! The latest scores of a camera, for a plot.

use std::collections::VecDeque;

use serde::Serialize;

/// Scores that are kept: ten minutes of a camera that is scored twice a second.
const MAX_POINTS: usize = 1_200;

/// A score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct TracePoint {
    /// When, monotonic milliseconds.
    pub at_ms: u64,
    /// Smoothed, 0 to 1.
    pub score: f32,
    /// From where on there are alarms, 0 to 1.
    pub threshold: f32,
}

/// The latest scores, each with a number from 0 on.
#[derive(Debug, Default)]
pub(super) struct Trace {
    points: VecDeque<TracePoint>,
    /// Number of the next one.
    next: u64,
}

/// Scores from some number on.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct TracePart {
    /// What to ask for next time.
    pub next: u64,
    /// Oldest first.
    pub points: Vec<TracePoint>,
}

impl Trace {
    pub(super) fn push(&mut self, point: TracePoint) {
        if self.points.len() == MAX_POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
        self.next += 1;
    }

    /// All that are kept from number `from` on. A number of the future is from before a restart: everything is new then.
    pub(super) fn since(&self, from: u64) -> TracePart {
        let first = self.next - self.points.len() as u64;
        let from = if from > self.next { 0 } else { from };
        let known = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        TracePart { next: self.next, points: self.points.iter().skip(known).copied().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(points: u64) -> Trace {
        let mut trace = Trace::default();
        (0..points).for_each(|at_ms| trace.push(TracePoint { at_ms, score: 0.5, threshold: 0.7 }));
        trace
    }

    #[test]
    fn who_asks_again_gets_what_is_new() {
        let trace = trace(5);
        let all = trace.since(0);
        assert_eq!((all.next, all.points.len()), (5, 5));
        let part = trace.since(3);
        assert_eq!(part.points.iter().map(|p| p.at_ms).collect::<Vec<_>>(), [3, 4]);
        assert!(trace.since(5).points.is_empty());
        assert_eq!(trace.since(900).points.len(), 5, "numbers of an earlier run");
    }

    #[test]
    fn old_scores_are_forgotten() {
        let trace = trace(MAX_POINTS as u64 + 10);
        let all = trace.since(0);
        assert_eq!((all.points.len(), all.points[0].at_ms), (MAX_POINTS, 10));
        assert_eq!(trace.since(MAX_POINTS as u64 + 9).points.len(), 1);
    }
}
