//! How often something may happen.

const BURST: u32 = 10;
const EVERY_MS: u64 = 1_000;

/// Ten at once, then one a second.
#[derive(Debug)]
pub(super) struct Rate {
    left: u32,
    since_ms: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self { left: BURST, since_ms: 0 }
    }
}

impl Rate {
    /// Whether it may happen at `now_ms`; if so, it has.
    pub fn allows(&mut self, now_ms: u64) -> bool {
        let earned = now_ms.saturating_sub(self.since_ms) / EVERY_MS;
        if earned > 0 {
            self.left = u32::try_from(earned).unwrap_or(BURST).saturating_add(self.left).min(BURST);
            self.since_ms += earned * EVERY_MS;
        }
        let allows = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_then_one_a_second() {
        let mut rate = Rate::default();
        let at = |rate: &mut Rate, now_ms| (0..20).filter(|_| rate.allows(now_ms)).count();
        assert_eq!(at(&mut rate, 500), 10);
        assert_eq!(at(&mut rate, 999), 0);
        assert_eq!(at(&mut rate, 2_500), 2);
        assert_eq!(at(&mut rate, u64::MAX), 10);
    }
}
