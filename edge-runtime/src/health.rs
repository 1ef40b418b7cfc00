//! What the board knows of its own health. The heartbeat is derived from progress, never from a timer alone: a camera
//! that delivers nothing shows as a growing age, whatever else still runs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alarm_proto::CameraId;

use crate::clock::Clock;
use crate::picture::PictureFault;
use crate::standing::Standing;

const NEVER: u64 = u64::MAX;
/// Longer than any wait of a camera's thread: the slowest source gives a picture every ten seconds, and the slowest board with the most
/// cameras needs some twenty to score a clip.
const LONGEST_TURN_MS: u64 = 60_000;
/// More pictures than any clip and its stride have.
const MOST_UNSCORED_FRAMES: u64 = 4 * vad_core::clip::MAX_CLIP_FRAMES as u64;

/// What a camera is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CameraState {
    /// Opening its source.
    Starting = 0,
    /// Delivering frames.
    Live = 1,
    /// Its source failed; it is tried again.
    Fault = 2,
    /// Its file has ended.
    Ended = 3,
    /// Its file failed; it is not tried again.
    Failed = 4,
}

/// Progress of one camera, written by its thread and read by the heartbeat.
#[derive(Debug)]
pub struct CameraHealth {
    /// The camera.
    pub id: CameraId,
    state: AtomicU8,
    /// A [`PictureFault`], or 0.
    picture: AtomicU8,
    last_frame_ms: AtomicU64,
    last_score_ms: AtomicU64,
    frames: AtomicU64,
    clips: AtomicU64,
    missed: AtomicU64,
    /// When its thread last did something, if only try again.
    last_turn_ms: AtomicU64,
    /// Pictures taken when the latest clip was scored.
    frames_at_score: AtomicU64,
    standing: Mutex<Standing>,
}

/// Ages of a camera's progress, milliseconds; `None` before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgesMs {
    /// Of the latest picture.
    pub frame: Option<u64>,
    /// Of the latest score.
    pub score: Option<u64>,
}

impl CameraHealth {
    fn new(id: CameraId) -> Self {
        let never = || AtomicU64::new(NEVER);
        Self {
            id,
            state: AtomicU8::new(CameraState::Starting as u8),
            picture: AtomicU8::new(0),
            last_frame_ms: never(),
            last_score_ms: never(),
            frames: AtomicU64::new(0),
            clips: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            last_turn_ms: never(),
            frames_at_score: AtomicU64::new(0),
            standing: Mutex::new(Standing::default()),
        }
    }

    /// A frame came in at `now_ms`.
    pub fn frame_taken(&self, now_ms: u64) {
        self.last_frame_ms.store(now_ms, Ordering::Relaxed);
        self.turn_taken(now_ms);
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.set_state(CameraState::Live);
    }

    /// Its thread goes on at `now_ms`, with a picture or without.
    pub fn turn_taken(&self, now_ms: u64) {
        self.last_turn_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Its source was opened: pictures of an earlier stream lead to no score any more.
    pub fn stream_begun(&self) {
        self.frames_at_score.store(self.frames(), Ordering::Relaxed);
    }

    /// A clip was scored at `now_ms`.
    pub fn clip_scored(&self, now_ms: u64) {
        self.last_score_ms.store(now_ms, Ordering::Relaxed);
        self.clips.fetch_add(1, Ordering::Relaxed);
        self.frames_at_score.store(self.frames(), Ordering::Relaxed);
    }

    /// Notes where it stands.
    pub fn stand(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut lock(&self.standing));
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        *lock(&self.standing)
    }

    /// Enters a state.
    pub fn set_state(&self, state: CameraState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// The present state.
    #[must_use]
    pub fn state(&self) -> CameraState {
        match self.state.load(Ordering::Relaxed) {
            0 => CameraState::Starting,
            1 => CameraState::Live,
            2 => CameraState::Fault,
            3 => CameraState::Ended,
            _ => CameraState::Failed,
        }
    }

    /// What is wrong with the picture, if anything is.
    #[must_use]
    pub fn picture_fault(&self) -> Option<PictureFault> {
        let stored = self.picture.load(Ordering::Relaxed);
        PictureFault::ALL.into_iter().find(|&fault| fault as u8 == stored)
    }

    fn set_picture_fault(&self, fault: Option<PictureFault>) {
        self.picture.store(fault.map_or(0, |fault| fault as u8), Ordering::Relaxed);
    }

    /// So many pictures more were due and left out.
    pub fn frames_missed(&self, more: u64) {
        self.missed.fetch_add(more, Ordering::Relaxed);
    }

    /// Pictures that were due and left out so far, because the board was too slow.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Frames taken so far.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Clips scored so far.
    #[must_use]
    pub fn clips(&self) -> u64 {
        self.clips.load(Ordering::Relaxed)
    }

    /// How long ago its progress was.
    #[must_use]
    pub fn ages_ms(&self, now_ms: u64) -> AgesMs {
        let age = |at: &AtomicU64| match at.load(Ordering::Relaxed) {
            NEVER => None,
            at_ms => Some(now_ms.saturating_sub(at_ms)),
        };
        AgesMs { frame: age(&self.last_frame_ms), score: age(&self.last_score_ms) }
    }

    /// Whether pictures come and show something.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.state() == CameraState::Live && self.picture_fault().is_none()
    }

    /// What stands still, if something does.
    fn stuck(&self, now_ms: u64) -> Option<String> {
        let last_turn_ms = self.last_turn_ms.load(Ordering::Relaxed);
        if last_turn_ms != NEVER && now_ms.saturating_sub(last_turn_ms) > LONGEST_TURN_MS {
            return Some(format!("the thread of camera {} stands still", self.id));
        }
        let unscored = self.frames().saturating_sub(self.frames_at_score.load(Ordering::Relaxed));
        (unscored > MOST_UNSCORED_FRAMES)
            .then(|| format!("{unscored} pictures of camera {} without a score", self.id))
    }

    fn counts(&self) -> bool {
        !matches!(self.state(), CameraState::Ended | CameraState::Failed)
    }
}

/// Health of the whole board.
#[derive(Debug, Default)]
pub struct Health {
    cameras: Mutex<Vec<Arc<CameraHealth>>>,
    degraded: Mutex<BTreeSet<String>>,
}

/// Ages of the slowest camera's progress, milliseconds; `None` while some camera has made none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Age of the last frame.
    pub last_frame_age_ms: Option<u32>,
    /// Age of the last score.
    pub last_score_age_ms: Option<u32>,
}

impl Health {
    /// Adds a camera.
    pub fn add_camera(&self, id: CameraId) -> Arc<CameraHealth> {
        let camera = Arc::new(CameraHealth::new(id));
        lock(&self.cameras).push(Arc::clone(&camera));
        camera
    }

    /// All cameras.
    #[must_use]
    pub fn cameras(&self) -> Vec<Arc<CameraHealth>> {
        lock(&self.cameras).clone()
    }

    /// Notes a lasting defect once; logs it the first time.
    pub fn degrade(&self, reason: &str) {
        if lock(&self.degraded).insert(reason.to_owned()) {
            tracing::error!(%reason, "degraded");
        }
    }

    /// The defect is gone.
    pub fn restore(&self, reason: &str) {
        if lock(&self.degraded).remove(reason) {
            tracing::info!(%reason, "no longer degraded");
        }
    }

    /// Notes what is wrong with a camera's picture now.
    pub fn note_picture(&self, camera: &CameraHealth, fault: Option<PictureFault>) {
        let before = camera.picture_fault();
        if before == fault {
            return;
        }
        camera.set_picture_fault(fault);
        let reason = |fault| format!("camera {}: the picture is {fault}; no new alarm is raised", camera.id);
        before.into_iter().for_each(|fault| self.restore(&reason(fault)));
        fault.into_iter().for_each(|fault| self.degrade(&reason(fault)));
    }

    /// Present defects.
    #[must_use]
    pub fn degraded(&self) -> Vec<String> {
        lock(&self.degraded).iter().cloned().collect()
    }

    /// What stands still on the board, if something does.
    #[must_use]
    pub fn stuck(&self, clock: &dyn Clock) -> Option<String> {
        let now_ms = clock.monotonic_ms();
        self.cameras().iter().filter(|camera| camera.counts()).find_map(|camera| camera.stuck(now_ms))
    }

    /// Ages of the slowest camera that should be running; `None` when there is no such camera either.
    #[must_use]
    pub fn progress(&self, clock: &dyn Clock) -> Progress {
        let now_ms = clock.monotonic_ms();
        let running: Vec<_> = self.cameras().into_iter().filter(|c| c.counts()).collect();
        let oldest = |age: fn(AgesMs) -> Option<u64>| {
            let ages: Option<Vec<u64>> = running.iter().map(|camera| age(camera.ages_ms(now_ms))).collect();
            Some(u32::try_from(ages?.into_iter().max()?).unwrap_or(u32::MAX))
        };
        Progress {
            last_frame_age_ms: oldest(|ages| ages.frame),
            last_score_age_ms: oldest(|ages| ages.score),
        }
    }
}

/// A poisoned lock still guards plain data here: a camera that died must not take the board with it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn id(name: &str) -> CameraId {
        CameraId::try_from(name).unwrap()
    }

    #[test]
    fn the_slowest_camera_decides_the_ages() {
        let (health, clock) = (Health::default(), ManualClock::default());
        let (north, south) = (health.add_camera(id("north")), health.add_camera(id("south")));
        north.frame_taken(0);
        assert_eq!(health.progress(&clock).last_frame_age_ms, None, "south has never delivered");
        clock.advance_ms(700);
        south.frame_taken(700);
        assert_eq!(health.progress(&clock).last_frame_age_ms, Some(700));
        assert_eq!(health.progress(&clock).last_score_age_ms, None);
    }

    #[test]
    fn ages_grow_while_nothing_happens_and_ended_files_do_not_count() {
        let (health, clock) = (Health::default(), ManualClock::default());
        let file = health.add_camera(id("file"));
        file.frame_taken(0);
        file.clip_scored(0);
        clock.advance_ms(60_000);
        assert_eq!(health.progress(&clock).last_score_age_ms, Some(60_000));
        file.set_state(CameraState::Ended);
        assert_eq!(health.progress(&clock).last_frame_age_ms, None);
    }

    #[test]
    fn a_camera_shows_what_is_wrong_with_its_picture_and_so_does_the_board() {
        let health = Health::default();
        let north = health.add_camera(id("north"));
        for (fault, defects) in [(Some(PictureFault::Dark), 1), (Some(PictureFault::Frozen), 1), (None, 0)] {
            health.note_picture(&north, fault);
            assert_eq!(north.picture_fault(), fault);
            let degraded = health.degraded();
            assert_eq!(degraded.len(), defects);
            assert!(
                fault.is_none_or(
                    |fault| degraded[0].contains(&format!("camera north: the picture is {fault}"))
                )
            );
        }
    }

    #[test]
    fn a_thread_that_stands_still_is_stuck_and_one_that_tries_again_is_not() {
        let (health, clock) = (Health::default(), ManualClock::default());
        let north = health.add_camera(id("north"));
        clock.advance_ms(60_000);
        assert_eq!(health.stuck(&clock), None, "it opens its source for the first time");
        for _ in 0..5 {
            north.set_state(CameraState::Fault);
            north.turn_taken(clock.monotonic_ms());
            clock.advance_ms(LONGEST_TURN_MS);
            assert_eq!(health.stuck(&clock), None, "a camera that is gone is tried again");
        }
        clock.advance_ms(1);
        assert_eq!(health.stuck(&clock).unwrap(), "the thread of camera north stands still");
        north.set_state(CameraState::Ended);
        assert_eq!(health.stuck(&clock), None, "a file that has ended");
    }

    #[test]
    fn pictures_without_scores_are_no_progress() {
        let (health, clock) = (Health::default(), ManualClock::default());
        let north = health.add_camera(id("north"));
        for _ in 0..MOST_UNSCORED_FRAMES {
            north.frame_taken(0);
        }
        assert_eq!(health.stuck(&clock), None);
        north.frame_taken(0);
        assert!(health.stuck(&clock).unwrap().ends_with("pictures of camera north without a score"));
        north.clip_scored(0);
        assert_eq!(health.stuck(&clock), None);
    }

    #[test]
    fn defects_come_and_go() {
        let health = Health::default();
        health.degrade("disk full");
        health.degrade("disk full");
        assert_eq!(health.degraded(), ["disk full"]);
        health.restore("disk full");
        assert!(health.degraded().is_empty());
    }
}
