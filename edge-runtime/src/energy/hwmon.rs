//! Sensors of power, as Linux' hwmon shows them.
//!
//! A Jetson has one or two INA3221 with three channels each, which tell volts and amperes. On a module whose input is measured
//! (`VDD_IN`: Orin Nano and NX, Xavier NX) that is all of it and the other rails are parts; on one that splits behind its input (AGX)
//! the rails are added. Other chips tell watts; the first of them is taken.

use std::path::{Path, PathBuf};

use super::number;

/// Driver of the chip that has no power of its own.
const INA3221: &str = "ina3221";

/// Channels of an INA3221 with a supply. Those above tell shunt voltages and sums.
const CHANNELS: [u8; 3] = [1, 2, 3];

/// The rail that feeds all others.
const INPUT: &str = "VDD_IN";

/// A channel that nothing is connected to.
const NOT_CONNECTED: &str = "NC";

/// Supplies that are added; at least one.
#[derive(Debug)]
pub(super) struct Rails {
    chip: String,
    rails: Vec<Rail>,
}

#[derive(Debug)]
struct Rail {
    label: String,
    power: Power,
}

/// Where a supply's power stands.
#[derive(Debug)]
enum Power {
    Product { millivolts: PathBuf, milliamperes: PathBuf },
    Microwatts(PathBuf),
}

impl Rails {
    pub(super) fn find(sys: &Path) -> Option<Self> {
        let entries = std::fs::read_dir(sys.join("class/hwmon")).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        // `hwmon10` behind `hwmon2`.
        folders.sort_by_key(|folder| (folder.as_os_str().len(), folder.clone()));
        let chips: Vec<(String, PathBuf)> =
            folders.into_iter().filter_map(|folder| Some((text(&folder.join("name"))?, folder))).collect();
        let channels =
            chips.iter().filter(|(name, _)| name == INA3221).flat_map(|(_, folder)| channels(folder));
        let mut rails: Vec<Rail> = channels.collect();
        if let Some(input) = rails.iter().position(|rail| rail.label == INPUT) {
            rails = vec![rails.swap_remove(input)];
        }
        if !rails.is_empty() {
            return Some(Self { chip: INA3221.to_owned(), rails });
        }
        let power = |(chip, folder): (String, PathBuf)| Some(Self { rails: vec![watts_of(&folder)?], chip });
        chips.into_iter().find_map(power)
    }

    /// What all draw now.
    pub(super) fn watts(&self) -> Option<f64> {
        self.rails.iter().map(|rail| rail.power.watts()).sum()
    }

    pub(super) fn name(&self) -> String {
        let labels: Vec<&str> = self.rails.iter().map(|rail| rail.label.as_str()).collect();
        format!("{}, {}", self.chip, labels.join(" + "))
    }
}

impl Power {
    fn watts(&self) -> Option<f64> {
        match self {
            Self::Product { millivolts, milliamperes } => {
                Some(number::<f64>(millivolts)? * number::<f64>(milliamperes)? * 1e-6)
            }
            Self::Microwatts(file) => Some(number::<f64>(file)? * 1e-6),
        }
    }
}

/// The supplies of one INA3221. A channel that is switched off cannot be read.
fn channels(folder: &Path) -> Vec<Rail> {
    let rail = |channel: u8| {
        let file = |name: String| folder.join(name);
        let label = text(&file(format!("in{channel}_label"))).unwrap_or_else(|| format!("channel {channel}"));
        let millivolts = file(format!("in{channel}_input"));
        let milliamperes = file(format!("curr{channel}_input"));
        let power = Power::Product { millivolts, milliamperes };
        (label != NOT_CONNECTED && power.watts().is_some()).then_some(Rail { label, power })
    };
    CHANNELS.into_iter().filter_map(rail).collect()
}

/// What another chip says of itself: now, or over its last interval.
fn watts_of(folder: &Path) -> Option<Rail> {
    let label = text(&folder.join("power1_label")).unwrap_or_else(|| "power1".to_owned());
    let files = ["power1_input", "power1_average"].map(|name| Power::Microwatts(folder.join(name)));
    let power = files.into_iter().find(|power| power.watts().is_some())?;
    Some(Rail { label, power })
}

fn text(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
