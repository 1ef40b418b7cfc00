//! Checked outputs and inputs of the board itself.

use std::fmt;
use std::path::PathBuf;

use super::schema::{Bias, InputDoes, SafeState};

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputConfig {
    /// What hangs on it.
    pub name: String,
    /// How it is switched.
    pub drive: Drive,
    /// When it is on.
    pub mode: OutputMode,
    /// What `watchpostd safe` makes of it.
    pub safe_state: SafeState,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self {
            name: "log".to_owned(),
            drive: Drive::Log,
            mode: OutputMode::Follow,
            safe_state: SafeState::Off,
        }
    }
}

/// How an output is switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drive {
    /// Only a line in the log.
    Log,
    /// A file of the kernel.
    Sysfs {
        /// File that takes `1` and `0`.
        path: PathBuf,
        /// `0` means on.
        active_low: bool,
    },
    /// A line of a GPIO chip.
    Gpio {
        /// The line.
        line: LineAddress,
        /// The low level means on.
        active_low: bool,
    },
}

/// When an output is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputMode {
    /// While an event lasts.
    Follow,
    /// For a while after an event began.
    Pulse {
        /// How long, milliseconds.
        length_ms: u64,
    },
    /// From the beginning of an event until somebody acknowledges.
    Latch,
}

impl fmt::Display for OutputMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Follow => f.write_str("on while an event lasts"),
            Self::Pulse { length_ms } => write!(f, "on for {length_ms} ms when an event begins"),
            Self::Latch => f.write_str("on from an event until acknowledged"),
        }
    }
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputConfig {
    /// The line.
    pub line: LineAddress,
    /// What it is for.
    pub does: InputDoes,
    /// The low level means active.
    pub active_low: bool,
    /// The chip's own resistor.
    pub bias: Bias,
    /// Shorter changes do not count, milliseconds.
    pub debounce_ms: u64,
}

/// Where a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineAddress {
    /// On which chip.
    pub chip: ChipAddress,
    /// Which of its lines.
    pub line: LineId,
}

impl LineAddress {
    /// Whether both surely name one line: a chip's path ends with its name.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.line == other.line && self.chip.last_name() == other.chip.last_name()
    }
}

impl fmt::Display for LineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of {}", self.line, self.chip)
    }
}

/// Which chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChipAddress {
    /// Its character device.
    Path(PathBuf),
    /// Its name, such as `gpiochip0`, or its label, such as `pinctrl-bcm2711`.
    Name(String),
}

impl ChipAddress {
    fn last_name(&self) -> Option<&std::ffi::OsStr> {
        match self {
            Self::Path(path) => path.file_name(),
            Self::Name(name) => Some(name.as_ref()),
        }
    }
}

impl fmt::Display for ChipAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Which line of a chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineId {
    /// Its number, from 0.
    Offset(u32),
    /// Its name, which the board's firmware gave it.
    Name(String),
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(offset) => offset.fmt(f),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}
