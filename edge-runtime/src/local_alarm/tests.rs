//! The siren with pins that remember.

use super::*;
use crate::clock::ManualClock;
use embedded_hal::digital::{ErrorKind, ErrorType, OutputPin};
use std::sync::atomic::{AtomicBool, Ordering};

/// Nothing here measures time: this long is never waited unless a test fails.
const FOREVER: Duration = Duration::from_secs(60);

/// A pin that remembers its levels and can be broken.
#[derive(Clone, Default)]
pub(crate) struct FakePin {
    levels: Arc<Mutex<Vec<bool>>>,
    broken: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
#[error("the pin is broken")]
pub(crate) struct Broken;

impl embedded_hal::digital::Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for FakePin {
    type Error = Broken;
}

impl FakePin {
    pub fn is_on(&self) -> bool {
        lock(&self.levels).last() == Some(&true)
    }

    fn levels(&self) -> Vec<bool> {
        lock(&self.levels).clone()
    }

    fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    fn push(&self, level: bool) -> Result<(), Broken> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(Broken);
        }
        lock(&self.levels).push(level);
        Ok(())
    }
}

impl OutputPin for FakePin {
    fn set_low(&mut self) -> Result<(), Broken> {
        self.push(false)
    }

    fn set_high(&mut self) -> Result<(), Broken> {
        self.push(true)
    }
}

pub(crate) fn camera(name: &str) -> CameraId {
    CameraId::try_from(name).unwrap()
}

fn output(name: &str, mode: OutputMode, switch: impl Switch + 'static) -> Output {
    Output { name: name.to_owned(), mode, switch: Box::new(switch) }
}

/// A siren that waits for its outputs however busy the machine is.
pub(crate) fn patient(outputs: Vec<Output>, clock: Arc<dyn Clock>, health: &Arc<Health>) -> Siren {
    let patience = Patience { alarm: FOREVER, rest: FOREVER };
    Siren::with_patience(outputs, clock, Arc::clone(health), patience).unwrap()
}

pub(crate) fn board_with(pins: Vec<(&str, OutputMode, FakePin)>) -> (Siren, Arc<Health>) {
    let health = Arc::new(Health::default());
    let wired = |(name, mode, pin)| output(name, mode, Wired::new(pin, false));
    let siren = patient(pins.into_iter().map(wired).collect(), Arc::new(ManualClock::default()), &health);
    (siren, health)
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < FOREVER, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_siren_stays_on_until_the_last_camera_is_clear() {
    let pin = FakePin::default();
    let (siren, _) = board_with(vec![("siren", OutputMode::Follow, pin.clone())]);
    assert_eq!(pin.levels(), [false], "off from the start");
    siren.edge(&camera("a"), EdgeKind::Raised);
    siren.edge(&camera("b"), EdgeKind::Raised);
    siren.edge(&camera("a"), EdgeKind::Cleared);
    assert!(pin.is_on());
    siren.edge(&camera("b"), EdgeKind::Cleared);
    assert_eq!(pin.levels(), [false, true, false]);
}

#[test]
fn a_latch_waits_for_somebody_and_the_next_event_sets_it_again() {
    let (siren_pin, lamp_pin) = (FakePin::default(), FakePin::default());
    let (siren, _) = board_with(vec![
        ("siren", OutputMode::Follow, siren_pin.clone()),
        ("lamp", OutputMode::Latch, lamp_pin.clone()),
    ]);
    siren.edge(&camera("a"), EdgeKind::Raised);
    siren.acknowledge();
    assert!(siren_pin.is_on() && !lamp_pin.is_on(), "it silences what latched");
    siren.edge(&camera("a"), EdgeKind::Updated);
    assert!(!lamp_pin.is_on(), "an update is no new event");
    siren.edge(&camera("b"), EdgeKind::Raised);
    siren.edge(&camera("a"), EdgeKind::Cleared);
    siren.edge(&camera("b"), EdgeKind::Cleared);
    assert!(!siren_pin.is_on() && lamp_pin.is_on());
}

#[test]
fn a_pulse_ends_by_the_clock_and_blocks_nobody() {
    let (pin, clock) = (FakePin::default(), Arc::new(ManualClock::default()));
    let pulse = output("relay", OutputMode::Pulse { length_ms: 2_000 }, Wired::new(pin.clone(), true));
    let siren = patient(vec![pulse], Arc::clone(&clock) as Arc<dyn Clock>, &Arc::default());
    siren.edge(&camera("a"), EdgeKind::Raised);
    clock.advance_ms(1_999);
    siren.edge(&camera("a"), EdgeKind::Updated);
    assert_eq!(pin.levels(), [true, false], "active low, and still on");
    clock.advance_ms(1);
    eventually("the end of the pulse", || pin.levels() == [true, false, true]);
}

#[test]
fn a_broken_output_stops_no_other_and_is_tried_again() {
    let (broken, sound) = (FakePin::default(), FakePin::default());
    broken.set_broken(true);
    let (siren, health) = board_with(vec![
        ("broken", OutputMode::Follow, broken.clone()),
        ("sound", OutputMode::Follow, sound.clone()),
    ]);
    assert_eq!(health.degraded(), ["output broken does not switch"]);
    siren.edge(&camera("a"), EdgeKind::Raised);
    assert!(sound.is_on() && broken.levels().is_empty());
    broken.set_broken(false);
    siren.edge(&camera("a"), EdgeKind::Updated);
    assert!(broken.is_on(), "the next change tried it again");
    assert!(health.degraded().is_empty());
}

#[test]
fn a_broken_output_is_tried_again_without_a_change_too() {
    let (pin, clock, health) = (FakePin::default(), Arc::new(ManualClock::default()), Arc::default());
    let follow = output("siren", OutputMode::Follow, Wired::new(pin.clone(), false));
    let siren = patient(vec![follow], Arc::clone(&clock) as Arc<dyn Clock>, &health);
    siren.edge(&camera("a"), EdgeKind::Raised);
    pin.set_broken(true);
    siren.edge(&camera("a"), EdgeKind::Cleared);
    assert!(pin.is_on() && !health.degraded().is_empty());
    pin.set_broken(false);
    eventually("another try", || {
        clock.advance_ms(100);
        !pin.is_on() && health.degraded().is_empty()
    });
}

/// A driver that hangs until it is let go.
struct Hanging(Arc<Mutex<()>>);

impl Switch for Hanging {
    fn set(&mut self, on: bool) -> Result<(), String> {
        if on {
            drop(lock(&self.0));
        }
        Ok(())
    }
}

#[test]
fn an_output_that_hangs_holds_up_no_alarm() {
    let (gate, sound, health) = (Arc::new(Mutex::new(())), FakePin::default(), Arc::new(Health::default()));
    let outputs = vec![
        output("hanging", OutputMode::Follow, Hanging(Arc::clone(&gate))),
        output("sound", OutputMode::Follow, Wired::new(sound.clone(), false)),
    ];
    let clock = Arc::new(ManualClock::default());
    let patience = Patience { rest: FOREVER, ..PATIENCE };
    let siren = Siren::with_patience(outputs, clock, Arc::clone(&health), patience).unwrap();
    let held = lock(&gate);
    siren.edge(&camera("a"), EdgeKind::Raised);
    eventually("the other output", || sound.is_on());
    assert!(health.degraded().contains(&"output hanging does not switch".to_owned()));
    drop(held);
    eventually("the output works again", || health.degraded().is_empty());
}

#[test]
fn disarming_silences_everything_and_arming_lets_the_next_event_sound() {
    let pins = [FakePin::default(), FakePin::default(), FakePin::default()];
    let modes = [OutputMode::Follow, OutputMode::Latch, OutputMode::Pulse { length_ms: 600_000 }];
    let named = ["siren", "lamp", "relay"].into_iter().zip(modes).zip(pins.clone());
    let (siren, _) = board_with(named.map(|((name, mode), pin)| (name, mode, pin)).collect());
    siren.edge(&camera("a"), EdgeKind::Raised);
    assert!(pins.iter().all(FakePin::is_on));
    siren.set_armed(false);
    assert!(!pins.iter().any(FakePin::is_on));
    siren.edge(&camera("b"), EdgeKind::Raised);
    assert!(!pins.iter().any(FakePin::is_on));
    siren.set_armed(true);
    assert!(!pins.iter().any(FakePin::is_on), "nothing new happened");
    siren.edge(&camera("b"), EdgeKind::Raised);
    assert!(pins.iter().all(FakePin::is_on));
}

#[test]
fn the_end_switches_everything_off() {
    let (pin, lamp) = (FakePin::default(), FakePin::default());
    let (siren, _) = board_with(vec![
        ("siren", OutputMode::Follow, pin.clone()),
        ("lamp", OutputMode::Latch, lamp.clone()),
    ]);
    siren.edge(&camera("a"), EdgeKind::Raised);
    siren.finish();
    assert_eq!([pin.levels(), lamp.levels()], [[false, true, false]; 2]);
    siren.edge(&camera("b"), EdgeKind::Raised);
    assert!(!pin.is_on(), "nothing is switched after the end");
}
