//! What is kept of alarms.

use super::super::EvidenceConfig;
use super::super::schema::EvidenceSection;
use super::Check;

const MAX_BYTES: u64 = 1 << 40;

impl Check<'_> {
    pub(super) fn evidence(&mut self, raw: EvidenceSection) -> EvidenceConfig {
        self.range("evidence.max_bytes", raw.max_bytes, 16 << 20..=MAX_BYTES);
        self.range("evidence.max_age_days", raw.max_age_days, 1..=3_650);
        self.range("evidence.min_free_bytes", raw.min_free_bytes, 0..=MAX_BYTES);
        self.range("evidence.pre_roll_ms", raw.pre_roll_ms, 0..=30_000);
        self.range("evidence.post_roll_ms", raw.post_roll_ms, 0..=60_000);
        self.range("evidence.max_clip_ms", raw.max_clip_ms, 1_000..=600_000);
        EvidenceConfig {
            folder: self.path(raw.folder),
            max_bytes: raw.max_bytes,
            max_age_days: raw.max_age_days,
            min_free_bytes: raw.min_free_bytes,
            pre_roll_ms: raw.pre_roll_ms,
            post_roll_ms: raw.post_roll_ms,
            max_clip_ms: raw.max_clip_ms,
        }
    }
}
