//! What a service manager is told (systemd's `sd_notify`): that the board watches, what it is doing, and, as long as that is so, that it
//! makes progress. A program that hangs says nothing, and is started anew.
//!
//! # Invariants
//! - The watchdog is petted from progress, never from a timer alone: no camera's thread stands still, pictures lead to scores, and the
//!   store of alarms answers.
//! - A camera that is gone is no reason to start anew: its thread tries it, which is progress.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::clock::Clock;
use crate::desk::AlarmDesk;
use crate::health::Health;
use crate::shutdown::Stop;
use crate::wall_clock::WallClock;

/// Pets within one period of the watchdog, so that one may be late.
const PETS_PER_PERIOD: u32 = 3;
/// Between reports where there is no watchdog.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// The thread that talks to the service manager.
pub struct Service {
    stop: Stop,
    thread: JoinHandle<()>,
}

/// What the thread looks at.
struct Reporter {
    desk: Arc<AlarmDesk>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    watchdog: Option<Duration>,
}

impl Service {
    /// Says that the board watches, and goes on reporting where a service manager asked for it. In the same turns it looks at the wall clock.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(desk: &Arc<AlarmDesk>, health: &Arc<Health>, clock: &Arc<dyn Clock>) -> io::Result<Self> {
        let stop = Stop::default();
        let reporter = Reporter {
            desk: Arc::clone(desk),
            health: Arc::clone(health),
            clock: Arc::clone(clock),
            stop: stop.clone(),
            watchdog: sd_notify::watchdog_enabled(),
        };
        let thread = std::thread::Builder::new().name("service".to_owned()).spawn(move || reporter.run())?;
        Ok(Self { stop, thread })
    }

    /// Says that the board ends.
    pub fn finish(self) {
        self.stop.set();
        if self.thread.join().is_err() {
            tracing::error!("the thread that reports to the service manager panicked");
        }
        tell(&[NotifyState::Stopping]);
    }
}

impl Reporter {
    fn run(self) {
        tell(&[NotifyState::Ready]);
        let pause = self.watchdog.map_or(REPORT_EVERY, |period| period / PETS_PER_PERIOD);
        let mut last_reason = None;
        let mut wall = WallClock::default();
        while !self.stop.is_set() {
            wall.note(self.clock.as_ref(), &self.health);
            let stuck = self.health.stuck(self.clock.as_ref());
            // Asking the store takes its lock, and returns when it does: that is what is to be shown.
            let waiting = self.desk.depth();
            let status = self.status(waiting, stuck.as_deref());
            match &stuck {
                None => tell(&[NotifyState::Status(&status), NotifyState::Watchdog]),
                Some(reason) => {
                    if stuck != last_reason {
                        tracing::error!(%reason, "no progress: the service manager is not told that all is well");
                    }
                    tell(&[NotifyState::Status(&status)]);
                }
            }
            last_reason = stuck;
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1);
            self.stop.wait(self.clock.as_ref(), pause_ms);
        }
    }

    fn status(&self, waiting: u64, stuck: Option<&str>) -> String {
        let cameras = self.health.cameras();
        let watched = cameras.iter().filter(|camera| camera.is_watched()).count();
        let mut status = format!("{watched} of {} cameras watched", cameras.len());
        if waiting > 0 {
            status.push_str(&format!(", {waiting} alarms wait for the hub"));
        }
        for defect in stuck.map(str::to_owned).into_iter().chain(self.health.degraded()) {
            status.push_str("; ");
            status.push_str(&defect);
        }
        status
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(states) {
        tracing::debug!(error = %e, "the service manager does not listen");
    }
}
