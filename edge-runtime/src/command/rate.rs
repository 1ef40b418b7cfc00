//! How often something may happen.

/// So many at once, then one in a while.
#[derive(Debug)]
pub(super) struct Rate {
    burst: u32,
    every_ms: u64,
    left: u32,
    since_ms: u64,
}

impl Default for Rate {
    /// Ten at once, then one a second.
    fn default() -> Self {
        Self::new(10, 1_000)
    }
}

impl Rate {
    /// `burst` at once, then one every `every_ms`.
    pub const fn new(burst: u32, every_ms: u64) -> Self {
        Self { burst, every_ms, left: burst, since_ms: 0 }
    }

    /// Whether it may happen at `now_ms`; if so, it has.
    pub fn allows(&mut self, now_ms: u64) -> bool {
        let earned = now_ms.saturating_sub(self.since_ms) / self.every_ms;
        if earned > 0 {
            self.left = u32::try_from(earned).unwrap_or(self.burst).saturating_add(self.left).min(self.burst);
            self.since_ms += earned * self.every_ms;
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
