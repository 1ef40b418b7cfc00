//! The latest events of a camera since the program began, with evidence or without.

use std::collections::VecDeque;

use vad_core::EdgeKind;

use super::events::EventLine;
use crate::evidence::{Announced, EventName};

/// Events that are kept of each camera.
const MAX_EVENTS: usize = 50;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Newest last.
    events: VecDeque<(EventName, EventLine)>,
    raised: u64,
}

impl Journal {
    /// Takes an edge that was announced.
    pub(super) fn take(&mut self, camera: &alarm_proto::CameraId, announced: &Announced) {
        let Announced { edge, record, wall_ms, .. } = announced;
        if edge.kind == EdgeKind::Raised {
            self.raised += 1;
            if self.events.len() == MAX_EVENTS {
                self.events.pop_front();
            }
            let name = EventName::new(camera, record);
            let line = EventLine {
                id: name.to_string(),
                camera: camera.to_string(),
                number: edge.event,
                severity: announced.severity().to_owned(),
                wall_clock_ms: *wall_ms,
                peak: edge.peak,
                is_over: false,
                snapshot: None,
                clip: None,
            };
            return self.events.push_back((name, line));
        }
        if let Some((_, line)) = self.events.iter_mut().rev().find(|(_, line)| line.number == edge.event) {
            line.peak = line.peak.max(edge.peak);
            if edge.kind == EdgeKind::Cleared {
                line.is_over = true;
            } else {
                announced.severity().clone_into(&mut line.severity);
            }
        }
    }

    /// Events since the program began.
    pub(super) fn raised(&self) -> u64 {
        self.raised
    }

    /// All that are kept.
    pub(super) fn events(&self) -> impl Iterator<Item = &(EventName, EventLine)> {
        self.events.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Thresholds;
    use alarm_proto::{BoardId, BootId, CameraId, RecordId};
    use vad_core::{AlarmEdge, MediaTimeMs};

    fn announced(kind: EdgeKind, event: u32, peak: f32) -> Announced {
        let (at, onset) = (MediaTimeMs(0), MediaTimeMs(0));
        let boot = BootId { counter: 1, random: 2 };
        Announced {
            edge: AlarmEdge { kind, event, onset, at, score: peak, peak },
            record: RecordId { board: BoardId::try_from("b").unwrap(), boot, seq: event.into() },
            wall_ms: None,
            thresholds: Thresholds { raise: 0.5, critical: 0.8 },
        }
    }

    #[test]
    fn an_event_is_one_line_that_follows_it() {
        let (mut journal, camera) = (Journal::default(), CameraId::try_from("north").unwrap());
        journal.take(&camera, &announced(EdgeKind::Raised, 1, 0.6));
        journal.take(&camera, &announced(EdgeKind::Updated, 1, 0.9));
        journal.take(&camera, &announced(EdgeKind::Cleared, 1, 0.9));
        let (name, line) = journal.events().next().unwrap();
        assert_eq!(
            (name.to_string(), line.id.as_str()),
            ("north/1-00000002-1".to_owned(), "north/1-00000002-1")
        );
        assert_eq!((line.severity.as_str(), line.peak, line.is_over), ("critical", 0.9, true));
        assert_eq!(journal.events().count(), 1);
    }

    #[test]
    fn old_events_are_forgotten() {
        let (mut journal, camera) = (Journal::default(), CameraId::try_from("north").unwrap());
        for event in 1..=60 {
            journal.take(&camera, &announced(EdgeKind::Raised, event, 0.6));
        }
        let numbers: Vec<u32> = journal.events().map(|(_, line)| line.number).collect();
        assert_eq!((numbers.len(), numbers[0], journal.raised()), (MAX_EVENTS, 11, 60));
    }
}
