//! One camera's thread: frames, scores, edges, alarms. It survives its source and its own panics, and stops no other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use alarm_proto::{Alarm, CameraId, EventKind, Fault, FaultKind, Message, RecordId, Severity};
use vad_core::{AlarmEdge, EdgeKind, ScoreSpec};

use crate::absence::Absence;
use crate::arming::Hindrances;
use crate::capture::{self, Camera, CaptureError};
use crate::clock::Clock;
use crate::config::{CameraConfig, ScoreOverride, Source};
use crate::desk::AlarmDesk;
use crate::detector::ClipReport;
use crate::evidence::Announced;
use crate::faults::{FaultChange, OpenFaults};
use crate::health::{CameraHealth, CameraState, Health};
use crate::local_alarm::{Key, Siren};
use crate::onlookers::Onlookers;
use crate::orders::Orders;
use crate::picture::PictureFault;
use crate::shutdown::Stop;
use crate::standing::{OngoingEvent, ThresholdPair};
use crate::watch::Watch;

/// How often a camera's thread looks around while it waits.
const RETRY_SLICE_MS: u64 = 50;

/// Everything an alarm needs beside its edge; shared by all cameras.
pub struct Board {
    /// Takes alarms.
    pub desk: Arc<AlarmDesk>,
    /// Sounds first, and knows whether the board is armed.
    pub siren: Arc<Siren>,
    /// Labels alarms.
    pub clock: Arc<dyn Clock>,
    /// Knows the cameras.
    pub health: Arc<Health>,
    /// What was commanded from afar.
    pub orders: Arc<Orders>,
    /// First bytes of the bundle's hash.
    pub model: [u8; 8],
}

impl Board {
    /// Turns an edge into the local alarm and then into a durable record, in this order.
    pub fn announce(&self, camera: &CameraId, edge: &AlarmEdge, thresholds: Thresholds) -> Option<RecordId> {
        self.siren.edge(camera, edge.kind);
        let (uptime_ms, wall_clock_ms) = (self.clock.monotonic_ms(), self.clock.wall_ms());
        let compose = |id| {
            Message::Alarm(Alarm {
                id,
                camera: camera.clone(),
                kind: kind_of(edge.kind),
                event: edge.event,
                severity: severity_of(edge, thresholds),
                wall_clock_ms,
                uptime_ms,
                onset_media_ms: edge.onset.0,
                media_ms: edge.at.0,
                score: edge.score,
                peak: edge.peak,
                threshold: thresholds.raise,
                model: self.model,
            })
        };
        match self.desk.raise(compose) {
            Ok(raised) => {
                tracing::warn!(%camera, kind = ?edge.kind, event = edge.event, score = edge.score, record = %raised.id, "alarm");
                Some(raised.id)
            }
            Err(e) => {
                tracing::error!(%camera, error = %e, "alarm lost");
                self.health.degrade("an alarm could not be recorded at all");
                None
            }
        }
    }
}

impl Board {
    /// Tells the hub that a camera cannot be watched, or can again.
    pub fn report(&self, camera: &CameraId, change: FaultChange) {
        let FaultChange { kind, edge, began_ms } = change;
        tracing::warn!(%camera, ?kind, ?edge, "fault");
        let (uptime_ms, wall_clock_ms) = (self.clock.monotonic_ms(), self.clock.wall_ms());
        let compose = |id| {
            let camera = camera.clone();
            Message::Fault(Fault {
                id,
                camera,
                kind,
                edge,
                wall_clock_ms,
                began_uptime_ms: began_ms.min(uptime_ms),
                uptime_ms,
            })
        };
        if let Err(e) = self.desk.raise(compose) {
            tracing::error!(%camera, error = %e, "fault not recorded");
            self.health.degrade("a fault could not be recorded at all");
        }
    }
}

fn kind_of(kind: EdgeKind) -> EventKind {
    match kind {
        EdgeKind::Raised => EventKind::Raised,
        EdgeKind::Updated => EventKind::Updated,
        EdgeKind::Cleared => EventKind::Cleared,
    }
}

/// Smoothed scores from which an event is an alarm, and a critical one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// An alarm is raised.
    pub raise: f32,
    /// It is critical.
    pub critical: f32,
}

impl Thresholds {
    /// Those of score settings. Of the overrides the last that says from where on alarms are critical counts; where none does,
    /// it is half way from raising to 1.
    #[must_use]
    pub fn new(score: &ScoreSpec, overrides: &[&ScoreOverride]) -> Self {
        let raise = score.raise_threshold;
        let critical = overrides.iter().rev().find_map(|over| over.critical_threshold);
        // A calibrated threshold may lie above what was written down for critical ones.
        Self { raise, critical: critical.unwrap_or(f32::midpoint(raise, 1.0)).max(raise) }
    }
}

/// Thresholds as they are without a command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Configured {
    /// Where an event begins and ends.
    pub pair: ThresholdPair,
    /// It is critical from here on.
    pub critical: f32,
}

impl Configured {
    /// Those of score settings.
    #[must_use]
    pub fn new(score: &ScoreSpec, thresholds: Thresholds) -> Self {
        let pair = ThresholdPair { raise: score.raise_threshold, clear: score.clear_threshold };
        Self { pair, critical: thresholds.critical }
    }
}

/// A clearing is a notice; a peak from the critical threshold on is critical; anything else is a warning.
#[must_use]
pub fn severity_of(edge: &AlarmEdge, thresholds: Thresholds) -> Severity {
    match edge.kind {
        EdgeKind::Cleared => Severity::Notice,
        _ if edge.peak >= thresholds.critical => Severity::Critical,
        _ => Severity::Warning,
    }
}

/// One camera on its board.
pub struct CameraRunner {
    /// Its configuration.
    pub config: CameraConfig,
    /// Its pictures and their scores.
    pub watch: Watch,
    /// From where on it alarms.
    pub thresholds: Thresholds,
    /// As they were before any command.
    pub configured: Configured,
    /// Its progress.
    pub health: Arc<CameraHealth>,
    /// The board.
    pub board: Arc<Board>,
    /// The wish to end.
    pub stop: Stop,
    /// As it was for the latest picture; `None` before the first.
    pub is_armed: Option<bool>,
    /// The board's key at the latest picture: one that was turned off and on again in between has silenced what was sounding.
    pub key: Option<Key>,
    /// What is wrong with it.
    pub faults: OpenFaults,
    /// While it gives no picture.
    pub absence: Absence,
    /// Those who look on.
    pub onlookers: Onlookers,
}

/// How a camera's thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its file ended, or the program does.
    Ended,
    /// Its file failed.
    Failed,
}

/// How one pass over a source ended.
enum Pass {
    End,
    /// The camera was lost, which was told.
    Lost {
        /// Whether it refused who logged in.
        is_refused: bool,
    },
}

impl CameraRunner {
    /// Runs until the source ends for good or the program does.
    pub fn run(mut self) -> Outcome {
        loop {
            let pass = catch_unwind(AssertUnwindSafe(|| self.pass())).unwrap_or_else(|_| {
                self.lose("its thread panicked; it starts again");
                Pass::Lost { is_refused: false }
            });
            if self.stop.is_set() {
                self.end_stream();
                return self.end(CameraState::Ended, Outcome::Ended);
            }
            let is_refused = match pass {
                Pass::End if !self.repeats() => {
                    return self.end(CameraState::Ended, Outcome::Ended);
                }
                Pass::End => continue,
                Pass::Lost { is_refused } => is_refused,
            };
            if self.is_finite() {
                return self.end(CameraState::Failed, Outcome::Failed);
            }
            // Where chance fails, waits are long and even.
            let wait_ms = self.absence.wait_ms(is_refused, getrandom::u32().unwrap_or(0));
            self.wait(wait_ms);
        }
    }

    fn end(&self, state: CameraState, outcome: Outcome) -> Outcome {
        self.board.health.note_picture(&self.health, None);
        self.health.set_state(state);
        tracing::info!(camera = %self.config.id, frames = self.health.frames(), missed = self.health.missed(), clips = self.health.clips(), ?outcome, "camera ended");
        outcome
    }

    fn repeats(&self) -> bool {
        !matches!(self.config.source, Source::Video { repeat: false, .. })
    }

    /// A file that fails once fails always; a device may come back, a looped file stands for one.
    fn is_finite(&self) -> bool {
        !self.repeats()
    }

    /// Waits until it is tried again. Who arms or disarms a camera that gives no picture sees at once that it was heard.
    fn wait(&mut self, ms: u64) {
        let until_ms = self.board.clock.monotonic_ms() + ms;
        while !self.stop.is_set() {
            let now_ms = self.board.clock.monotonic_ms();
            self.health.turn_taken(now_ms);
            if now_ms >= until_ms {
                return;
            }
            self.may_alarm();
            self.board.clock.sleep_ms(RETRY_SLICE_MS);
        }
    }

    /// From opening the source to its end or fault.
    fn pass(&mut self) -> Pass {
        let mut camera = match capture::open(&self.config.source, &self.board.clock, &self.stop) {
            Ok(camera) => camera,
            Err(e) => return self.lost(&e),
        };
        match self.watch_until_end(camera.as_mut()) {
            Ok(()) => Pass::End,
            // Before the camera is closed, which may take seconds.
            Err(e) => self.lost(&e),
        }
    }

    fn lost(&mut self, error: &CaptureError) -> Pass {
        self.lose(&error.to_string());
        Pass::Lost { is_refused: error.is_refusal() }
    }

    /// Tells that the camera gives no picture; nothing of it when the program ends anyway.
    fn lose(&mut self, reason: &str) {
        if self.stop.is_set() {
            return;
        }
        if self.absence.is_news(self.health.clips(), reason) {
            tracing::error!(camera = %self.config.id, reason, "camera fault");
        } else {
            tracing::debug!(camera = %self.config.id, reason, "camera fault");
        }
        self.end_stream();
        self.health.set_state(CameraState::Fault);
        self.note(FaultKind::NoPicture, true);
    }

    fn watch_until_end(&mut self, camera: &mut dyn Camera) -> Result<(), CaptureError> {
        self.health.stream_begun();
        let mut missed = 0;
        while !self.stop.is_set()
            && let Some(stamp) = camera.next()?
        {
            self.health.frame_taken(self.board.clock.monotonic_ms());
            let missed_before = std::mem::replace(&mut missed, camera.missed());
            self.health.frames_missed(missed.saturating_sub(missed_before));
            self.note(FaultKind::NoPicture, false);
            let is_armed = self.may_alarm();
            self.obey();
            let seen = self.watch.push(camera.frame()?, stamp, is_armed);
            // The alarm comes before what explains it.
            let announced = seen.edge.and_then(|edge| {
                announce(&self.board, &self.health, &self.config.id, &edge, self.thresholds)
            });
            self.onlookers.seen(&seen, stamp, self.thresholds, self.board.clock.monotonic_ms());
            announced.into_iter().for_each(|announced| self.onlookers.announced(announced));
            let scored = seen.scored;
            self.note_picture();
            match &scored {
                Ok(report) => report.iter().for_each(|r| self.report(r)),
                Err(e) => self.not_scored(e),
            }
            self.health.turn_taken(self.board.clock.monotonic_ms());
        }
        if !self.stop.is_set() {
            let is_armed = self.may_alarm();
            match self.watch.finish(is_armed) {
                Ok(end) => {
                    if let Some(report) = &end.tail {
                        self.report(report);
                        let announced = report.step.edge.and_then(|edge| {
                            announce(&self.board, &self.health, &self.config.id, &edge, self.thresholds)
                        });
                        let now_ms = self.board.clock.monotonic_ms();
                        self.onlookers.scored(report, self.watch.detector(), self.thresholds, now_ms);
                        announced.into_iter().for_each(|announced| self.onlookers.announced(announced));
                    }
                    end.cleared.iter().for_each(|edge| self.announce(edge));
                }
                Err(e) => self.not_scored(&e),
            }
        }
        self.end_stream();
        Ok(())
    }

    /// Reports what is wrong with the picture, and that it is not any more.
    fn note_picture(&mut self) {
        let fault = self.watch.picture_fault();
        self.board.health.note_picture(&self.health, fault);
        for known in PictureFault::ALL {
            let has_switched = known == PictureFault::Switched && self.watch.has_switched();
            self.note(known.into(), fault == Some(known) || has_switched);
        }
    }

    /// Puts commanded thresholds in force.
    fn obey(&mut self) {
        let wanted = self.board.orders.of(&self.config.id).thresholds(self.configured.pair);
        let spec = self.watch.score_spec();
        if wanted != (ThresholdPair { raise: spec.raise_threshold, clear: spec.clear_threshold })
            && let Err(error) = self.watch.set_thresholds(wanted.raise, wanted.clear)
        {
            tracing::error!(camera = %self.config.id, %error, "commanded thresholds not taken");
            return;
        }
        self.thresholds =
            Thresholds { raise: wanted.raise, critical: self.configured.critical.max(wanted.raise) };
        self.health.stand(|standing| standing.thresholds = Some(wanted));
    }

    fn note(&mut self, kind: FaultKind, is_present: bool) {
        if let Some(change) = self.faults.note(kind, is_present, self.board.clock.monotonic_ms()) {
            self.board.report(&self.config.id, change);
        }
    }

    fn report(&self, report: &ClipReport) {
        self.health.clip_scored(self.board.clock.monotonic_ms());
        self.health.stand(|standing| standing.score = Some(report.step.smoothed));
        tracing::debug!(camera = %self.config.id, clip = report.span.index, raw = report.raw, smoothed = report.step.smoothed, "scored");
    }

    fn not_scored(&self, error: &vad_infer::InferError) {
        tracing::error!(camera = %self.config.id, %error, "clip not scored");
        self.board.health.degrade(&format!("camera {}: clips could not be scored", self.config.id));
    }

    /// An event does not outlive its stream.
    fn end_stream(&mut self) {
        if let Some(edge) = self.watch.abandon() {
            self.announce(&edge);
        }
        self.onlookers.stream_ended();
    }

    /// Whether this camera's events go to the siren and the hub; scored it is at all times. Everything that arms and disarms
    /// comes together here.
    fn may_alarm(&mut self) -> bool {
        let key = self.board.siren.key();
        let order = self.board.orders.of(&self.config.id);
        let was_disarmed = self.key.is_some_and(|before| before.times_disarmed != key.times_disarmed);
        self.key = Some(key);
        let hindrances = Hindrances {
            key: !key.is_armed || was_disarmed,
            schedule: !self.config.arming.is_armed(self.board.clock.wall_ms()),
            command: order.is_disarmed,
            snooze: order.is_snoozed(self.board.clock.monotonic_ms()),
        };
        self.health.stand(|standing| standing.hindrances = Some(hindrances));
        let is_armed = hindrances.is_armed();
        if self.is_armed.replace(is_armed) != Some(is_armed) {
            tracing::info!(camera = %self.config.id, "{}", if is_armed { "armed" } else { "disarmed" });
        }
        is_armed
    }

    fn announce(&mut self, edge: &AlarmEdge) {
        let announced = announce(&self.board, &self.health, &self.config.id, edge, self.thresholds);
        announced.into_iter().for_each(|announced| self.onlookers.announced(announced));
    }
}

/// Announces an edge, and notes for people who ask that its event goes on.
fn announce(
    board: &Board,
    health: &CameraHealth,
    camera: &CameraId,
    edge: &AlarmEdge,
    thresholds: Thresholds,
) -> Option<Announced> {
    let event = OngoingEvent { number: edge.event, peak: edge.peak };
    let event = Some(event).filter(|_| edge.kind != EdgeKind::Cleared);
    health.stand(|standing| standing.event = event);
    let record = board.announce(camera, edge, thresholds)?;
    Some(Announced { edge: *edge, record, wall_ms: board.clock.wall_ms(), thresholds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::config::OutputMode;
    use crate::local_alarm::tests::patient;
    use crate::local_alarm::{Output, Switch};
    use crate::outbox::{Compose, OutboxError, OutboxStatus, RecordStore, StoredRecord};
    use alarm_proto::{BoardId, BootId};
    use std::sync::Mutex;
    use vad_core::MediaTimeMs;

    const FROM_HALF: Thresholds = Thresholds { raise: 0.5, critical: 0.75 };

    type Log = Arc<Mutex<Vec<&'static str>>>;

    struct LoggedSwitch(Log);

    impl Switch for LoggedSwitch {
        fn set(&mut self, on: bool) -> Result<(), String> {
            self.0.lock().unwrap().push(if on { "siren on" } else { "siren off" });
            Err("a siren that fails stops nothing".to_owned())
        }
    }

    struct LoggedStore {
        log: Log,
        fails: bool,
    }

    impl RecordStore for LoggedStore {
        fn boot(&self) -> BootId {
            BootId { counter: 1, random: 1 }
        }

        fn raise(&mut self, compose: Compose<'_>) -> Result<RecordId, OutboxError> {
            self.log.lock().unwrap().push("outbox");
            if self.fails {
                return Err(OutboxError::Other("no space left".to_owned()));
            }
            let id = RecordId { board: BoardId::try_from("b").unwrap(), boot: self.boot(), seq: 1 };
            compose(id.clone());
            Ok(id)
        }

        fn acknowledge(&mut self, _: &[(BootId, u64)]) -> Result<usize, OutboxError> {
            Ok(0)
        }

        fn between(&mut self, _: u64, _: u64, _: usize) -> Result<Vec<StoredRecord>, OutboxError> {
            Ok(Vec::new())
        }

        fn status(&self) -> OutboxStatus {
            OutboxStatus::default()
        }
    }

    fn board(fails: bool) -> (Board, Log) {
        let log = Log::default();
        let health = Arc::new(Health::default());
        let store = Box::new(LoggedStore { log: Arc::clone(&log), fails });
        let desk = AlarmDesk::new(BoardId::try_from("b").unwrap(), store, Arc::clone(&health)).unwrap();
        let wake = Arc::clone(&log);
        desk.on_raised(Box::new(move |_| wake.lock().unwrap().push("link")));
        let clock = Arc::new(ManualClock::default());
        let switch = Box::new(LoggedSwitch(Arc::clone(&log)));
        let output = Output { name: "siren".to_owned(), mode: OutputMode::Follow, switch };
        let siren = Arc::new(patient(vec![output], Arc::clone(&clock) as Arc<dyn Clock>, &health));
        log.lock().unwrap().clear();
        let orders = Arc::default();
        (Board { desk: Arc::new(desk), siren, clock, health, orders, model: [0; 8] }, log)
    }

    fn edge(kind: EdgeKind) -> AlarmEdge {
        let at = MediaTimeMs(1_600);
        AlarmEdge { kind, event: 1, onset: MediaTimeMs(0), at, score: 0.6, peak: 0.7 }
    }

    #[test]
    fn the_local_alarm_acts_before_the_outbox_and_the_outbox_before_the_network() {
        let (board, log) = board(false);
        let camera = CameraId::try_from("c").unwrap();
        board.announce(&camera, &edge(EdgeKind::Raised), FROM_HALF);
        board.announce(&camera, &edge(EdgeKind::Cleared), FROM_HALF);
        assert_eq!(*log.lock().unwrap(), ["siren on", "outbox", "link", "siren off", "outbox", "link"]);
    }

    #[test]
    fn a_full_disk_still_alarms_and_degrades_the_board() {
        let (board, log) = board(true);
        let id =
            board.announce(&CameraId::try_from("c").unwrap(), &edge(EdgeKind::Raised), FROM_HALF).unwrap();
        assert_eq!(*log.lock().unwrap(), ["siren on", "outbox", "link"]);
        assert_eq!(board.desk.depth(), 1, "kept in memory for the link");
        assert_ne!(id.boot, board.desk.boot(), "a volatile record never takes a durable one's identity");
        let defects = ["output siren does not switch", "the outbox cannot store alarms durably"];
        assert_eq!(board.health.degraded(), defects);
    }

    #[test]
    fn severity_follows_the_peak() {
        let with_peak = |peak| AlarmEdge { peak, ..edge(EdgeKind::Raised) };
        assert_eq!(severity_of(&with_peak(0.74), FROM_HALF), Severity::Warning);
        assert_eq!(severity_of(&with_peak(0.75), FROM_HALF), Severity::Critical);
        assert_eq!(severity_of(&edge(EdgeKind::Cleared), FROM_HALF), Severity::Notice);
    }

    #[test]
    fn the_innermost_critical_threshold_counts() {
        let score = ScoreSpec { raise_threshold: 0.5, ..ScoreSpec::default() };
        let from = |critical| ScoreOverride { critical_threshold: critical, ..ScoreOverride::default() };
        let critical = |overrides: &[&ScoreOverride]| Thresholds::new(&score, overrides).critical;
        assert!((critical(&[]) - 0.75).abs() < 1e-6);
        assert!((critical(&[&from(Some(0.9)), &from(None)]) - 0.9).abs() < 1e-6);
        assert!((critical(&[&from(Some(0.9)), &from(Some(0.6))]) - 0.6).abs() < 1e-6);
    }
}
