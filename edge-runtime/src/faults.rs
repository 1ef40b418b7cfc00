//! What keeps a camera from being watched, from its beginning to its end: each is reported once when it begins and once when it is over,
//! however often the camera is tried in between.
//!
//! A loose cable must not fill the disk with records: a fault that comes back soon after its end has to be gone for twice as long before
//! it is over again, up to [`LONGEST_GONE_MS`].

use alarm_proto::{FaultEdge, FaultKind};

/// A fault is over when it has been gone for this time.
pub const GONE_MS: u64 = 1_000;
/// The same for one that has come back again and again.
pub const LONGEST_GONE_MS: u64 = 600_000;
/// A fault that stays away for this time is forgotten.
const FORGOTTEN_AFTER_MS: u64 = 600_000;

/// Faults of one camera.
#[derive(Debug, Default)]
pub struct OpenFaults {
    /// Those that there have been, one of each kind at most.
    known: Vec<Known>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    kind: FaultKind,
    began_ms: u64,
    state: State,
    /// How long it has to be gone.
    gone_ms: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Present,
    GoneSince(u64),
    EndedAt(u64),
}

/// What a record will say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultChange {
    /// What is wrong.
    pub kind: FaultKind,
    /// Whether it began or is over.
    pub edge: FaultEdge,
    /// Monotonic time at which it began, milliseconds.
    pub began_ms: u64,
}

impl OpenFaults {
    /// Takes note of whether there is a fault of this kind at `now_ms`; the change, if that is news.
    pub fn note(&mut self, kind: FaultKind, is_present: bool, now_ms: u64) -> Option<FaultChange> {
        let Some(known) = self.known.iter_mut().find(|known| known.kind == kind) else {
            return is_present.then(|| {
                self.known.push(Known { kind, began_ms: now_ms, state: State::Present, gone_ms: GONE_MS });
                FaultChange { kind, edge: FaultEdge::Began, began_ms: now_ms }
            });
        };
        known.note(is_present, now_ms)
    }
}

impl Known {
    fn note(&mut self, is_present: bool, now_ms: u64) -> Option<FaultChange> {
        match (self.state, is_present) {
            (State::Present | State::GoneSince(_), true) => {
                self.state = State::Present;
                None
            }
            (State::Present, false) => {
                self.state = State::GoneSince(now_ms);
                None
            }
            (State::GoneSince(since_ms), false) => {
                if now_ms.saturating_sub(since_ms) < self.gone_ms {
                    return None;
                }
                self.state = State::EndedAt(now_ms);
                Some(self.change(FaultEdge::Ended))
            }
            (State::EndedAt(_), false) => None,
            (State::EndedAt(at_ms), true) => {
                let is_forgotten = now_ms.saturating_sub(at_ms) > FORGOTTEN_AFTER_MS;
                self.gone_ms = if is_forgotten { GONE_MS } else { (self.gone_ms * 2).min(LONGEST_GONE_MS) };
                self.began_ms = now_ms;
                self.state = State::Present;
                Some(self.change(FaultEdge::Began))
            }
        }
    }

    fn change(&self, edge: FaultEdge) -> FaultChange {
        FaultChange { kind: self.kind, edge, began_ms: self.began_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: FaultKind = FaultKind::NoPicture;

    #[test]
    fn a_fault_begins_once_and_ends_once_when_it_has_been_gone_for_a_while() {
        let mut faults = OpenFaults::default();
        assert_eq!(faults.note(KIND, false, 5), None, "nothing was wrong");
        let began = FaultChange { kind: KIND, edge: FaultEdge::Began, began_ms: 10 };
        assert_eq!(faults.note(KIND, true, 10), Some(began));
        assert_eq!(faults.note(KIND, true, 20), None, "it goes on");
        assert_eq!(faults.note(FaultKind::Dark, false, 25), None, "another kind");
        assert_eq!(faults.note(KIND, false, 30), None, "for a moment");
        assert_eq!(faults.note(KIND, true, 40), None, "it was not gone for long");
        assert_eq!(faults.note(KIND, false, 50), None);
        assert_eq!(faults.note(KIND, false, 49 + GONE_MS), None);
        assert_eq!(
            faults.note(KIND, false, 50 + GONE_MS),
            Some(FaultChange { edge: FaultEdge::Ended, ..began })
        );
        assert_eq!(faults.note(KIND, false, 60 + GONE_MS), None, "it is over");
    }

    #[test]
    fn a_loose_cable_is_reported_ever_more_seldom() {
        const DAY_MS: u64 = 86_400_000;
        let mut faults = OpenFaults::default();
        // Two seconds with pictures, three without, all day.
        let records =
            (0..DAY_MS / 500).filter(|half_s| faults.note(KIND, half_s % 10 >= 4, half_s * 500).is_some());
        assert!(records.count() <= 4, "a flood");
    }

    #[test]
    fn a_fault_of_yesterday_is_forgotten() {
        let mut faults = OpenFaults::default();
        let mut now_ms = 0;
        for _ in 0..5 {
            assert!(faults.note(KIND, true, now_ms).is_some());
            assert!(faults.note(KIND, false, now_ms + 1).is_none());
            assert!(
                faults.note(KIND, false, now_ms + 1 + GONE_MS).is_some(),
                "no longer than the first time"
            );
            now_ms += 2 * FORGOTTEN_AFTER_MS;
        }
    }

    proptest! {
        #[test]
        fn edges_of_a_kind_alternate(notes in prop::collection::vec((0_usize..3, any::<bool>(), 0_u64..5_000), 0..200)) {
            let kinds = [FaultKind::NoPicture, FaultKind::Dark, FaultKind::Frozen];
            let mut faults = OpenFaults::default();
            let mut expected = [FaultEdge::Began; 3];
            let mut now_ms = 0;
            for (kind, is_present, after_ms) in notes {
                now_ms += after_ms;
                let Some(change) = faults.note(kinds[kind], is_present, now_ms) else { continue };
                prop_assert_eq!(change.edge, expected[kind]);
                prop_assert!(change.began_ms <= now_ms);
                expected[kind] = match change.edge {
                    FaultEdge::Began => FaultEdge::Ended,
                    FaultEdge::Ended => FaultEdge::Began,
                };
            }
            prop_assert!(faults.known.len() <= kinds.len());
        }
    }
}
