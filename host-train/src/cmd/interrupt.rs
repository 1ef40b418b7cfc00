//! Ctrl-C asks; the work at hand stops at its next safe point.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static LISTENING: Once = Once::new();

/// Whether the user has pressed Ctrl-C. The first call begins to listen.
pub fn asked() -> bool {
    LISTENING.call_once(|| {
        if let Err(error) = ctrlc::set_handler(|| ASKED.store(true, Ordering::Relaxed)) {
            tracing::warn!("Ctrl-C will end the program at once: {error}");
        }
    });
    ASKED.load(Ordering::Relaxed)
}
