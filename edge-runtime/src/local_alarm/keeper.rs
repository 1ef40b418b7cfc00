//! The thread of one output: it alone touches the line, so that a line that hangs holds up nothing else.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Output, Shared, State, Switch};
use crate::health::lock;

/// A failed output is tried again after this time.
const RETRY_MS: u64 = 1_000;
/// Longest wait for the clock, which may be another than that of the condition variable.
const SLICE_MS: u64 = 100;

/// What the board reports while an output does not follow.
pub(super) fn defect(name: &str) -> String {
    format!("output {name} does not switch")
}

pub(super) struct Keeper {
    index: usize,
    name: String,
    switch: Box<dyn Switch>,
    shared: Arc<Shared>,
    /// What was switched last; unknown at first and after an error.
    applied: Option<bool>,
    /// The last error, while it lasts: the log needs it once.
    failure: Option<String>,
}

/// What an output is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    on: bool,
    generation: u64,
    is_last: bool,
}

impl State {
    fn order(&self, index: usize, now_ms: u64) -> Order {
        Order {
            on: !self.is_ending && self.outputs[index].demand.is_on(now_ms),
            generation: self.generation,
            is_last: self.is_ending,
        }
    }
}

impl Keeper {
    pub fn spawn(index: usize, output: Output, shared: Arc<Shared>) -> io::Result<()> {
        let name = output.name;
        let thread = std::thread::Builder::new().name(format!("output {name}"));
        let keeper = Self { index, name, switch: output.switch, shared, applied: None, failure: None };
        thread.spawn(move || keeper.run()).map(drop)
    }

    fn run(mut self) {
        let mut order = lock(&self.shared.state).order(self.index, self.shared.clock.monotonic_ms());
        let mut is_first = true;
        loop {
            if self.applied != Some(order.on) {
                self.follow(order.on, is_first);
            }
            is_first = false;
            self.report(order);
            if order.is_last {
                return;
            }
            order = self.next(order);
        }
    }

    fn follow(&mut self, on: bool, is_first: bool) {
        match self.switch.set(on) {
            Ok(()) => {
                self.applied = Some(on);
                self.failure = None;
                match (on, is_first) {
                    (true, _) => tracing::warn!(output = %self.name, "local alarm on"),
                    (false, false) => tracing::info!(output = %self.name, "local alarm off"),
                    (false, true) => tracing::debug!(output = %self.name, "output is off"),
                }
            }
            Err(reason) => {
                self.applied = None;
                if self.failure.as_ref() != Some(&reason) {
                    tracing::error!(output = %self.name, on, %reason, "an output did not switch");
                }
                self.failure = Some(reason);
            }
        }
    }

    fn report(&self, order: Order) {
        let mut state = lock(&self.shared.state);
        let slot = &mut state.outputs[self.index];
        slot.seen = order.generation;
        slot.has_ended = order.is_last;
        if self.applied.is_some() {
            slot.is_late = false;
            self.shared.health.restore(&defect(&self.name));
        } else {
            self.shared.health.degrade(&defect(&self.name));
        }
        self.shared.settled.notify_all();
    }

    /// Waits for the next order: a change, the end of a pulse, or another try.
    fn next(&self, last: Order) -> Order {
        let clock = &self.shared.clock;
        let retry_ms = self.applied.is_none().then(|| clock.monotonic_ms().saturating_add(RETRY_MS));
        let mut state = lock(&self.shared.state);
        loop {
            let now_ms = clock.monotonic_ms();
            let order = state.order(self.index, now_ms);
            if order != last || retry_ms.is_some_and(|at| at <= now_ms) {
                return order;
            }
            let wake_ms =
                [state.outputs[self.index].demand.ends_ms(now_ms), retry_ms].into_iter().flatten().min();
            let changed = &self.shared.changed;
            state = match wake_ms {
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(at_ms) => {
                    let wait = Duration::from_millis((at_ms - now_ms).min(SLICE_MS));
                    changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
