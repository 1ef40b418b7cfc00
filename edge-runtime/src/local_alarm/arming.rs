//! Which events are announced: all while the board is armed, none that begin while it is not.

use std::collections::BTreeSet;

use alarm_proto::CameraId;
use vad_core::EdgeKind;

/// Whether the board is armed, and what it has announced.
#[derive(Debug)]
pub(super) struct Arming {
    is_armed: bool,
    /// Cameras whose lasting event was announced.
    announced: BTreeSet<CameraId>,
}

impl Default for Arming {
    /// Armed: a key switch that cannot be read must not keep the board silent.
    fn default() -> Self {
        Self { is_armed: true, announced: BTreeSet::new() }
    }
}

impl Arming {
    pub fn is_armed(&self) -> bool {
        self.is_armed
    }

    pub fn set_armed(&mut self, armed: bool) {
        self.is_armed = armed;
    }

    /// As what an edge is announced. Who was told of an event is told of its end too, armed or not; an event that
    /// began unannounced is raised by its first update after arming.
    pub fn admit(&mut self, camera: &CameraId, kind: EdgeKind) -> Option<EdgeKind> {
        match kind {
            EdgeKind::Cleared => self.announced.remove(camera).then_some(EdgeKind::Cleared),
            _ if !self.is_armed => None,
            EdgeKind::Raised => {
                self.announced.insert(camera.clone());
                Some(EdgeKind::Raised)
            }
            EdgeKind::Updated if self.announced.insert(camera.clone()) => Some(EdgeKind::Raised),
            EdgeKind::Updated => Some(EdgeKind::Updated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn camera() -> CameraId {
        CameraId::try_from("north").unwrap()
    }

    #[test]
    fn nothing_is_announced_while_disarmed_but_the_end_of_what_was_announced() {
        let mut arming = Arming::default();
        assert_eq!(arming.admit(&camera(), EdgeKind::Raised), Some(EdgeKind::Raised));
        arming.set_armed(false);
        assert_eq!(arming.admit(&camera(), EdgeKind::Updated), None);
        assert_eq!(arming.admit(&camera(), EdgeKind::Cleared), Some(EdgeKind::Cleared));
        assert_eq!(arming.admit(&camera(), EdgeKind::Raised), None);
        assert_eq!(arming.admit(&camera(), EdgeKind::Cleared), None);
    }

    #[test]
    fn an_event_that_lasts_while_the_board_is_armed_is_raised_then() {
        let mut arming = Arming::default();
        arming.set_armed(false);
        assert_eq!(arming.admit(&camera(), EdgeKind::Raised), None);
        arming.set_armed(true);
        assert_eq!(arming.admit(&camera(), EdgeKind::Updated), Some(EdgeKind::Raised));
        assert_eq!(arming.admit(&camera(), EdgeKind::Updated), Some(EdgeKind::Updated));
        assert_eq!(arming.admit(&camera(), EdgeKind::Cleared), Some(EdgeKind::Cleared));
    }

    proptest! {
        /// Whatever the key does meanwhile, whoever reads the announcements sees whole events.
        #[test]
        fn announcements_are_whole_events(steps in proptest::collection::vec((any::<bool>(), 0u8..4), 0..60)) {
            let (mut arming, mut lasts, mut told) = (Arming::default(), false, false);
            for (armed, step) in steps {
                arming.set_armed(armed);
                let kind = match (lasts, step) {
                    (false, _) => EdgeKind::Raised,
                    (true, 0) => EdgeKind::Cleared,
                    (true, _) => EdgeKind::Updated,
                };
                lasts = kind != EdgeKind::Cleared;
                let announced = arming.admit(&camera(), kind);
                let was_due = match announced {
                    Some(EdgeKind::Raised) => armed && !told,
                    Some(EdgeKind::Updated) => armed && told,
                    Some(EdgeKind::Cleared) => told,
                    None if kind == EdgeKind::Cleared => !told,
                    None => !armed,
                };
                prop_assert!(was_due, "{:?} as {:?}", kind, announced);
                told = match announced {
                    Some(kind) => kind != EdgeKind::Cleared,
                    None => told,
                };
            }
        }
    }
}
