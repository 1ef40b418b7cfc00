//! What was commanded from afar.
//!
//! # Invariants
//! - Nothing of it outlives the program: a restart never leaves a site unwatched because of a command of long ago.
//! - A snooze ends by monotonic time, whatever happens to clock and network.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alarm_proto::CameraId;

use crate::health::lock;
use crate::standing::ThresholdPair;

/// What was commanded of one camera; the default is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Order {
    /// It may not alarm until it is armed again.
    pub is_disarmed: bool,
    /// It may not alarm before this time, monotonic milliseconds.
    pub snoozed_until_ms: Option<u64>,
    /// In place of the configured raise threshold, 0 to 1.
    pub raise_threshold: Option<f32>,
}

impl Order {
    /// Whether it sleeps.
    #[must_use]
    pub fn is_snoozed(&self, now_ms: u64) -> bool {
        self.snoozed_until_ms.is_some_and(|until_ms| now_ms < until_ms)
    }

    /// The thresholds that result: the clear threshold keeps its proportion to the other. It is 0 where the configured one is, and
    /// nowhere else: below 0 nothing is ever cleared.
    #[must_use]
    pub fn thresholds(&self, configured: ThresholdPair) -> ThresholdPair {
        let Some(raise) = self.raise_threshold else {
            return configured;
        };
        let share = if configured.raise > 0.0 { configured.clear / configured.raise } else { 1.0 };
        ThresholdPair { raise, clear: (raise * share).clamp(0.0, raise) }
    }
}

type Hand = Box<dyn Fn() + Send>;
/// Takes a picture of a camera as JPEG, or says why not.
pub type Photographer = Arc<dyn Fn(&CameraId) -> Result<Vec<u8>, String> + Send + Sync>;

/// Orders for all cameras of a board.
#[derive(Default)]
pub struct Orders {
    cameras: Mutex<BTreeMap<CameraId, Order>>,
    acknowledge: Mutex<Option<Hand>>,
    snapshot: Mutex<Option<Photographer>>,
}

impl Orders {
    /// None yet, for these cameras.
    #[must_use]
    pub fn new(cameras: &[CameraId]) -> Self {
        let cameras = cameras.iter().map(|camera| (camera.clone(), Order::default())).collect();
        Self { cameras: Mutex::new(cameras), acknowledge: Mutex::default(), snapshot: Mutex::default() }
    }

    /// What a camera is to do.
    #[must_use]
    pub fn of(&self, camera: &CameraId) -> Order {
        lock(&self.cameras).get(camera).copied().unwrap_or_default()
    }

    /// Changes the order of a camera, or of all; false if there is no such camera.
    pub fn change(&self, camera: Option<&CameraId>, change: impl Fn(&mut Order)) -> bool {
        let mut cameras = lock(&self.cameras);
        match camera {
            None => cameras.values_mut().for_each(change),
            Some(camera) => match cameras.get_mut(camera) {
                Some(order) => change(order),
                None => return false,
            },
        }
        true
    }

    /// Names of the cameras.
    #[must_use]
    pub fn cameras(&self) -> Vec<CameraId> {
        lock(&self.cameras).keys().cloned().collect()
    }

    /// What to do when somebody has seen an alarm.
    pub fn on_acknowledge(&self, acknowledge: Hand) {
        *lock(&self.acknowledge) = Some(acknowledge);
    }

    /// Who takes pictures.
    pub fn on_snapshot(&self, photographer: Photographer) {
        *lock(&self.snapshot) = Some(photographer);
    }

    /// Takes a picture of a camera, as JPEG; waits for it a while.
    ///
    /// # Errors
    /// There is none now, in words.
    pub fn snapshot(&self, camera: &CameraId) -> Result<Vec<u8>, String> {
        // Out of the lock: it takes a while.
        let photographer = lock(&self.snapshot).clone();
        photographer.map_or_else(
            || Err("the board is not ready for it yet".to_owned()),
            |photographer| photographer(camera),
        )
    }

    /// Somebody has seen an alarm; false while nothing is there to silence.
    pub fn acknowledge(&self) -> bool {
        lock(&self.acknowledge).as_ref().map(|acknowledge| acknowledge()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn camera(name: &str) -> CameraId {
        CameraId::try_from(name).unwrap()
    }

    #[test]
    fn an_order_is_for_one_camera_or_for_all() {
        let orders = Orders::new(&[camera("north"), camera("south")]);
        assert!(orders.change(Some(&camera("north")), |order| order.is_disarmed = true));
        assert!(!orders.change(Some(&camera("west")), |order| order.is_disarmed = true));
        assert_eq!(
            (orders.of(&camera("north")).is_disarmed, orders.of(&camera("south")).is_disarmed),
            (true, false)
        );
        assert_eq!(orders.of(&camera("west")), Order::default());
        assert!(orders.change(None, |order| order.snoozed_until_ms = Some(5)));
        assert!(orders.of(&camera("south")).is_snoozed(4) && !orders.of(&camera("south")).is_snoozed(5));
        assert!(!orders.acknowledge());
    }

    proptest! {
        #[test]
        fn the_clear_threshold_stays_below(raise in 0.0_f32..=1.0, clear in 0.0_f32..=1.0, commanded in 0.0_f32..=1.0) {
            let configured = ThresholdPair { raise: raise.max(clear), clear: raise.min(clear) };
            let order = Order { raise_threshold: Some(commanded), ..Order::default() };
            let result = order.thresholds(configured);
            prop_assert_eq!(result.raise, commanded);
            prop_assert!((0.0..=commanded).contains(&result.clear));
            let may_clear = configured.clear < 1e-3 || commanded < 1e-3 || result.clear > 0.0;
            prop_assert!(may_clear, "{:?} never clears", result);
            prop_assert_eq!(Order::default().thresholds(configured), configured);
        }
    }
}
