//! What a person sees besides results.

use tracing_subscriber::EnvFilter;
use vad_eval::{FrameMetrics, Interval};

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

/// Four digits, or that there is no such figure.
pub fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"))
}

/// The areas by which papers compare.
pub fn areas(frame: &FrameMetrics) -> String {
    let [roc_auc, pr_auc] = [frame.roc_auc, frame.pr_auc_trapezoid].map(figure);
    format!("frame ROC AUC {roc_auc}, PR AUC (trapezoid) {pr_auc}")
}

/// ` [low, high]`, or nothing.
pub fn interval(of: Option<Interval>) -> String {
    of.map_or_else(String::new, |of| format!(" [{:.4}, {:.4}]", of.low, of.high))
}

/// An error and its causes in one line. Many errors of libraries print their cause themselves; it is not said again.
pub fn with_causes(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn a_cause_that_was_named_is_not_said_twice() {
        let read = anyhow!("not found").context("labels.csv: cannot be read: not found");
        assert_eq!(with_causes(&read), "labels.csv: cannot be read: not found");
        let step = Err::<(), _>(read).context("the step failed").unwrap_err();
        assert_eq!(with_causes(&step), "the step failed: labels.csv: cannot be read: not found");
    }
}
