//! The board's configuration: one TOML file, every key typed, unknown keys refused.
//!
//! ```toml
//! [board]
//! id = "gate-1"
//! site = "yard"
//!
//! [model]
//! bundle = "bundle"              # relative paths start at the configuration file
//!
//! [network]                      # leave it out: the board works alone
//! broker = "mqtt://hub.local:1883"
//!
//! [[output]]                     # leave it out: a line in the log
//! name = "siren"
//! kind = "gpio"
//! chip = "/dev/gpiochip0"
//! line = 17
//!
//! [[camera]]
//! id = "north"
//! source = { kind = "v4l", device = "/dev/video0", frame_rate_hz = 10.0 }
//! score.raise_threshold = 0.7
//! ```
//!
//! [`schema`] holds the keys as they stand in the file, [`Config`] the checked values with every default filled in.

mod camera_url;
mod error;
mod gst_pipeline;
mod local;
mod locate;
mod resolve;
pub mod schema;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use alarm_proto::topics::Prefix;
use alarm_proto::{BoardId, CameraId, SiteId};
use mqtt_tls::Tls;

use crate::arming::Arming;
use crate::calibration::CALIBRATION_FILE;
use crate::capture::Setting;
use crate::command::Trust;
use crate::page::{PageTls, Token};
use crate::picture::PictureFault;
use crate::tuned::{TUNE_FILE, TuningSource};
use crate::view::View;

pub use camera_url::CameraUrl;
pub use error::{ConfigError, Problem};
pub use gst_pipeline::GstPipeline;
pub use local::{ChipAddress, Drive, InputConfig, LineAddress, LineId, OutputConfig, OutputMode};
pub use schema::{Bias, InputDoes, MetricsAccess, Pace, SafeState, ScoreOverride, Transport};

/// Largest configuration file that is read, bytes.
pub const MAX_CONFIG_BYTES: u64 = 256 * 1024;

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// This board.
    pub board: BoardId,
    /// Where the board stands.
    pub site: SiteId,
    /// Kind of board, compared with the bundle's list of boards.
    pub hardware: String,
    /// Folder of the model bundle.
    pub bundle: PathBuf,
    /// Frames that an encoder which streams takes at a time; `None`: as tuned, else 1.
    pub pulse: Option<usize>,
    /// The link to the hub; `None`: the board works alone.
    pub network: Option<Network>,
    /// The durable store of alarms.
    pub outbox: OutboxConfig,
    /// Pictures and videos of alarms; `None`: none are kept.
    pub evidence: Option<EvidenceConfig>,
    /// The board's page; `None`: it listens nowhere.
    pub page: Option<PageConfig>,
    /// Overrides of the bundle's score settings for every camera.
    pub score: ScoreOverride,
    /// What an alarm switches on the board itself; never empty.
    pub outputs: Vec<OutputConfig>,
    /// Buttons and key switches.
    pub inputs: Vec<InputConfig>,
    /// At least one for `run`; `drill` and `replay` need none.
    pub cameras: Vec<CameraConfig>,
}

/// The link to the hub.
#[derive(Debug, Clone)]
pub struct Network {
    /// Host name or address of the MQTT broker.
    pub host: String,
    /// TCP port of the broker.
    pub port: u16,
    /// What TLS trusts and shows; `None`: no TLS.
    pub tls: Option<Tls>,
    /// First level of every topic.
    pub prefix: Prefix,
    /// MQTT keep-alive, seconds.
    pub keep_alive_s: u16,
    /// Time between heartbeats, milliseconds.
    pub heartbeat_interval_ms: u64,
    /// An alarm without the hub's Ack is published again after this time (doubling up to eight times as long), milliseconds.
    pub resend_after_ms: u64,
    /// Most records that wait for an Ack at once.
    pub window: usize,
    /// Name and password for the broker.
    pub credentials: Option<Credentials>,
    /// Prefix of Home Assistant's discovery, if it is to hear of the board.
    pub home_assistant: Option<String>,
    /// Who may command; `None`: nobody.
    pub commands: Option<Commands>,
}

/// Commands over MQTT.
#[derive(Debug, Clone)]
pub struct Commands {
    /// Who may command.
    pub trust: Trust,
    /// Where the key lies, if there is one.
    pub key_file: Option<PathBuf>,
    /// Where the counter of commands with a key is kept: with what else the board remembers.
    pub counter_file: PathBuf,
}

/// Name and password for the broker or a camera; `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password, read from a file of its own.
    pub password: String,
}

impl Network {
    /// Host name or address without the brackets of IPv6.
    #[must_use]
    pub fn bare_host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// Whether the broker is on this very machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let address: Option<std::net::IpAddr> = self.bare_host().parse().ok();
        address.map_or(self.host == "localhost", |address| address.is_loopback())
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where and how much the outbox may store.
#[derive(Debug, Clone)]
pub struct OutboxConfig {
    /// SQLite file.
    pub path: PathBuf,
    /// Bound on the undelivered records, bytes.
    pub max_bytes: u64,
}

/// What is kept of alarms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceConfig {
    /// Folder of all evidence.
    pub folder: PathBuf,
    /// Most bytes of all evidence.
    pub max_bytes: u64,
    /// Days of running after which it goes.
    pub max_age_days: u32,
    /// Bytes of the disk that it leaves free.
    pub min_free_bytes: u64,
    /// Video from before the alarm, milliseconds.
    pub pre_roll_ms: u64,
    /// Video from after the event, milliseconds.
    pub post_roll_ms: u64,
    /// Longest video of a lasting event, from the alarm on, milliseconds.
    pub max_clip_ms: u64,
}

/// The board's page in a browser.
#[derive(Debug, Clone)]
pub struct PageConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What opens it.
    pub token: Token,
    /// Where the token lies.
    pub token_file: PathBuf,
    /// Certificate and key; `None`: no TLS.
    pub tls: Option<PageTls>,
    /// Who may read `/metrics`.
    pub metrics: MetricsAccess,
    /// Whether the token also commands.
    pub commands: bool,
}

/// One camera.
#[derive(Debug, Clone)]
pub struct CameraConfig {
    /// Name in alarms and logs.
    pub id: CameraId,
    /// Where frames come from.
    pub source: Source,
    /// Overrides of the board-wide score settings.
    pub score: ScoreOverride,
    /// Its masks and zones.
    pub view: View,
    /// When it may alarm.
    pub arming: Arming,
    /// Faults of its picture that hold back no alarm.
    pub tolerated: Vec<PictureFault>,
}

/// A network camera that speaks RTSP and sends H.264.
#[derive(Debug, Clone, PartialEq)]
pub struct RtspSource {
    /// Its address.
    pub url: CameraUrl,
    /// Who asks; `None`: anybody may.
    pub credentials: Option<Credentials>,
    /// How pictures come.
    pub transport: Transport,
    /// Frames scored per second; frames above that rate are decoded and left out.
    pub frame_rate_hz: f64,
}

/// A pipeline of GStreamer that ends in raw pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct GstSource {
    /// Its elements.
    pub pipeline: GstPipeline,
    /// Frames scored per second; frames above that rate are left out.
    pub frame_rate_hz: f64,
}

/// Where a camera's frames come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A Video4Linux2 device.
    V4l {
        /// Device node.
        device: PathBuf,
        /// Wanted picture width, pixels; the driver may choose another.
        width_px: u32,
        /// Wanted picture height, pixels; the driver may choose another.
        height_px: u32,
        /// Frames scored per second; frames above that rate are left out.
        frame_rate_hz: f64,
        /// Settings of the camera's electronics.
        settings: Vec<Setting>,
    },
    /// A network camera.
    Rtsp(RtspSource),
    /// A pipeline of GStreamer.
    Gst(GstSource),
    /// A video file (`kind = "file"`) or a folder of images (`kind = "images"`).
    Video {
        /// File or folder.
        path: PathBuf,
        /// Start again at the end.
        repeat: bool,
        /// How fast frames are taken.
        pace: Pace,
        /// Frames per second of a folder of images; a video file has its own.
        image_rate_hz: f64,
    },
}

impl Source {
    /// The same, but a file is read once and as fast as it can be: for who wants its pictures and not their time.
    #[must_use]
    pub fn read_fast(&self) -> Self {
        match self {
            Self::Video { path, image_rate_hz, .. } => Self::Video {
                path: path.clone(),
                repeat: false,
                pace: Pace::Fast,
                image_rate_hz: *image_rate_hz,
            },
            device => device.clone(),
        }
    }
}

impl Config {
    /// Reads and checks `file`.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the line and the key; for an unknown key also the nearest known one.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = read_bounded(file)?;
        Self::parse(&text, file)
    }

    /// Checks configuration text; `file` serves error messages and as the start of relative paths.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let raw: schema::ConfigFile =
            toml::from_str(text).map_err(|e| ConfigError::syntax(file, text, &e))?;
        resolve::resolve(raw, file).map_err(|problems| ConfigError::values(file, text, problems))
    }

    /// Where `watchpostd tune` stores its choice: with what else the board remembers.
    #[must_use]
    pub fn tune_file(&self) -> PathBuf {
        self.outbox.path.with_file_name(TUNE_FILE)
    }

    /// Where `watchpostd calibrate` stores its thresholds.
    #[must_use]
    pub fn calibration_file(&self) -> PathBuf {
        self.outbox.path.with_file_name(CALIBRATION_FILE)
    }

    /// How the encoder is run.
    #[must_use]
    pub fn tuning(&self) -> TuningSource {
        TuningSource::Stored { file: self.tune_file(), pulse: self.pulse }
    }
}

fn read_bounded(file: &Path) -> Result<String, ConfigError> {
    let read = |source| ConfigError::Read { file: file.to_owned(), source };
    let bytes = std::fs::metadata(file).map_err(read)?.len();
    if bytes > MAX_CONFIG_BYTES {
        return Err(ConfigError::TooLarge { file: file.to_owned(), bytes, max_bytes: MAX_CONFIG_BYTES });
    }
    std::fs::read_to_string(file).map_err(read)
}
