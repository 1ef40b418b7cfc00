//! The files of `boards/`.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// One kind of board. The keys are explained in `boards/README.md`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The file's name without its ending.
    pub name: String,
    /// The hardware in words.
    pub summary: String,
    /// Rust target of the static board program.
    pub triple: String,
    /// What cameras there give.
    pub camera: Camera,
    /// The chip whose lines an integrator wires.
    pub gpio: Option<Gpio>,
    /// What `watchpostd` may take.
    pub budget: Budget,
    /// How the board is emulated, if it is.
    pub emulator: Option<Emulator>,
}

/// `[camera]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Four-character codes that `watchpostd` reads from Video4Linux2, best first.
    pub formats: Vec<String>,
}

/// `[gpio]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpio {
    /// The chip's path, name or label, as in a board's configuration.
    pub chip: String,
    /// Line that an integrator wires a siren to, and tests take for one.
    pub siren_line: Line,
    /// The same for the button that acknowledges.
    pub acknowledge_line: Line,
}

/// A line of a chip.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// Its number.
    Number(u32),
    /// Its name.
    Name(String),
}

impl fmt::Display for Line {
    /// As in a board's configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}

/// `[budget]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Most bytes of the program.
    pub binary_bytes: u64,
    /// Most memory with one camera and the full I3D.
    pub memory_bytes: u64,
    /// Longest time to score one clip of 16 frames with the full I3D, on one core.
    pub clip_ms: u64,
    /// Default bound on undelivered alarms.
    pub outbox_bytes: u64,
}

/// `[emulator]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emulator {
    /// Architecture of the Debian packages.
    pub architecture: String,
    /// Package that depends on the newest kernel.
    pub kernel_package: String,
    /// Packages with programs.
    pub packages: Vec<String>,
    /// Kernel modules, each with its options; what they need is loaded before them.
    pub modules: Vec<String>,
    /// Options of the emulator: machine, processor, memory.
    pub machine: Vec<String>,
}

impl Board {
    /// Reads `boards/<name>.toml`.
    ///
    /// # Errors
    /// When there is no such file, or a key is missing, unknown or of another type.
    pub fn read(name: &str) -> Result<Self> {
        Self::read_file(&folder().join(name).with_extension("toml"))
    }

    /// Every board there is.
    ///
    /// # Errors
    /// As [`Board::read`].
    pub fn all() -> Result<Vec<Self>> {
        let files = std::fs::read_dir(folder())?.collect::<Result<Vec<_>, _>>()?;
        let is_board = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
        files
            .into_iter()
            .map(|file| file.path())
            .filter(is_board)
            .map(|path| Self::read_file(&path))
            .collect()
    }

    fn read_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }
}

/// The folder `boards/`.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../boards")
}
