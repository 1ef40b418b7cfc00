//! What a person sees besides results.

use tracing_subscriber::EnvFilter;

/// Log lines go to standard error; `RUST_LOG` chooses them, warnings by default.
pub fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second start in the same process keeps the first subscriber, which is what tests want.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Singular or plural, with the number.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
