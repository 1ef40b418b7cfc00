//! What an alarm switches on the board itself. It needs no network and no disk, and it acts before both.
//!
//! ```text
//! camera threads --edge--> Siren (armed? which cameras? on or off?) --> a thread per output --> its line
//! input threads  --acknowledge, arm--^
//! ```
//!
//! # Invariants
//! - An output that fails or hangs stops no other and holds up an alarm for 50 ms at most, once.
//! - A failed output is tried again with every change, and every second; the board's health says so meanwhile.
//! - While the board is disarmed every output is off.

mod gpio;
mod input;
mod keeper;
mod mode;
mod pin;
mod sysfs;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alarm_proto::CameraId;
use vad_core::EdgeKind;

use crate::clock::Clock;
use crate::config::{Drive, OutputConfig, OutputMode};
use crate::health::{Health, lock};

use keeper::{Keeper, defect};
use mode::Demand;

pub use gpio::{FoundLine, GpioError, find_line};
pub use input::{Contact, Inputs};
pub use pin::{Switch, Wired};

/// What the kernel shows as the user of our lines.
pub const CONSUMER: &str = "watchpostd";

/// How long the outputs are waited for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// By an alarm. An output that takes longer is not waited for again until it works.
    alarm: Duration,
    /// At the start and at the end, when no alarm waits.
    rest: Duration,
}

const PATIENCE: Patience = Patience { alarm: Duration::from_millis(50), rest: Duration::from_secs(1) };

/// One output of the board.
pub struct Output {
    /// What hangs on it.
    pub name: String,
    /// When it is on.
    pub mode: OutputMode,
    /// The line.
    pub switch: Box<dyn Switch>,
}

impl Output {
    /// The output that the configuration names; nothing is touched yet.
    #[must_use]
    pub fn from_config(config: &OutputConfig) -> Self {
        Self { name: config.name.clone(), mode: config.mode, switch: switch_of(&config.drive) }
    }
}

/// The line that the configuration names; nothing is touched yet.
#[must_use]
pub fn switch_of(drive: &Drive) -> Box<dyn Switch> {
    match drive {
        Drive::Log => Box::new(pin::LogAlone),
        Drive::Sysfs { path, active_low } => Box::new(Wired::new(sysfs::SysfsPin::new(path), *active_low)),
        Drive::Gpio { line, active_low } => Box::new(gpio::GpioSwitch::new(line.clone(), *active_low)),
    }
}

/// What the board's own inputs say of arming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Cameras may alarm.
    pub is_armed: bool,
    /// How often they were forbidden to since the start.
    pub times_disarmed: u64,
}

/// Owner of all outputs; knows which cameras have events.
pub struct Siren {
    shared: Arc<Shared>,
    patience: Patience,
}

/// What the threads of the outputs share.
struct Shared {
    state: Mutex<State>,
    /// Outputs have something to look at.
    changed: Condvar,
    /// An output has looked at it.
    settled: Condvar,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
}

struct State {
    /// A board is armed until it is told otherwise: a key switch that cannot be read must not keep it silent.
    key: Key,
    /// Cameras with an event.
    active: BTreeSet<CameraId>,
    outputs: Vec<Slot>,
    /// Counts changes, so that outputs see that there was one.
    generation: u64,
    is_ending: bool,
}

/// One output, as all threads see it.
struct Slot {
    name: String,
    demand: Demand,
    /// The latest generation that it has followed, or tried to.
    seen: u64,
    /// It was waited for in vain.
    is_late: bool,
    has_ended: bool,
}

impl Siren {
    /// Switches every output off and has a thread wait for each.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(outputs: Vec<Output>, clock: Arc<dyn Clock>, health: Arc<Health>) -> io::Result<Self> {
        Self::with_patience(outputs, clock, health, PATIENCE)
    }

    fn with_patience(
        outputs: Vec<Output>,
        clock: Arc<dyn Clock>,
        health: Arc<Health>,
        patience: Patience,
    ) -> io::Result<Self> {
        let slots = outputs.iter().map(Slot::new).collect();
        let state = State {
            key: Key { is_armed: true, times_disarmed: 0 },
            active: BTreeSet::new(),
            outputs: slots,
            generation: 1,
            is_ending: false,
        };
        let shared = Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            settled: Condvar::new(),
            clock,
            health,
        };
        let siren = Self { shared: Arc::new(shared), patience };
        for (index, output) in outputs.into_iter().enumerate() {
            if let Err(e) = Keeper::spawn(index, output, Arc::clone(&siren.shared)) {
                // Nobody waits for threads that never were.
                lock(&siren.shared.state).outputs.truncate(index);
                return Err(e);
            }
        }
        siren.settle(lock(&siren.shared.state), patience.rest);
        Ok(siren)
    }

    /// The outputs that the configuration names.
    ///
    /// # Errors
    /// As [`Siren::start`].
    pub fn from_config(
        outputs: &[OutputConfig],
        clock: &Arc<dyn Clock>,
        health: &Arc<Health>,
    ) -> io::Result<Self> {
        let outputs = outputs.iter().map(Output::from_config).collect();
        Self::start(outputs, Arc::clone(clock), Arc::clone(health))
    }

    /// A camera's event began, goes on or is over.
    pub fn edge(&self, camera: &CameraId, kind: EdgeKind) {
        self.update(|state, now_ms| state.edge(camera, kind, now_ms));
    }

    /// Somebody has seen the alarm.
    pub fn acknowledge(&self) {
        tracing::info!("alarm acknowledged");
        self.update(|state, _| state.each(Demand::acknowledge));
    }

    /// Whether cameras may alarm, as far as the board's own inputs decide it.
    #[must_use]
    pub fn key(&self) -> Key {
        lock(&self.shared.state).key
    }

    /// Arms or disarms the board. What is on goes off at once; cameras end their events with their next picture.
    pub fn set_armed(&self, armed: bool) {
        if self.key().is_armed == armed {
            return;
        }
        tracing::warn!(armed, "the board was armed or disarmed");
        self.update(|state, _| state.set_armed(armed));
    }

    fn update(&self, change: impl FnOnce(&mut State, u64)) {
        let mut state = lock(&self.shared.state);
        change(&mut state, self.shared.clock.monotonic_ms());
        state.generation += 1;
        self.shared.changed.notify_all();
        self.settle(state, self.patience.alarm);
    }

    /// Waits until every output has followed, but for those that were late before.
    fn settle(&self, state: MutexGuard<'_, State>, most: Duration) {
        let generation = state.generation;
        let waits = |state: &mut State| state.outputs.iter().any(|o| o.is_awaited(generation));
        let wait = self.shared.settled.wait_timeout_while(state, most, waits);
        let (mut state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        for output in state.outputs.iter_mut().filter(|o| o.is_awaited(generation)) {
            output.is_late = true;
            self.shared.health.degrade(&defect(&output.name));
        }
    }

    /// Switches every output off and lets its line go; afterwards nothing is switched any more.
    pub fn finish(&self) {
        let mut state = lock(&self.shared.state);
        state.is_ending = true;
        self.shared.changed.notify_all();
        let lasts = |state: &mut State| state.outputs.iter().any(|o| !o.has_ended);
        // One that hangs is left to the end of the program.
        drop(self.shared.settled.wait_timeout_while(state, self.patience.rest, lasts));
    }
}

impl Drop for Siren {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Slot {
    fn new(output: &Output) -> Self {
        Self {
            name: output.name.clone(),
            demand: Demand::new(output.mode),
            seen: 0,
            is_late: false,
            has_ended: false,
        }
    }

    fn is_awaited(&self, generation: u64) -> bool {
        self.seen < generation && !self.is_late && !self.has_ended
    }
}

impl State {
    fn edge(&mut self, camera: &CameraId, kind: EdgeKind, now_ms: u64) {
        if kind == EdgeKind::Cleared {
            if self.active.remove(camera) && self.active.is_empty() {
                self.each(Demand::all_clear);
            }
        } else if self.key.is_armed && self.active.insert(camera.clone()) {
            self.each(|demand| demand.began(now_ms));
        }
    }

    fn set_armed(&mut self, armed: bool) {
        self.key.is_armed = armed;
        if !armed {
            self.key.times_disarmed += 1;
            self.active.clear();
            self.each(Demand::silence);
        }
    }

    fn each(&mut self, change: impl Fn(&mut Demand)) {
        self.outputs.iter_mut().for_each(|output| change(&mut output.demand));
    }
}

#[cfg(test)]
pub(crate) mod tests;
