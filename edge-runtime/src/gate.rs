//! Which of a detector's events are let through to the siren and the hub.
//!
//! ```text
//!            begins, all may pass                       nothing may pass / Cleared
//!   quiet ---------------------------> announced --------------------------------> withheld
//!     |                                   ^                                         ^  |
//!     |                                   +----- all may pass, still going / Raised ---+
//!     +---- begins, nothing new may pass -------------------------------------------+
//! ```

use vad_core::{AlarmEdge, EdgeKind, MediaTimeMs};

use crate::detector::ClipReport;

/// What may pass at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Every event.
    All,
    /// Events that are announced already.
    Running,
    /// None.
    Nothing,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct EventGate {
    state: State,
    /// Events announced so far. They are numbered here: one that is announced again is a new one to whoever hears of it.
    events: u32,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Quiet,
    Announced(AlarmEdge),
    Withheld(AlarmEdge),
}

impl EventGate {
    /// Takes a scored clip; what is to be announced of it.
    pub fn scored(&mut self, report: &ClipReport, permit: Permit) -> Option<AlarmEdge> {
        let edge = report.step.edge;
        if let Some(edge) = edge.filter(|edge| edge.kind == EdgeKind::Cleared) {
            return self.end(Some(edge));
        }
        let score = report.step.smoothed;
        let now = |last: AlarmEdge| {
            edge.unwrap_or(AlarmEdge { at: report.end, score, peak: last.peak.max(score), ..last })
        };
        match self.state {
            State::Quiet => edge.and_then(|edge| self.begin(edge, permit)),
            State::Withheld(last) => self.begin(now(last), permit),
            State::Announced(last) => {
                let now = AlarmEdge { event: last.event, ..now(last) };
                if permit == Permit::Nothing {
                    return self.withhold(now);
                }
                self.state = State::Announced(now);
                edge.map(|_| now)
            }
        }
    }

    /// Takes a picture that ended no clip: an event does not wait for the next score to be cleared.
    pub fn unscored(&mut self, at: MediaTimeMs, permit: Permit) -> Option<AlarmEdge> {
        match self.state {
            State::Announced(last) if permit == Permit::Nothing => self.withhold(AlarmEdge { at, ..last }),
            _ => None,
        }
    }

    /// Takes the end of the detector's event, or of its stream.
    pub fn end(&mut self, cleared: Option<AlarmEdge>) -> Option<AlarmEdge> {
        match std::mem::take(&mut self.state) {
            State::Announced(last) => {
                let edge = cleared.unwrap_or(last);
                Some(AlarmEdge { kind: EdgeKind::Cleared, event: last.event, ..edge })
            }
            State::Quiet | State::Withheld(_) => None,
        }
    }

    /// Whether an event is announced and goes on.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        matches!(self.state, State::Announced(_))
    }

    fn begin(&mut self, edge: AlarmEdge, permit: Permit) -> Option<AlarmEdge> {
        if permit != Permit::All {
            self.state = State::Withheld(edge);
            return None;
        }
        self.events = self.events.wrapping_add(1);
        let raised = AlarmEdge { kind: EdgeKind::Raised, event: self.events, ..edge };
        self.state = State::Announced(raised);
        Some(raised)
    }

    fn withhold(&mut self, last: AlarmEdge) -> Option<AlarmEdge> {
        self.state = State::Withheld(last);
        Some(AlarmEdge { kind: EdgeKind::Cleared, ..last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vad_core::{ClipSpan, FrameIndex, ScoreSample, ScoreSpec, ScoreTracker};

    const CLIP_MS: u64 = 1_600;

    /// A detector whose scores are given.
    struct Scores {
        tracker: ScoreTracker,
        clip: u64,
    }

    impl Scores {
        fn new() -> Self {
            let spec = ScoreSpec { cool_down_ms: 0, update_interval_ms: 4_000, ..ScoreSpec::default() };
            Self { tracker: ScoreTracker::new(spec).unwrap(), clip: 0 }
        }

        fn next(&mut self, raw: f32) -> ClipReport {
            let (start, end) = (MediaTimeMs(self.clip * CLIP_MS), MediaTimeMs((self.clip + 1) * CLIP_MS));
            let span = ClipSpan { index: self.clip, first_frame: FrameIndex(self.clip * 16), frames: 16 };
            self.clip += 1;
            let step = self.tracker.push(ScoreSample { start, end, raw });
            ClipReport { span, start, end, raw, step }
        }
    }

    /// What passes of clips that are high (`#`) or low (`.`), each with its permit.
    fn passed(clips: &[(char, Permit)]) -> Vec<Option<(EdgeKind, u32)>> {
        let (mut scores, mut gate) = (Scores::new(), EventGate::default());
        let mut pass = |&(level, permit): &(char, Permit)| {
            let report = scores.next(if level == '#' { 0.9 } else { 0.1 });
            gate.scored(&report, permit).map(|edge| (edge.kind, edge.event))
        };
        clips.iter().map(&mut pass).collect()
    }

    use EdgeKind::{Cleared, Raised, Updated};
    use Permit::{All, Nothing, Running};

    #[test]
    fn where_all_may_pass_the_detectors_edges_do() {
        let (mut scores, mut gate) = (Scores::new(), EventGate::default());
        for raw in [0.1, 0.9, 0.8, 0.95, 0.9, 0.2, 0.9, 0.1] {
            let report = scores.next(raw);
            assert_eq!(gate.scored(&report, All), report.step.edge);
        }
    }

    #[test]
    fn disarming_clears_and_arming_raises_what_still_goes_on() {
        let clips = [('#', All), ('#', Nothing), ('#', Nothing), ('#', All), ('.', All)];
        let expected = [Some((Raised, 1)), Some((Cleared, 1)), None, Some((Raised, 2)), Some((Cleared, 2))];
        assert_eq!(passed(&clips), expected);
    }

    #[test]
    fn what_begins_and_ends_while_nothing_may_pass_is_never_heard_of() {
        let clips = [('#', Nothing), ('#', Nothing), ('.', Nothing), ('.', All), ('#', All)];
        assert_eq!(passed(&clips), [None, None, None, None, Some((Raised, 1))]);
    }

    #[test]
    fn a_running_event_goes_on_where_no_new_one_may_begin() {
        let clips =
            [('#', All), ('#', Running), ('#', Running), ('#', Running), ('.', Running), ('#', Running)];
        let edges = passed(&clips);
        assert_eq!(edges[0], Some((Raised, 1)));
        assert!(edges[1..4].contains(&Some((Updated, 1))), "{edges:?}");
        assert_eq!(edges[4..], [Some((Cleared, 1)), None]);
    }

    #[test]
    fn between_clips_and_at_the_end_a_running_event_is_cleared() {
        let (mut scores, mut gate) = (Scores::new(), EventGate::default());
        gate.scored(&scores.next(0.9), All);
        assert_eq!(gate.unscored(MediaTimeMs(1_700), Running), None);
        let cleared = gate.unscored(MediaTimeMs(1_800), Nothing).unwrap();
        assert_eq!((cleared.kind, cleared.event, cleared.at), (Cleared, 1, MediaTimeMs(1_800)));
        assert_eq!(gate.unscored(MediaTimeMs(1_900), Nothing), None);
        assert_eq!(gate.end(scores.tracker.finish()), None, "it was cleared before");
        gate.scored(&scores.next(0.9), All);
        assert_eq!(
            gate.end(None).map(|edge| (edge.kind, edge.event)),
            Some((Cleared, 2)),
            "as after a panic"
        );
    }

    proptest! {
        #[test]
        fn events_are_raised_and_cleared_in_turns_and_never_run_without_permit(
            clips in prop::collection::vec((any::<bool>(), 0..3_usize), 0..60)
        ) {
            let clips: Vec<_> = clips.into_iter()
                .map(|(high, permit)| (if high { '#' } else { '.' }, [All, Running, Nothing][permit]))
                .collect();
            let mut running = None;
            let mut events = 0;
            for (edge, (_, permit)) in passed(&clips).into_iter().zip(&clips) {
                match edge {
                    Some((Raised, event)) => {
                        prop_assert!(running.is_none() && *permit == All);
                        events += 1;
                        prop_assert_eq!(event, events);
                        running = Some(event);
                    }
                    Some((kind, event)) => {
                        prop_assert_eq!(running, Some(event));
                        if kind == Cleared { running = None; }
                    }
                    None => {}
                }
                prop_assert!(running.is_none() || *permit != Nothing);
            }
        }
    }
}
