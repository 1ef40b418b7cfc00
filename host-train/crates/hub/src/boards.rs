//! Supervision: a board whose heartbeats stop is lost, and is never shown by its last good state.
//!
//! States follow from the age of the last heartbeat at the moment of asking, so that a forgotten timer cannot keep a
//! board "normal". All times are monotonic.

use std::collections::BTreeMap;
use std::time::Duration;

use alarm_proto::{BootId, Heartbeat};

use crate::ingest::Refusal;

/// A board without a heartbeat for this long is lost. Boards send one every 5 s; people must see the loss within 15 s,
/// and one second of that is left for the way to the screen.
pub const LOST_AFTER: Duration = Duration::from_secs(14);
/// A camera frame older than this means a stalled picture, in milliseconds.
pub const STALE_FRAME_MS: u32 = 5_000;
/// Most boards supervised; more are refused.
pub const MAX_BOARDS: usize = 4_096;

/// What is known of a board now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoardState {
    /// Known from earlier, or from an alarm, and not heard of yet.
    Awaited,
    /// Heartbeats arrive and frames advance.
    Normal,
    /// Heartbeats arrive, frames do not advance.
    Stalled,
    /// No heartbeat within [`LOST_AFTER`].
    Lost,
}

impl BoardState {
    /// The word shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Normal => "normal",
            Self::Stalled => "stalled",
            Self::Lost => "lost",
        }
    }
}

/// A board changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardChange {
    /// Site of the board.
    pub site: String,
    /// Board.
    pub board: String,
    /// State before.
    pub from: BoardState,
    /// State now.
    pub to: BoardState,
    /// Why, for people.
    pub reason: String,
}

#[derive(Debug)]
struct Board {
    site: String,
    /// When it was last heard of by heartbeat, or first awaited.
    heard_at: Duration,
    last: Option<Beat>,
    /// State last reported.
    shown: BoardState,
}

#[derive(Debug, Clone, Copy)]
struct Beat {
    boot: BootId,
    uptime_ms: u64,
    last_frame_age_ms: Option<u32>,
}

impl Board {
    fn state(&self, now: Duration) -> BoardState {
        if now.saturating_sub(self.heard_at) >= LOST_AFTER {
            return BoardState::Lost;
        }
        match self.last {
            None => BoardState::Awaited,
            Some(beat) => match beat.last_frame_age_ms {
                Some(age_ms) if age_ms <= STALE_FRAME_MS => BoardState::Normal,
                _ => BoardState::Stalled,
            },
        }
    }

    /// Whether a heartbeat is news rather than a repetition, a delayed one or an earlier boot's.
    fn advances(&self, heartbeat: &Heartbeat, now: Duration) -> Result<(), Refusal> {
        let Some(last) = self.last else { return Ok(()) };
        if last.boot == heartbeat.boot {
            return match heartbeat.uptime_ms > last.uptime_ms {
                true => Ok(()),
                false => Err(Refusal::StaleHeartbeat("it repeats or precedes the last one of this boot")),
            };
        }
        // A replaced card starts counting again: accepted once the board is lost, refused while another boot lives.
        match heartbeat.boot.counter > last.boot.counter || self.state(now) == BoardState::Lost {
            true => Ok(()),
            false => Err(Refusal::StaleHeartbeat("it is of an older boot, or two boards use this name")),
        }
    }
}

/// Every board heard of, bounded.
#[derive(Debug, Default)]
pub struct Boards {
    boards: BTreeMap<String, Board>,
}

impl Boards {
    /// Awaits a board from now on; `true` when it was unknown. Alarms and the store's memory call this.
    ///
    /// # Errors
    /// [`Refusal::TooManyBoards`] beyond [`MAX_BOARDS`].
    pub fn expect(&mut self, site: &str, board: &str, now: Duration) -> Result<bool, Refusal> {
        if self.boards.contains_key(board) {
            return Ok(false);
        }
        if self.boards.len() >= MAX_BOARDS {
            return Err(Refusal::TooManyBoards(MAX_BOARDS));
        }
        let entry = Board { site: site.to_owned(), heard_at: now, last: None, shown: BoardState::Awaited };
        self.boards.insert(board.to_owned(), entry);
        Ok(true)
    }

    /// Takes a heartbeat; returns the change of state it causes, if any.
    ///
    /// # Errors
    /// [`Refusal`] when it does not advance or there are too many boards; the state is then unchanged.
    pub fn heartbeat(
        &mut self,
        site: &str,
        heartbeat: &Heartbeat,
        now: Duration,
    ) -> Result<Option<BoardChange>, Refusal> {
        let name = heartbeat.board.as_str();
        self.expect(site, name, now)?;
        let Some(board) = self.boards.get_mut(name) else { return Ok(None) };
        board.advances(heartbeat, now)?;
        board.heard_at = now;
        board.last = Some(Beat {
            boot: heartbeat.boot,
            uptime_ms: heartbeat.uptime_ms,
            last_frame_age_ms: heartbeat.last_frame_age_ms,
        });
        Ok(change(name, board, now))
    }

    /// The changes that only the passing of time caused: call it several times a second.
    pub fn tick(&mut self, now: Duration) -> Vec<BoardChange> {
        self.boards.iter_mut().filter_map(|(name, board)| change(name, board, now)).collect()
    }

    /// The state of a board now; `None` for one never heard of.
    pub fn state(&self, board: &str, now: Duration) -> Option<BoardState> {
        self.boards.get(board).map(|board| board.state(now))
    }

    /// How many boards are in each state now: awaited, normal, stalled, lost.
    pub fn census(&self, now: Duration) -> [usize; 4] {
        let mut counts = [0; 4];
        for board in self.boards.values() {
            counts[board.state(now) as usize] += 1;
        }
        counts
    }
}

fn change(name: &str, board: &mut Board, now: Duration) -> Option<BoardChange> {
    let to = board.state(now);
    let from = std::mem::replace(&mut board.shown, to);
    (from != to).then(|| BoardChange {
        site: board.site.clone(),
        board: name.to_owned(),
        from,
        to,
        reason: reason(board, to),
    })
}

fn reason(board: &Board, state: BoardState) -> String {
    match (state, board.last.and_then(|beat| beat.last_frame_age_ms)) {
        (BoardState::Lost, _) => {
            format!("no heartbeat for {} s; check its power and network", LOST_AFTER.as_secs())
        }
        (BoardState::Stalled, None) => "heartbeats arrive, but it has seen no camera frame yet".to_owned(),
        (BoardState::Stalled, Some(age_ms)) => {
            format!("its last camera frame is {:.1} s old", f64::from(age_ms) / 1_000.0)
        }
        (BoardState::Normal, _) => "heartbeats arrive and frames advance".to_owned(),
        (BoardState::Awaited, _) => "no heartbeat yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn beat(counter: u32, uptime_ms: u64, last_frame_age_ms: Option<u32>) -> Heartbeat {
        Heartbeat {
            board: "b1".try_into().unwrap(),
            boot: BootId { counter, random: 7 },
            uptime_ms,
            last_frame_age_ms,
            last_score_age_ms: Some(100),
            outbox_depth: 0,
            last_seq: 1,
            model: [0; 8],
        }
    }

    #[test]
    fn a_silent_board_is_lost_within_15_s_and_comes_back() {
        let mut boards = Boards::default();
        let change = boards.heartbeat("s", &beat(1, 1_000, Some(40)), secs(100)).unwrap().unwrap();
        assert_eq!((change.from, change.to), (BoardState::Awaited, BoardState::Normal));
        assert_eq!(boards.tick(secs(113)), vec![]);
        assert_eq!(boards.state("b1", secs(115)), Some(BoardState::Lost), "also without a tick");
        let lost = boards.tick(secs(115));
        assert_eq!((lost[0].from, lost[0].to), (BoardState::Normal, BoardState::Lost));
        assert_eq!(boards.tick(secs(500)), vec![], "reported once");
        let back = boards.heartbeat("s", &beat(1, 2_000, Some(40)), secs(501)).unwrap().unwrap();
        assert_eq!((back.from, back.to), (BoardState::Lost, BoardState::Normal));
    }

    #[test]
    fn a_replayed_heartbeat_keeps_no_board_alive() {
        let mut boards = Boards::default();
        boards.heartbeat("s", &beat(5, 9_000, Some(40)), secs(0)).unwrap();
        for step in 1..=15 {
            boards.heartbeat("s", &beat(5, 9_000, Some(40)), secs(step)).unwrap_err();
            boards.heartbeat("s", &beat(5, 8_000, Some(40)), secs(step)).unwrap_err();
            if step < LOST_AFTER.as_secs() {
                boards.heartbeat("s", &beat(4, 99_000, Some(40)), secs(step)).unwrap_err();
            }
        }
        assert_eq!(boards.state("b1", secs(15)), Some(BoardState::Lost));
        boards.heartbeat("s", &beat(6, 10, Some(40)), secs(16)).unwrap();
        assert_eq!(boards.state("b1", secs(16)), Some(BoardState::Normal));
    }

    #[test]
    fn a_heartbeat_without_progress_is_not_normal() {
        let mut boards = Boards::default();
        let change = boards.heartbeat("s", &beat(1, 1, None), secs(0)).unwrap().unwrap();
        assert_eq!(change.to, BoardState::Stalled);
        let change = boards.heartbeat("s", &beat(1, 2, Some(STALE_FRAME_MS)), secs(1)).unwrap().unwrap();
        assert_eq!(change.to, BoardState::Normal);
        let change = boards.heartbeat("s", &beat(1, 3, Some(STALE_FRAME_MS + 1)), secs(2)).unwrap().unwrap();
        assert_eq!(change.to, BoardState::Stalled);
        assert!(change.reason.contains("5.0 s"), "{}", change.reason);
    }

    #[test]
    fn a_board_known_from_the_store_is_lost_when_it_never_speaks() {
        let mut boards = Boards::default();
        assert!(boards.expect("s", "b9", secs(3)).unwrap());
        assert!(!boards.expect("s", "b9", secs(4)).unwrap());
        assert_eq!(boards.state("b9", secs(4)), Some(BoardState::Awaited));
        assert_eq!(boards.tick(secs(18))[0].to, BoardState::Lost);
    }

    #[test]
    fn the_number_of_boards_is_bounded() {
        let mut boards = Boards::default();
        for index in 0..MAX_BOARDS {
            boards.expect("s", &format!("b{index}"), secs(0)).unwrap();
        }
        assert_eq!(boards.expect("s", "more", secs(0)), Err(Refusal::TooManyBoards(MAX_BOARDS)));
        assert!(!boards.expect("s", "b0", secs(0)).unwrap());
    }
}
