//! Outputs and inputs of the board itself.

use std::path::PathBuf;

use alarm_proto::CameraId;

use super::super::schema::{InputDoes, InputSection, LineSection, ModeName, OutputKind, OutputSection};
use super::super::{ChipAddress, Drive, InputConfig, LineAddress, LineId, OutputConfig, OutputMode};
use super::Check;

const MAX_OUTPUTS: usize = 8;
const MAX_INPUTS: usize = 8;
const MAX_LINE: i64 = 65_535;

impl Check<'_> {
    pub(super) fn outputs(&mut self, raw: Vec<OutputSection>) -> Vec<OutputConfig> {
        if raw.is_empty() {
            return vec![OutputConfig::default()];
        }
        if self.too_many("output", raw.len(), MAX_OUTPUTS) {
            return Vec::new();
        }
        let mut outputs: Vec<OutputConfig> = Vec::with_capacity(raw.len());
        for (index, section) in raw.into_iter().enumerate() {
            let path = format!("output[{index}]");
            let Some(output) = self.output(&path, section) else { continue };
            if outputs.iter().any(|o| o.name == output.name) {
                self.wrong(&format!("{path}.name"), format!("`{}` names two outputs", output.name));
            }
            if let Some(other) = outputs.iter().find(|o| drive_the_same(&o.drive, &output.drive)) {
                let message = format!("`{}` and `{}` drive the same line", other.name, output.name);
                self.wrong(&path, message);
            }
            outputs.push(output);
        }
        outputs
    }

    fn output(&mut self, path: &str, raw: OutputSection) -> Option<OutputConfig> {
        // Its alphabet is that of all names.
        let name = self.name::<CameraId>(&format!("{path}.name"), &raw.name).map(|_| raw.name.clone());
        let (is_sysfs, is_gpio) = (raw.kind == OutputKind::Sysfs, raw.kind == OutputKind::Gpio);
        self.refuse_foreign(path, [("path", raw.path.is_some() && !is_sysfs)], "kind = \"sysfs\"");
        let gpio_only = [("chip", raw.chip.is_some() && !is_gpio), ("line", raw.line.is_some() && !is_gpio)];
        self.refuse_foreign(path, gpio_only, "kind = \"gpio\"");
        let is_log = raw.kind == OutputKind::Log;
        let real_only = [
            ("active_low", raw.active_low.is_some() && is_log),
            ("safe_state", raw.safe_state.is_some() && is_log),
        ];
        self.refuse_foreign(path, real_only, "kind = \"gpio\" or \"sysfs\"");
        let mode = self.mode(path, raw.mode, raw.pulse_ms);
        let active_low = raw.active_low.unwrap_or(false);
        let drive = match raw.kind {
            OutputKind::Log => Some(Drive::Log),
            OutputKind::Sysfs => self.sysfs(path, raw.path, active_low),
            OutputKind::Gpio => {
                self.gpio(path, raw.chip, raw.line).map(|line| Drive::Gpio { line, active_low })
            }
        };
        Some(OutputConfig {
            name: name?,
            drive: drive?,
            mode: mode?,
            safe_state: raw.safe_state.unwrap_or_default(),
        })
    }

    fn mode(&mut self, path: &str, mode: ModeName, pulse_ms: Option<u64>) -> Option<OutputMode> {
        let key = format!("{path}.pulse_ms");
        match (mode, pulse_ms) {
            (ModeName::Pulse, Some(length_ms)) => {
                self.range(&key, length_ms, 10..=600_000);
                Some(OutputMode::Pulse { length_ms })
            }
            (ModeName::Pulse, None) => {
                self.wrong(&format!("{path}.mode"), "`pulse` needs `pulse_ms`, such as 2000");
                None
            }
            (_, Some(_)) => {
                self.wrong(&key, "needs mode = \"pulse\"");
                None
            }
            (ModeName::Follow, None) => Some(OutputMode::Follow),
            (ModeName::Latch, None) => Some(OutputMode::Latch),
        }
    }

    fn sysfs(&mut self, path: &str, file: Option<PathBuf>, active_low: bool) -> Option<Drive> {
        let Some(file) = file else {
            self.wrong(
                &format!("{path}.kind"),
                "`sysfs` needs `path`, such as /sys/class/leds/siren/brightness",
            );
            return None;
        };
        Some(Drive::Sysfs { path: self.path(file), active_low })
    }

    fn gpio(&mut self, path: &str, chip: Option<String>, line: Option<LineSection>) -> Option<LineAddress> {
        if chip.is_none() || line.is_none() {
            self.wrong(
                &format!("{path}.kind"),
                "`gpio` needs `chip` and `line`, such as chip = \"/dev/gpiochip0\" and line = 17",
            );
        }
        self.line(path, chip?, line?)
    }

    fn line(&mut self, path: &str, chip: String, line: LineSection) -> Option<LineAddress> {
        let chip_key = format!("{path}.chip");
        let chip = match chip {
            empty if empty.is_empty() => {
                self.wrong(
                    &chip_key,
                    "is empty; write a path such as /dev/gpiochip0, or a chip's name or label",
                );
                None
            }
            file if file.contains('/') => Some(ChipAddress::Path(self.path(PathBuf::from(file)))),
            name => Some(ChipAddress::Name(name)),
        };
        let line_key = format!("{path}.line");
        let line = match line {
            LineSection::Number(number) => {
                self.range(&line_key, number, 0..=MAX_LINE);
                u32::try_from(number).ok().map(LineId::Offset)
            }
            LineSection::Name(name) if name.is_empty() => {
                self.wrong(&line_key, "is empty; write the number of a line, or its name in quotes");
                None
            }
            LineSection::Name(name) => Some(LineId::Name(name)),
        };
        Some(LineAddress { chip: chip?, line: line? })
    }

    pub(super) fn inputs(&mut self, raw: Vec<InputSection>, outputs: &[OutputConfig]) -> Vec<InputConfig> {
        if self.too_many("input", raw.len(), MAX_INPUTS) {
            return Vec::new();
        }
        let mut inputs: Vec<InputConfig> = Vec::with_capacity(raw.len());
        for (index, section) in raw.into_iter().enumerate() {
            let path = format!("input[{index}]");
            self.range(&format!("{path}.debounce_ms"), section.debounce_ms, 0..=1_000);
            if section.does == InputDoes::Arm && inputs.iter().any(|i| i.does == InputDoes::Arm) {
                self.wrong(&format!("{path}.does"), "another input arms the board already; only one may");
            }
            let Some(line) = self.line(&path, section.chip, section.line) else { continue };
            let is_read = inputs.iter().any(|i| i.line.is_same(&line));
            let is_driven = outputs.iter().any(|o| drives(&o.drive, &line));
            if is_read || is_driven {
                let user = if is_read { "input" } else { "output" };
                self.wrong(&format!("{path}.line"), format!("another {user} has {line} already"));
            }
            inputs.push(InputConfig {
                line,
                does: section.does,
                active_low: section.active_low,
                bias: section.bias,
                debounce_ms: section.debounce_ms,
            });
        }
        inputs
    }

    fn too_many(&mut self, key: &str, count: usize, most: usize) -> bool {
        if count > most {
            self.wrong(key, format!("{count} {key}s are more than the {most} one board has"));
        }
        count > most
    }
}

fn drive_the_same(one: &Drive, other: &Drive) -> bool {
    match (one, other) {
        (Drive::Sysfs { path, .. }, Drive::Sysfs { path: other, .. }) => path == other,
        (drive, Drive::Gpio { line, .. }) => drives(drive, line),
        _ => false,
    }
}

fn drives(drive: &Drive, line: &LineAddress) -> bool {
    matches!(drive, Drive::Gpio { line: driven, .. } if driven.is_same(line))
}
