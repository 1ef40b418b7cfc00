//! This program as the kernel sees it, under the names that Prometheus' own client libraries use.

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::proc::status;

/// What `/proc/*/stat` counts in, on every architecture that Linux offers to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Registers what can be read; a system that hides something has one metric less.
pub(super) fn register(registry: &mut Registry) {
    if let Some(bytes) = status("VmRSS:").and_then(|kib| kib.checked_mul(1024)) {
        let memory = ConstGauge::new(bytes);
        registry.register_with_unit("process_resident_memory", "Memory in use", Unit::Bytes, memory);
    }
    if let Some(threads) = status("Threads:") {
        registry.register("process_threads", "Threads", ConstGauge::new(threads));
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the folder itself.
        let open = i64::try_from(entries.count()).unwrap_or(i64::MAX).saturating_sub(1);
        registry.register("process_open_fds", "Open file descriptors", ConstGauge::new(open));
    }
    if let Some(seconds) = cpu_seconds() {
        let time = ConstCounter::new(seconds);
        registry.register_with_unit("process_cpu", "Processor time, user and system", Unit::Seconds, time);
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the program's name, is in brackets and may hold anything; times are the 14th and 15th.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: Vec<u64> = ticks.collect::<Result<_, _>>().ok()?;
    Some(ticks.iter().sum::<u64>() as f64 / TICKS_PER_SECOND)
}
