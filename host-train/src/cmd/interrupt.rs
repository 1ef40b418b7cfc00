//! Ctrl-C asks; the work at hand stops at its next safe point. A second one does not wait for that: files are replaced whole
//! or not at all, so what is lost is the time since the last of them.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static LISTENING: Once = Once::new();

/// What shells give for a program that Ctrl-C ended.
const ENDED_BY_INTERRUPT: i32 = 130;

/// Whether the user has pressed Ctrl-C. The first call begins to listen.
pub fn asked() -> bool {
    LISTENING.call_once(|| {
        if let Err(error) = ctrlc::set_handler(ask) {
            tracing::warn!("Ctrl-C will end the program at once: {error}");
        }
    });
    ASKED.load(Ordering::Relaxed)
}

fn ask() {
    if ASKED.swap(true, Ordering::Relaxed) {
        std::process::exit(ENDED_BY_INTERRUPT);
    }
    eprintln!("stopping where the work can be taken up again; Ctrl-C once more ends at once");
}
