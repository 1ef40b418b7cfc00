//! Buttons and key switches: a thread each, which waits for the line.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Siren;
use super::gpio::GpioContact;
use crate::clock::Clock;
use crate::config::{InputConfig, InputDoes};
use crate::health::Health;
use crate::shutdown::Stop;

/// Longest wait for an edge before the wish to end is looked at, and the level.
const POLL: Duration = Duration::from_millis(200);
/// How long a program that starts waits for the first answer of every input, and one that ends for their threads.
const PATIENCE: Duration = Duration::from_secs(1);
const RETRY_MS: u64 = 1_000;
const RETRY_SLICE_MS: u64 = 50;

/// Something that is pressed or not.
pub trait Contact: Send {
    /// The level after the next change, or as it is when none came within `most`.
    ///
    /// # Errors
    /// The reason, for the log; the contact is opened anew.
    fn next(&mut self, most: Duration) -> Result<bool, String>;
}

type Opened = Result<Box<dyn Contact>, String>;

/// The threads of all inputs.
pub struct Inputs {
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
}

impl Inputs {
    /// Watches every input. Whether the board is armed is known then, where the line answers.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(
        configs: &[InputConfig],
        siren: &Arc<Siren>,
        clock: &Arc<dyn Clock>,
        health: &Arc<Health>,
    ) -> io::Result<Self> {
        let mut inputs = Self { stop: Stop::default(), threads: Vec::with_capacity(configs.len()) };
        let (unread, all_read) = sync_channel(0);
        for config in configs {
            let (title, does, config) = (config.line.to_string(), config.does, config.clone());
            let open = move || match GpioContact::open(&config) {
                Ok(contact) => Ok(Box::new(contact) as Box<dyn Contact>),
                Err(e) => Err(e.to_string()),
            };
            let watcher = Watcher {
                title,
                does,
                open: Box::new(open),
                siren: Arc::clone(siren),
                clock: Arc::clone(clock),
                health: Arc::clone(health),
                stop: inputs.stop.clone(),
                unread: Some(unread.clone()),
            };
            let thread = std::thread::Builder::new().name(format!("input {}", watcher.title));
            inputs.threads.push(thread.spawn(move || watcher.run())?);
        }
        drop(unread);
        // Nothing is ever sent: it ends when the last watcher has let go.
        let _ = all_read.recv_timeout(PATIENCE);
        Ok(inputs)
    }

    /// Ends them. A chip that hangs is left to the end of the program.
    pub fn finish(mut self) {
        self.stop.set();
        let begun = Instant::now();
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(RETRY_SLICE_MS));
            }
            if !thread.is_finished() {
                tracing::error!("an input hangs; it is left behind");
            } else if thread.join().is_err() {
                tracing::error!("the thread of an input panicked");
            }
        }
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        self.stop.set();
    }
}

struct Watcher {
    title: String,
    does: InputDoes,
    open: Box<dyn FnMut() -> Opened + Send>,
    siren: Arc<Siren>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    stop: Stop,
    /// Held until the contact has answered, or failed to.
    unread: Option<SyncSender<()>>,
}

impl Watcher {
    fn run(mut self) {
        let mut logged = None;
        while let Err(reason) = self.watch() {
            if logged.as_ref() != Some(&reason) {
                tracing::error!(%reason, "an input cannot be read");
            }
            logged = Some(reason);
            self.health.degrade(&self.defect());
            if self.does == InputDoes::Arm {
                self.siren.set_armed(true);
            }
            self.unread = None;
            self.pause();
        }
    }

    /// Follows the contact until the program ends or the contact fails.
    fn watch(&mut self) -> Result<(), String> {
        if self.stop.is_set() {
            return Ok(());
        }
        let mut contact = (self.open)()?;
        let mut before = None;
        while !self.stop.is_set() {
            let is_active = contact.next(if before.is_none() { Duration::ZERO } else { POLL })?;
            self.health.restore(&self.defect());
            self.follow(before.replace(is_active), is_active);
            self.unread = None;
        }
        Ok(())
    }

    fn follow(&self, before: Option<bool>, is_active: bool) {
        match self.does {
            InputDoes::Arm => self.siren.set_armed(is_active),
            InputDoes::Acknowledge if is_active && before == Some(false) => self.siren.acknowledge(),
            InputDoes::Acknowledge => {}
        }
    }

    fn defect(&self) -> String {
        format!("the input at {} cannot be read", self.title)
    }

    fn pause(&self) {
        self.stop.wait(self.clock.as_ref(), RETRY_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{FakePin, board_with, camera, eventually};
    use super::*;
    use crate::clock::ManualClock;
    use crate::config::OutputMode;
    use vad_core::EdgeKind;

    /// Gives its levels in turn, then fails; the program's end is wished after the last contact.
    struct Script(std::vec::IntoIter<bool>);

    impl Contact for Script {
        fn next(&mut self, _: Duration) -> Result<bool, String> {
            self.0.next().ok_or_else(|| "the line has gone".to_owned())
        }
    }

    /// Lets a watcher follow one contact after another; the pins are as the last of them left the board.
    fn watch(does: InputDoes, siren: Arc<Siren>, health: &Arc<Health>, contacts: &[&[bool]]) {
        let stop = Stop::default();
        let end = stop.clone();
        let mut left = contacts.iter().map(|levels| levels.to_vec()).collect::<Vec<_>>().into_iter();
        let open = move || -> Opened {
            let Some(levels) = left.next() else {
                end.set();
                return Err("no chip".to_owned());
            };
            Ok(Box::new(Script(levels.into_iter())))
        };
        let clock = Arc::new(ManualClock::default());
        let title = "line 4 of test".to_owned();
        let health = Arc::clone(health);
        Watcher { title, does, open: Box::new(open), siren, clock, health, stop, unread: None }.run();
    }

    #[test]
    fn pressing_acknowledges_and_holding_does_not_do_so_again() {
        let pin = FakePin::default();
        let (siren, health) = board_with(vec![("lamp", OutputMode::Latch, pin.clone())]);
        let siren = Arc::new(siren);
        siren.edge(&camera("a"), EdgeKind::Raised);
        assert!(pin.is_on());
        watch(InputDoes::Acknowledge, Arc::clone(&siren), &health, &[&[true, true]]);
        assert!(pin.is_on(), "it was down all the time: nobody pressed");
        watch(InputDoes::Acknowledge, Arc::clone(&siren), &health, &[&[true, false, true, true]]);
        assert!(!pin.is_on());
    }

    #[test]
    fn a_key_switch_disarms_and_one_that_cannot_be_read_arms() {
        let pin = FakePin::default();
        let (siren, health) = board_with(vec![("siren", OutputMode::Follow, pin.clone())]);
        let siren = Arc::new(siren);
        siren.edge(&camera("a"), EdgeKind::Raised);
        watch(InputDoes::Arm, Arc::clone(&siren), &health, &[&[true, false]]);
        assert!(!pin.is_on(), "disarmed meanwhile");
        assert!(siren.key().is_armed, "without its switch");
        siren.edge(&camera("b"), EdgeKind::Raised);
        assert!(pin.is_on());
        assert_eq!(health.degraded(), ["the input at line 4 of test cannot be read"]);
    }

    #[test]
    fn inputs_on_an_absent_chip_degrade_the_board_and_end() {
        use crate::config::{Bias, ChipAddress, LineAddress, LineId};
        let (siren, health) = board_with(Vec::new());
        let chip = ChipAddress::Path("/nonexistent/gpiochip0".into());
        let config = InputConfig {
            line: LineAddress { chip, line: LineId::Offset(4) },
            does: InputDoes::Arm,
            active_low: false,
            bias: Bias::PullUp,
            debounce_ms: 50,
        };
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock::new());
        let inputs = Inputs::start(&[config], &Arc::new(siren), &clock, &health).unwrap();
        eventually("a degraded board", || !health.degraded().is_empty());
        inputs.finish();
        assert_eq!(health.degraded(), ["the input at line 4 of /nonexistent/gpiochip0 cannot be read"]);
    }
}
