//! What keeps a camera from being watched, from its beginning to its end: each is reported once when it begins and once when it is over,
//! however often the camera is tried in between.

use alarm_proto::{FaultEdge, FaultKind};

/// Faults of one camera that have begun and are not over.
#[derive(Debug, Default)]
pub struct OpenFaults {
    open: Vec<Began>,
}

#[derive(Debug, Clone, Copy)]
struct Began {
    kind: FaultKind,
    at_ms: u64,
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
        let known = self.open.iter().position(|began| began.kind == kind);
        match (known, is_present) {
            (None, true) => {
                self.open.push(Began { kind, at_ms: now_ms });
                Some(FaultChange { kind, edge: FaultEdge::Began, began_ms: now_ms })
            }
            (Some(at), false) => {
                let began = self.open.swap_remove(at);
                Some(FaultChange { kind, edge: FaultEdge::Ended, began_ms: began.at_ms })
            }
            (None, false) | (Some(_), true) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fault_begins_once_and_ends_once() {
        let mut faults = OpenFaults::default();
        let kind = FaultKind::NoPicture;
        assert_eq!(faults.note(kind, false, 5), None, "nothing was wrong");
        let began = FaultChange { kind, edge: FaultEdge::Began, began_ms: 10 };
        assert_eq!(faults.note(kind, true, 10), Some(began));
        assert_eq!(faults.note(kind, true, 20), None, "it goes on");
        assert_eq!(faults.note(FaultKind::Dark, false, 25), None, "another kind");
        assert_eq!(faults.note(kind, false, 30), Some(FaultChange { edge: FaultEdge::Ended, ..began }));
        assert_eq!(faults.note(kind, false, 40), None, "it is over");
    }

    proptest! {
        #[test]
        fn edges_of_a_kind_alternate(notes in prop::collection::vec((0_usize..3, any::<bool>()), 0..60)) {
            let kinds = [FaultKind::NoPicture, FaultKind::Dark, FaultKind::Frozen];
            let mut faults = OpenFaults::default();
            let mut expected = [FaultEdge::Began; 3];
            for (at_ms, (kind, is_present)) in (0..).zip(notes) {
                let Some(change) = faults.note(kinds[kind], is_present, at_ms) else { continue };
                prop_assert_eq!(change.edge, expected[kind]);
                prop_assert!(change.began_ms <= at_ms);
                expected[kind] = match change.edge {
                    FaultEdge::Began => FaultEdge::Ended,
                    FaultEdge::Ended => FaultEdge::Began,
                };
            }
            prop_assert!(faults.open.len() <= kinds.len());
        }
    }
}
