//! What the machine draws, where it has a sensor.

use std::path::{Path, PathBuf};

/// A counter of energy, or none.
#[derive(Debug)]
pub struct EnergyMeter {
    zones: Vec<Zone>,
}

/// One processor package, as Linux' powercap shows it (RAPL).
#[derive(Debug)]
struct Zone {
    counter: PathBuf,
    /// The counter begins anew behind it.
    range_uj: u64,
}

/// Counters at one moment.
#[derive(Debug)]
pub struct EnergyReading(Vec<u64>);

impl EnergyMeter {
    /// Looks below `sys`, which is `/sys` but in tests, for counters that may be read.
    #[must_use]
    pub fn find(sys: &Path) -> Self {
        let entries = std::fs::read_dir(sys.join("class/powercap")).into_iter().flatten().flatten();
        let zone = |folder: PathBuf| {
            // `intel-rapl:0` is a package; `intel-rapl:0:1` is a part of it and would be counted twice.
            let name = folder.file_name()?.to_str()?;
            let is_package = name.split(':').count() == 2;
            let range_uj = number(&folder.join("max_energy_range_uj"))?;
            let zone = Zone { counter: folder.join("energy_uj"), range_uj };
            number(&zone.counter).filter(|_| is_package).map(|_| zone)
        };
        Self { zones: entries.filter_map(|entry| zone(entry.path())).collect() }
    }

    /// Where the counters stand; nothing without a sensor.
    #[must_use]
    pub fn read(&self) -> Option<EnergyReading> {
        let counters: Option<Vec<u64>> = self.zones.iter().map(|zone| number(&zone.counter)).collect();
        counters.filter(|counters| !counters.is_empty()).map(EnergyReading)
    }

    /// Joules that all packages drew since `begin`. Counters may have begun anew once.
    #[must_use]
    pub fn joules_since(&self, begin: &EnergyReading) -> Option<f64> {
        let end = self.read()?;
        let zones = self.zones.iter().zip(begin.0.iter().zip(&end.0));
        let drawn = zones.map(|(zone, (begin, &end))| {
            end.checked_sub(*begin).unwrap_or_else(|| (zone.range_uj + end).saturating_sub(*begin))
        });
        Some(drawn.sum::<u64>() as f64 * 1e-6)
    }
}

fn number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sys: &Path, zone: &str, energy_uj: u64) {
        let folder = sys.join("class/powercap").join(zone);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("energy_uj"), format!("{energy_uj}\n")).unwrap();
        std::fs::write(folder.join("max_energy_range_uj"), "10000000\n").unwrap();
    }

    #[test]
    fn packages_are_added_and_their_parts_are_not() {
        let sys = tempfile::tempdir().unwrap();
        for zone in ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1"] {
            set(sys.path(), zone, 9_000_000);
        }
        let meter = EnergyMeter::find(sys.path());
        let begin = meter.read().unwrap();
        set(sys.path(), "intel-rapl:0", 9_500_000);
        set(sys.path(), "intel-rapl:0:0", 9_400_000);
        set(sys.path(), "intel-rapl:1", 1_000_000);
        assert!((meter.joules_since(&begin).unwrap() - 2.5).abs() < 1e-9, "0.5 J, and 2 J past the range");
    }

    #[test]
    fn a_machine_without_a_sensor_says_so() {
        let sys = tempfile::tempdir().unwrap();
        assert!(EnergyMeter::find(sys.path()).read().is_none());
        std::fs::create_dir_all(sys.path().join("class/powercap/intel-rapl:0")).unwrap();
        assert!(EnergyMeter::find(sys.path()).read().is_none(), "a counter that may not be read is none");
    }
}
