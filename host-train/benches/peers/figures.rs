//! What one process measured of itself.

use std::fs::read_to_string;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Unit of the processor times of `/proc`, which Linux fixes for programs at 100 per second.
const TICK_MS: f64 = 10.0;

/// Printed as one line of JSON, also by the Python scripts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Milliseconds of each step.
    pub wall_ms: Vec<f64>,
    /// Processor time of all threads in a mean step, in milliseconds.
    pub processor_ms: f64,
    /// Most memory that the process ever held, its data included, in MiB.
    pub peak_mib: f64,
}

/// Calls `step` without, then with a watch on it.
pub fn figures_of(warm_up: u64, steps: u64, mut step: impl FnMut()) -> Figures {
    (0..warm_up).for_each(|_| step());
    let before_ms = processor_ms();
    let timed = |_| {
        let start = Instant::now();
        step();
        start.elapsed().as_secs_f64() * 1e3
    };
    let wall_ms = (0..steps).map(timed).collect();
    Figures { wall_ms, processor_ms: (processor_ms() - before_ms) / steps as f64, peak_mib: peak_mib() }
}

/// User and system time of this process: fields 14 and 15 of `/proc/self/stat`, counted behind the program's name.
fn processor_ms() -> f64 {
    let stat = read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: f64 =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks * TICK_MS
}

fn peak_mib() -> f64 {
    let status = read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    kib / 1024.0
}
