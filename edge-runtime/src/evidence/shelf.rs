//! Which events are kept, and which go when there is no room or they are too old: the oldest first.
//!
//! Age is counted in hours for which the board kept evidence, and neither in wall-clock time, which jumps, nor in the times of files,
//! which follow it. A board that is off does not age.

use std::collections::BTreeMap;

use super::name::EventName;

/// Evidence that is complete.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// By age. Names of different boots cannot be compared: an outbox that was lost counts boots anew.
    events: BTreeMap<(u64, EventName), u64>,
    bytes: u64,
}

/// An event that is complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// For how many hours evidence had been kept when it was raised.
    pub(super) hour: u64,
    pub(super) name: EventName,
    /// Of its files.
    pub(super) bytes: u64,
}

/// What may lie on the shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of everything.
    pub(super) max_bytes: u64,
    /// Hours.
    pub(super) max_age_h: u64,
}

impl Shelf {
    /// Puts an event there.
    pub(super) fn put(&mut self, Kept { hour, name, bytes }: Kept) {
        let before = self.events.insert((hour, name), bytes);
        self.bytes = self.bytes - before.unwrap_or(0) + bytes;
    }

    /// Bytes of everything.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Number of events.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Takes the oldest event away if it is too old at `now_h`, or if there are too many bytes with `more_bytes` that lie elsewhere.
    pub(super) fn expired(&mut self, now_h: u64, more_bytes: u64, limits: Limits) -> Option<Kept> {
        let ((hour, _), _) = self.events.first_key_value()?;
        let is_old = now_h.saturating_sub(*hour) >= limits.max_age_h;
        let is_full = self.bytes.saturating_add(more_bytes) > limits.max_bytes;
        if is_old || is_full { self.oldest() } else { None }
    }

    /// Takes the oldest event away.
    pub(super) fn oldest(&mut self) -> Option<Kept> {
        let ((hour, name), bytes) = self.events.pop_first()?;
        self.bytes -= bytes;
        Some(Kept { hour, name, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm_proto::{BootId, CameraId};
    use proptest::prelude::*;

    fn name(seq: u64) -> EventName {
        let boot = BootId { counter: 1, random: 2 };
        EventName { camera: CameraId::try_from("north").unwrap(), boot, seq }
    }

    #[test]
    fn the_oldest_goes_first_by_age_and_by_size() {
        let limits = Limits { max_bytes: 100, max_age_h: 10 };
        let mut shelf = Shelf::default();
        for (hour, seq) in [(5, 2), (3, 9), (7, 1)] {
            shelf.put(Kept { hour, name: name(seq), bytes: 30 });
        }
        assert_eq!(shelf.expired(12, 0, limits), None);
        assert_eq!(shelf.expired(13, 0, limits).unwrap().name, name(9), "ten hours old");
        assert_eq!(shelf.expired(13, 40, limits), None, "100 bytes");
        let kept = shelf.expired(13, 41, limits).unwrap();
        assert_eq!(kept, Kept { hour: 5, name: name(2), bytes: 30 }, "too many");
        assert_eq!(shelf.expired(0, 0, limits), None, "an hour from before");
        assert_eq!((shelf.bytes(), shelf.len()), (30, 1));
    }

    proptest! {
        #[test]
        fn afterwards_everything_is_within_limits(
            events in prop::collection::vec((0_u64..50, 0_u64..1_000, 1_u64..500), 0..60),
            now_h in 0_u64..80, more in 0_u64..300
        ) {
            let limits = Limits { max_bytes: 3_000, max_age_h: 20 };
            let mut shelf = Shelf::default();
            let mut all = BTreeMap::new();
            for (hour, seq, bytes) in events {
                shelf.put(Kept { hour, name: name(seq), bytes });
                all.insert((hour, seq), bytes);
            }
            prop_assert_eq!(shelf.bytes(), all.values().sum::<u64>());
            let mut gone = Vec::new();
            while let Some(kept) = shelf.expired(now_h, more, limits) {
                gone.push(kept.name.seq);
            }
            prop_assert!(shelf.len() == 0 || shelf.bytes() + more <= limits.max_bytes);
            let kept: Vec<u64> = all.keys().skip(gone.len()).map(|(hour, _)| *hour).collect();
            prop_assert!(kept.iter().all(|hour| now_h.saturating_sub(*hour) < limits.max_age_h));
            let expected: Vec<u64> = all.keys().take(gone.len()).map(|(_, seq)| *seq).collect();
            prop_assert_eq!(gone, expected);
        }
    }
}
