//! Commands from afar: who may give them, what they say, what they do.
//!
//! ```text
//! payload -> Trust (code of its key, or the broker's word) -> Command (bounded JSON) -> counter -> Orders
//! ```
//!
//! # Invariants
//! - Nothing is done that was not authorised; a command with a key is done at most once, over restarts too, and on a board with a valid
//!   clock within an hour or not at all.
//! - No input makes it panic, wait or grow: a payload has at most [`MAX_COMMAND_BYTES`], and there are at most a few in a second.
//! - Who has no key learns nothing but that the code does not fit, and cannot use up what others may do.

mod body;
mod counter;
mod rate;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;

use alarm_proto::CameraId;
use serde::Serialize;

use crate::clock::Clock;
use crate::orders::Orders;
use body::{Action, Command};
use counter::Counter;
use rate::Rate;

pub use trust::{Secret, Trust};

/// Longest command, bytes.
pub const MAX_COMMAND_BYTES: usize = 1_024;
/// Longest time for which a command with a key may be good, milliseconds: an hour.
const MAX_VALIDITY_MS: u64 = 3_600_000;
/// Longest reason in a reply, characters.
const MAX_ERROR_CHARS: usize = 200;

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// As the command said; absent where it said none or was not understood.
    pub id: Option<String>,
    /// Whether it was done.
    pub ok: bool,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The answer, and the picture that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What is said.
    pub reply: Reply,
    /// Whose picture, and the picture as JPEG.
    pub picture: Option<(CameraId, Vec<u8>)>,
}

/// Takes commands and does them.
pub struct Clerk {
    /// `site/board`.
    name: String,
    trust: Trust,
    counter: Counter,
    orders: Arc<Orders>,
    clock: Arc<dyn Clock>,
    commands: Rate,
    refusals: Rate,
    /// Each waits for a camera, and is a hundred times as long as anything else that is told.
    pictures: Rate,
}

impl Clerk {
    /// For the board `name` (`site/board`); counters of commands with a key are kept in `counter_file`.
    #[must_use]
    pub fn new(
        name: String,
        trust: Trust,
        counter_file: PathBuf,
        orders: Arc<Orders>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let counter = Counter::open(counter_file);
        Self {
            name,
            trust,
            counter,
            orders,
            clock,
            commands: Rate::default(),
            refusals: Rate::default(),
            pictures: Rate::new(2, 5_000),
        }
    }

    /// Does what a payload says, if it may, and gives the answer; none where there were too many already.
    pub fn answer(&mut self, payload: &[u8]) -> Option<Answer> {
        let mut id = None;
        match self.obey(payload, &mut id) {
            Ok(picture) => Some(Answer { reply: Reply { id, ok: true, error: None }, picture }),
            Err(error) => {
                let now_ms = self.clock.monotonic_ms();
                if !self.refusals.allows(now_ms) {
                    return None;
                }
                // Quoted: it may hold what somebody sent.
                tracing::warn!(?error, "command refused");
                let error = error.chars().take(MAX_ERROR_CHARS).collect();
                Some(Answer { reply: Reply { id, ok: false, error: Some(error) }, picture: None })
            }
        }
    }

    fn obey(
        &mut self,
        payload: &[u8],
        id: &mut Option<String>,
    ) -> Result<Option<(CameraId, Vec<u8>)>, String> {
        if payload.len() > MAX_COMMAND_BYTES {
            return Err(format!(
                "{} bytes are more than the {MAX_COMMAND_BYTES} of a command",
                payload.len()
            ));
        }
        let body = self.trust.authentic(payload)?;
        let command = Command::parse(body)?;
        id.clone_from(&command.id);
        if self.trust.needs_counter() {
            self.check_signed(&command)?;
        } else if command.board.is_some() || command.counter.is_some() || command.valid_until_ms.is_some() {
            return Err("`board`, `counter` and `valid_until_ms` belong to commands with a key".to_owned());
        }
        self.check_camera(&command)?;
        if !self.commands.allows(self.clock.monotonic_ms()) {
            return Err("too many commands; wait a second".to_owned());
        }
        if let Some(counter) = command.counter {
            // Before it is done: after a crash it is rather lost than done twice.
            self.counter.advance(counter)?;
        }
        if let (Action::Snapshot, Some(camera)) = (command.action, &command.camera) {
            if !self.pictures.allows(self.clock.monotonic_ms()) {
                return Err("too many pictures; wait five seconds".to_owned());
            }
            let jpeg = self.orders.snapshot(camera)?;
            return Ok(Some((camera.clone(), jpeg)));
        }
        self.act(&command).map(|()| None)
    }

    fn check_signed(&self, command: &Command) -> Result<(), String> {
        if command.board.as_deref() != Some(self.name.as_str()) {
            return Err(format!("`board` must be \"{}\"", self.name));
        }
        let counter = command.counter.ok_or("`counter` is missing; it must grow with every command")?;
        self.counter.check(counter)?;
        self.check_validity(command)
    }

    /// What was held back on its way is not done later. A board that does not know the time has the counter alone.
    fn check_validity(&self, command: &Command) -> Result<(), String> {
        let until_ms =
            command.valid_until_ms.ok_or("`valid_until_ms` is missing; Unix time in milliseconds")?;
        match self.clock.wall_ms() {
            Some(now_ms) if until_ms < now_ms => {
                Err(format!("`valid_until_ms` {until_ms} is over; the board's clock says {now_ms}"))
            }
            Some(now_ms) if until_ms > now_ms.saturating_add(MAX_VALIDITY_MS) => Err(format!(
                "`valid_until_ms` {until_ms} is more than an hour ahead; the board's clock says {now_ms}"
            )),
            _ => Ok(()),
        }
    }

    fn check_camera(&self, command: &Command) -> Result<(), String> {
        let Some(wanted) = &command.camera else {
            return Ok(());
        };
        let cameras = self.orders.cameras();
        if cameras.contains(wanted) {
            return Ok(());
        }
        let names: Vec<&str> = cameras.iter().map(|camera| camera.as_str()).collect();
        Err(format!("no camera `{wanted}`; there are {}", names.join(", ")))
    }

    fn act(&self, command: &Command) -> Result<(), String> {
        let camera = command.camera.as_ref();
        let whom = camera.map_or("all cameras", |camera| camera.as_str());
        tracing::warn!(action = ?command.action, whom, "commanded");
        let now_ms = self.clock.monotonic_ms();
        let is_done = match command.action {
            Action::Acknowledge => self.orders.acknowledge(),
            // Taken before; it changes nothing.
            Action::Snapshot => true,
            Action::Arm => self.orders.change(camera, |order| {
                order.is_disarmed = false;
                order.snoozed_until_ms = None;
            }),
            Action::Disarm => self.orders.change(camera, |order| order.is_disarmed = true),
            Action::Snooze { for_ms } => {
                let until_ms = now_ms.saturating_add(for_ms);
                self.orders.change(camera, |order| order.snoozed_until_ms = Some(until_ms))
            }
            Action::Threshold(value) => self.orders.change(camera, |order| order.raise_threshold = value),
        };
        if is_done { Ok(()) } else { Err("the board is not ready for it yet".to_owned()) }
    }
}

#[cfg(test)]
mod tests;
