//! Counters of energy: one for each processor package, as Linux' powercap shows them (RAPL).

use std::path::{Path, PathBuf};

use super::number;

/// All packages; at least one.
#[derive(Debug)]
pub(super) struct Packages(Vec<Zone>);

#[derive(Debug)]
struct Zone {
    counter: PathBuf,
    /// The counter begins anew behind it.
    range_uj: u64,
}

impl Packages {
    pub(super) fn find(sys: &Path) -> Option<Self> {
        let entries = std::fs::read_dir(sys.join("class/powercap")).into_iter().flatten().flatten();
        let zone = |folder: PathBuf| {
            // `intel-rapl:0` is a package; `intel-rapl:0:1` is a part of it and would be counted twice.
            let name = folder.file_name()?.to_str()?;
            let is_package = name.split(':').count() == 2;
            let range_uj = number(&folder.join("max_energy_range_uj"))?;
            let zone = Zone { counter: folder.join("energy_uj"), range_uj };
            number::<u64>(&zone.counter).filter(|_| is_package).map(|_| zone)
        };
        let zones: Vec<Zone> = entries.filter_map(|entry| zone(entry.path())).collect();
        (!zones.is_empty()).then_some(Self(zones))
    }

    /// Where the counters stand.
    pub(super) fn read_uj(&self) -> Option<Vec<u64>> {
        self.0.iter().map(|zone| number(&zone.counter)).collect()
    }

    /// Joules between two readings. Each counter may have begun anew once.
    pub(super) fn joules_between(&self, begin_uj: &[u64], end_uj: &[u64]) -> f64 {
        let zones = self.0.iter().zip(begin_uj.iter().zip(end_uj));
        let drawn = zones.map(|(zone, (begin, &end))| {
            end.checked_sub(*begin).unwrap_or_else(|| (zone.range_uj + end).saturating_sub(*begin))
        });
        drawn.sum::<u64>() as f64 * 1e-6
    }
}
