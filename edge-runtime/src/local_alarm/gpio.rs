//! Lines of the kernel's GPIO character devices.

use std::ffi::OsStr;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gpiocdev::line::{EdgeDetection, EdgeKind, Value};
use gpiocdev::request::Builder;
use gpiocdev::{Chip, Request};
use gpiocdev_embedded_hal::OutputPin;

use super::{CONSUMER, Contact, Switch, Wired};
use crate::config::{Bias, ChipAddress, InputConfig, LineAddress, LineId};

/// Why a line cannot be used. Each message names the chip, the line where it comes to that, and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum GpioError {
    /// No such chip.
    #[error("{line}: no such GPIO chip; {present}")]
    NoChip {
        /// The line.
        line: LineAddress,
        /// What there is instead.
        present: String,
    },
    /// Two chips have this label.
    #[error("{line}: {} have this label; name one of them by its path", chips.join(" and "))]
    AmbiguousChip {
        /// The line.
        line: LineAddress,
        /// The chips' paths.
        chips: Vec<String>,
    },
    /// The user may not open it.
    #[error(
        "{line}: no permission to open {}; let the user of watchpostd join the group that owns it (`ls -l {}`), often `gpio`",
        chip.display(), chip.display()
    )]
    Forbidden {
        /// The line.
        line: LineAddress,
        /// The chip's device.
        chip: PathBuf,
    },
    /// The chip has no such line.
    #[error(
        "{line}: no such line; {chip} has {lines} lines, counted from 0; `gpioinfo` lists them with their names"
    )]
    NoLine {
        /// The line.
        line: LineAddress,
        /// The chip's name and label.
        chip: String,
        /// How many it has.
        lines: u32,
    },
    /// Several lines of the chip have this name.
    #[error("{line}: lines {offsets:?} have this name; write the number instead")]
    AmbiguousLine {
        /// The line.
        line: LineAddress,
        /// Their numbers.
        offsets: Vec<u32>,
    },
    /// Something else has it.
    #[error(
        "{line}: in use by `{user}`; end that program, or free the line in the device tree, or take another line"
    )]
    Busy {
        /// The line.
        line: LineAddress,
        /// Who has it, as the kernel names it.
        user: String,
    },
    /// The kernel refuses.
    #[error("{line}: {reason}")]
    Kernel {
        /// The line.
        line: LineAddress,
        /// Its words.
        reason: String,
    },
}

/// A line that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLine {
    /// The chip's device.
    pub chip: PathBuf,
    /// Number on the chip.
    pub offset: u32,
    /// The chip's name and label.
    pub chip_title: String,
    /// Who has it now, as the kernel names it.
    pub user: Option<String>,
}

/// Looks for a line without touching it.
///
/// # Errors
/// [`GpioError`]: all but that it is in use, which the answer says.
pub fn find_line(line: &LineAddress) -> Result<FoundLine, GpioError> {
    let kernel = |e: gpiocdev::Error| GpioError::Kernel { line: line.clone(), reason: e.to_string() };
    let chip = open_chip(line)?;
    let chip_info = chip.info().map_err(kernel)?;
    let chip_title = format!("{} ({})", chip_info.name, chip_info.label);
    let none =
        || GpioError::NoLine { line: line.clone(), chip: chip_title.clone(), lines: chip_info.num_lines };
    let info = match &line.line {
        LineId::Offset(offset) if *offset >= chip_info.num_lines => return Err(none()),
        LineId::Offset(offset) => chip.line_info(*offset).map_err(kernel)?,
        LineId::Name(name) => {
            let lines = chip.line_info_iter().map_err(kernel)?.filter_map(Result::ok);
            let mut named: Vec<_> = lines.filter(|info| info.name == *name).collect();
            let first = named.pop().ok_or_else(none)?;
            if !named.is_empty() {
                let offsets = named.iter().map(|info| info.offset).chain([first.offset]).collect();
                return Err(GpioError::AmbiguousLine { line: line.clone(), offsets });
            }
            first
        }
    };
    let user = match info.consumer {
        consumer if !consumer.is_empty() => Some(consumer),
        _ if info.used => Some("the kernel".to_owned()),
        _ => None,
    };
    Ok(FoundLine {
        chip: chip.path().to_owned(),
        offset: info.offset,
        chip_title,
        user: user.filter(|_| info.used),
    })
}

fn open_chip(line: &LineAddress) -> Result<Chip, GpioError> {
    let path = match &line.chip {
        ChipAddress::Path(path) => path.clone(),
        ChipAddress::Name(name) => named_chip(line, name)?,
    };
    Chip::from_path(&path).map_err(|e| match io_kind(&e) {
        Some(ErrorKind::NotFound) => GpioError::NoChip { line: line.clone(), present: present_chips() },
        Some(ErrorKind::PermissionDenied) => GpioError::Forbidden { line: line.clone(), chip: path },
        _ => GpioError::Kernel { line: line.clone(), reason: e.to_string() },
    })
}

fn io_kind(error: &gpiocdev::Error) -> Option<ErrorKind> {
    match error {
        gpiocdev::Error::Os(number) => Some(IoError::from_raw_os_error(number.0).kind()),
        _ => None,
    }
}

fn named_chip(line: &LineAddress, name: &str) -> Result<PathBuf, GpioError> {
    let paths = gpiocdev::chip::chips().unwrap_or_default();
    if let Some(path) = paths.iter().find(|path| path.file_name() == Some(OsStr::new(name))) {
        return Ok(path.clone());
    }
    let has_label = |path: &&PathBuf| label(path).is_ok_and(|label| label == name);
    let labelled: Vec<&PathBuf> = paths.iter().filter(has_label).collect();
    match labelled.as_slice() {
        [path] => Ok((*path).clone()),
        [] => Err(match paths.iter().find(|path| is_forbidden(path)) {
            Some(path) => GpioError::Forbidden { line: line.clone(), chip: path.clone() },
            None => GpioError::NoChip { line: line.clone(), present: present_chips() },
        }),
        several => Err(GpioError::AmbiguousChip {
            line: line.clone(),
            chips: several.iter().map(|path| path.display().to_string()).collect(),
        }),
    }
}

fn label(chip: &Path) -> Result<String, gpiocdev::Error> {
    Ok(Chip::from_path(chip)?.info()?.label)
}

fn is_forbidden(chip: &Path) -> bool {
    matches!(label(chip), Err(e) if io_kind(&e) == Some(ErrorKind::PermissionDenied))
}

fn present_chips() -> String {
    let title = |path: PathBuf| match label(&path) {
        Ok(label) => format!("{} ({label})", path.display()),
        Err(_) => path.display().to_string(),
    };
    let chips: Vec<_> = gpiocdev::chip::chips().unwrap_or_default().into_iter().map(title).collect();
    if chips.is_empty() {
        return "this machine has none: is the driver loaded, and /dev visible?".to_owned();
    }
    format!("there is {}", chips.join(", "))
}

/// Begins the request of a free line.
fn builder(line: &LineAddress, active_low: bool) -> Result<Builder, GpioError> {
    let found = find_line(line)?;
    if let Some(user) = found.user {
        return Err(GpioError::Busy { line: line.clone(), user });
    }
    let mut builder = Request::builder();
    builder.on_chip(found.chip).with_line(found.offset).with_consumer(CONSUMER);
    if active_low {
        builder.as_active_low();
    }
    Ok(builder)
}

/// An output line, requested when it is first switched and anew after every error, since chips on USB come and go.
pub(super) struct GpioSwitch {
    line: LineAddress,
    active_low: bool,
    requested: Option<Wired<OutputPin>>,
}

impl GpioSwitch {
    /// The line; nothing is touched yet.
    pub fn new(line: LineAddress, active_low: bool) -> Self {
        Self { line, active_low, requested: None }
    }

    fn request(&self, on: bool) -> Result<Wired<OutputPin>, GpioError> {
        let kernel = |reason: String| GpioError::Kernel { line: self.line.clone(), reason };
        let value = if on { Value::Active } else { Value::Inactive };
        let mut builder = builder(&self.line, self.active_low)?;
        let request = builder.as_output(value).request().map_err(|e| kernel(e.to_string()))?;
        let pin = OutputPin::try_from(request).map_err(|e| kernel(e.to_string()))?;
        Ok(Wired::new(pin, self.active_low))
    }
}

impl Switch for GpioSwitch {
    fn set(&mut self, on: bool) -> Result<(), String> {
        let Some(pin) = &mut self.requested else {
            self.requested = Some(self.request(on).map_err(|e| e.to_string())?);
            return Ok(());
        };
        let set = pin.set(on).map_err(|reason| format!("{}: {reason}", self.line));
        if set.is_err() {
            self.requested = None;
        }
        set
    }
}

/// An input line.
pub(super) struct GpioContact {
    line: LineAddress,
    request: Request,
}

impl GpioContact {
    /// Requests the line.
    pub fn open(config: &InputConfig) -> Result<Self, GpioError> {
        let mut builder = builder(&config.line, config.active_low)?;
        builder.as_input().with_edge_detection(EdgeDetection::BothEdges);
        let bias = match config.bias {
            Bias::AsIs => None,
            Bias::PullUp => Some(gpiocdev::line::Bias::PullUp),
            Bias::PullDown => Some(gpiocdev::line::Bias::PullDown),
            Bias::Disabled => Some(gpiocdev::line::Bias::Disabled),
        };
        builder.with_bias(bias);
        if config.debounce_ms > 0 {
            builder.with_debounce_period(Duration::from_millis(config.debounce_ms));
        }
        let line = config.line.clone();
        match builder.request() {
            Ok(request) => Ok(Self { line, request }),
            Err(e) => Err(GpioError::Kernel { line, reason: e.to_string() }),
        }
    }
}

impl Contact for GpioContact {
    fn next(&mut self, most: Duration) -> Result<bool, String> {
        // A signal may interrupt the wait: then, too, the level tells all there is to know.
        let has_edge = self.request.wait_edge_event(most).unwrap_or(false);
        let is_active = if has_edge {
            self.request.read_edge_event().map(|edge| edge.kind == EdgeKind::Rising)
        } else {
            self.request.lone_value().map(|value| value == Value::Active)
        };
        is_active.map_err(|e| format!("{}: {e}", self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent(chip: ChipAddress) -> LineAddress {
        LineAddress { chip, line: LineId::Offset(17) }
    }

    #[test]
    fn an_absent_chip_is_named_with_its_line_and_what_there_is() {
        let by_path = absent(ChipAddress::Path(PathBuf::from("/nonexistent/gpiochip99")));
        let by_label = absent(ChipAddress::Name("no-such-label".to_owned()));
        for (line, says) in
            [(by_path, "line 17 of /nonexistent/gpiochip99"), (by_label, "line 17 of no-such-label")]
        {
            let error = find_line(&line).unwrap_err();
            assert!(matches!(error, GpioError::NoChip { .. }), "{error:?}");
            assert!(error.to_string().starts_with(&format!("{says}: no such GPIO chip; ")), "{error}");
            assert!(GpioSwitch::new(line, false).set(true).unwrap_err().contains(says));
        }
    }

    #[test]
    fn a_file_that_is_no_chip_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = absent(ChipAddress::Path(file.path().to_owned()));
        let error = GpioSwitch::new(line, true).set(false).unwrap_err();
        assert!(error.contains("is not a character device"), "{error}");
        let line = absent(ChipAddress::Path(PathBuf::from("/dev/null")));
        let error = find_line(&line).unwrap_err().to_string();
        assert!(error.contains("is not a GPIO character device"), "{error}");
    }
}
