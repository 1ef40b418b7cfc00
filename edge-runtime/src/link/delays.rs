//! How long records took from their writing to the hub's Ack: the latest ones.

use std::collections::VecDeque;
use std::fmt;

use alarm_proto::Message;

/// How many are kept.
const KEPT: usize = 1_024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Delays {
    ms: VecDeque<u64>,
}

/// Some figures of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelayFigures {
    /// Of how many records.
    pub records: usize,
    /// Half of them took at most this, milliseconds.
    pub p50_ms: u64,
    /// 99 of a hundred took at most this, milliseconds.
    pub p99_ms: u64,
    /// The longest, milliseconds.
    pub max_ms: u64,
}

impl Delays {
    /// Takes a record of this boot that the hub has acknowledged.
    pub(super) fn note(&mut self, frame: &[u8], now_ms: u64) {
        let written_ms = match alarm_proto::decode(frame) {
            Ok(Message::Alarm(alarm)) => alarm.uptime_ms,
            Ok(Message::Fault(fault)) => fault.uptime_ms,
            _ => return,
        };
        if self.ms.len() == KEPT {
            self.ms.pop_front();
        }
        self.ms.push_back(now_ms.saturating_sub(written_ms));
    }

    /// Nothing before the first record.
    pub(super) fn figures(&self) -> Option<DelayFigures> {
        let mut sorted: Vec<u64> = self.ms.iter().copied().collect();
        sorted.sort_unstable();
        // The nearest rank.
        let percentile =
            |share: usize| sorted.get((sorted.len() * share).div_ceil(100).saturating_sub(1)).copied();
        Some(DelayFigures {
            records: sorted.len(),
            p50_ms: percentile(50)?,
            p99_ms: percentile(99)?,
            max_ms: *sorted.last()?,
        })
    }
}

impl fmt::Display for DelayFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, p50_ms, p99_ms, max_ms } = self;
        write!(
            f,
            "{records} records, from writing to the hub's Ack: p50 {p50_ms} ms, p99 {p99_ms} ms, at most {max_ms} ms"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm_proto::{Alarm, BoardId, BootId, CameraId, EventKind, MAX_FRAME_LEN, RecordId, Severity};

    fn alarm(uptime_ms: u64) -> Vec<u8> {
        let id = RecordId {
            board: BoardId::try_from("b").unwrap(),
            boot: BootId { counter: 1, random: 2 },
            seq: 1,
        };
        let message = Message::Alarm(Alarm {
            id,
            camera: CameraId::try_from("c").unwrap(),
            kind: EventKind::Drill,
            event: 0,
            severity: Severity::Notice,
            wall_clock_ms: None,
            uptime_ms,
            onset_media_ms: 0,
            media_ms: 0,
            score: 0.0,
            peak: 0.0,
            threshold: 0.0,
            model: [0; 8],
        });
        alarm_proto::encode(&message, &mut [0; MAX_FRAME_LEN]).unwrap().to_vec()
    }

    #[test]
    fn figures_are_those_of_the_latest_records() {
        let mut delays = Delays::default();
        assert_eq!(delays.figures(), None);
        delays.note(b"no frame", 5);
        (1..=100).for_each(|delay| delays.note(&alarm(1_000), 1_000 + delay));
        let figures = delays.figures().unwrap();
        assert_eq!(figures, DelayFigures { records: 100, p50_ms: 50, p99_ms: 99, max_ms: 100 });
        (0..2 * KEPT).for_each(|_| delays.note(&alarm(1_000), 1_007));
        assert_eq!(
            delays.figures().unwrap(),
            DelayFigures { records: KEPT, p50_ms: 7, p99_ms: 7, max_ms: 7 }
        );
    }
}
