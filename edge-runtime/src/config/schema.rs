//! The keys as they stand in the file. Every field says its default and its range; `resolve` enforces them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::picture::PictureFault;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Who this board is. Required.
    pub board: Board,
    /// Which model it runs. Required.
    pub model: Model,
    /// The link to the hub. Default: none, the board works alone.
    pub network: Option<NetworkSection>,
    /// The durable store of alarms. Default: `outbox.db` beside this file.
    #[serde(default)]
    pub outbox: OutboxSection,
    /// Pictures and videos of alarms. Default: none are kept.
    pub evidence: Option<EvidenceSection>,
    /// The board's page in a browser. Default: none, the board listens nowhere.
    pub page: Option<PageSection>,
    /// Overrides of the bundle's score settings, for every camera. Default: none.
    #[serde(default)]
    pub score: ScoreOverride,
    /// What an alarm switches on the board itself, one `[[output]]` each; at most 8. Default: a line in the log.
    #[serde(default)]
    pub output: Vec<OutputSection>,
    /// Buttons and key switches, one `[[input]]` each; at most 8. Default: none.
    #[serde(default)]
    pub input: Vec<InputSection>,
    /// Windows of the week in which cameras are armed, one `[[schedule]]` each; at most 64, those of one name add up. Default: none.
    #[serde(default)]
    pub schedule: Vec<ScheduleSection>,
    /// Cameras, one `[[camera]]` each; at most 16. Default: none (enough for `drill` and `replay`).
    #[serde(default)]
    pub camera: Vec<CameraSection>,
}

/// `[board]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Unique name at the site: 1 to 32 of `a-z`, `0-9`, `-`, `_`. Required.
    pub id: String,
    /// Name of the site, same alphabet. Required.
    pub site: String,
    /// Name of a file in `boards/` without its ending, compared with the boards a bundle allows.
    /// Default: `generic-amd64` or `generic-arm64`, after the processor.
    pub hardware: Option<String>,
    /// Where the board stands, for schedules: a name of the time-zone database such as `Europe/Berlin`. Default: `UTC`.
    #[serde(default = "default_time_zone")]
    pub time_zone: String,
    /// When its cameras may alarm, unless they say otherwise: `always`, `never` or the name of a schedule. Default: `always`.
    #[serde(default = "default_armed")]
    pub armed: String,
}

/// `[model]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Folder of the bundle. Required.
    pub bundle: PathBuf,
    /// Frames that an encoder which streams takes at a time, 1 to 4, a divisor of the clips and their stride; encoders of
    /// whole clips have no use for it. Default: as `watchpostd tune` found to be the fastest, 1 where it has not been run.
    pub pulse: Option<usize>,
}

/// `[network]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSection {
    /// `mqtt://HOST[:PORT]`, port 1883 when left out, or `mqtts://HOST[:PORT]` for TLS, port 8883 when left out. Required.
    pub broker: String,
    /// PEM file of the authorities that may vouch for the broker. Default: none; needed with `mqtts://`.
    pub ca_file: Option<PathBuf>,
    /// PEM file of this board's own certificate, for brokers that ask for one. Default: none; needs `mqtts://` and `key_file`.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its key. Default: none; needed with `certificate_file`.
    pub key_file: Option<PathBuf>,
    /// First level of every topic, 1 to 32 of `a-z`, `0-9`, `-`, `_`. Default: `watchpost`.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// MQTT keep-alive in seconds, 5 to 600. Default: 10.
    #[serde(default = "default_keep_alive_s")]
    pub keep_alive_s: u16,
    /// Milliseconds between heartbeats, 100 to 60000. Default: 5000.
    #[serde(default = "default_heartbeat_interval_ms")]
    pub heartbeat_interval_ms: u64,
    /// Milliseconds until a record without the hub's Ack is published again, 200 to 600000; doubles up to eight times
    /// that. Default: 3000.
    #[serde(default = "default_resend_after_ms")]
    pub resend_after_ms: u64,
    /// Most records that wait for an Ack at once, 4 to 1024. Default: 256.
    #[serde(default = "default_window")]
    pub window: usize,
    /// User name at the broker. Default: none.
    pub username: Option<String>,
    /// File that holds the password (one line). Default: none; needed with `username`.
    pub password_file: Option<PathBuf>,
    /// Tells Home Assistant which entities the board has. Default: none.
    pub home_assistant: Option<HomeAssistantSection>,
    /// Commands over MQTT. Default: none are taken.
    pub commands: Option<CommandsSection>,
}

/// `[network.commands]`; exactly one of the keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandsSection {
    /// `broker`: whoever the broker lets publish may command. Only with a certificate of our own, or a broker on this machine.
    pub trust: Option<TrustName>,
    /// File with a key, 32 to 1024 bytes in one line: whoever has it may command.
    pub key_file: Option<PathBuf>,
}

/// Whom to trust, in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustName {
    /// Whoever the broker lets publish.
    Broker,
}

/// `[network.home_assistant]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeAssistantSection {
    /// First level of its discovery topics, 1 to 32 of `a-z`, `0-9`, `-`, `_`. Default: `homeassistant`.
    #[serde(default = "default_discovery_prefix")]
    pub discovery_prefix: String,
}

/// `[outbox]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboxSection {
    /// SQLite file. Default: `outbox.db` beside this file.
    pub path: PathBuf,
    /// Bound on undelivered records in bytes, 65536 to 4294967296. Default: 335544320 (320 MiB).
    pub max_bytes: u64,
}

impl Default for OutboxSection {
    fn default() -> Self {
        Self { path: PathBuf::from("outbox.db"), max_bytes: 320 << 20 }
    }
}

/// `[evidence]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceSection {
    /// Folder of pictures and videos. Default: `evidence` beside this file.
    pub folder: PathBuf,
    /// Most bytes of all evidence, 16777216 (16 MiB) to 1099511627776; the oldest goes first. Default: 2147483648 (2 GiB).
    pub max_bytes: u64,
    /// Days after which evidence goes, 1 to 3650, of time that the board ran. Default: 30.
    pub max_age_days: u32,
    /// Bytes of the disk that evidence leaves free, 0 to 1099511627776. Default: 268435456 (256 MiB).
    pub min_free_bytes: u64,
    /// Video from before the alarm, milliseconds, 0 to 30000. Default: 5000.
    pub pre_roll_ms: u64,
    /// Video from after the event, milliseconds, 0 to 60000. Default: 5000.
    pub post_roll_ms: u64,
    /// Video of a lasting event ends this long after the alarm, milliseconds, 1000 to 600000. Default: 60000.
    pub max_clip_ms: u64,
}

impl Default for EvidenceSection {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("evidence"),
            max_bytes: 2 << 30,
            max_age_days: 30,
            min_free_bytes: 256 << 20,
            pre_roll_ms: 5_000,
            post_roll_ms: 5_000,
            max_clip_ms: 60_000,
        }
    }
}

/// `[page]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSection {
    /// Address and port to listen on, such as `0.0.0.0:8080` for every network. Default: `127.0.0.1:8080`, this machine alone.
    #[serde(default = "default_listen")]
    pub listen: String,
    /// File with the token that opens the page, 16 to 256 printable characters in one line. Required.
    pub token_file: PathBuf,
    /// PEM file of the page's certificate: it is then served as https. Default: none; needs `key_file`.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its key. Default: none; needed with `certificate_file`.
    pub key_file: Option<PathBuf>,
    /// Who may read `/metrics`: `token` or `open`. Default: `token`.
    #[serde(default)]
    pub metrics: MetricsAccess,
    /// Whether whoever has the token may also arm, disarm, snooze and acknowledge. Default: `false`.
    #[serde(default)]
    pub commands: bool,
}

/// Who may read `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricsAccess {
    /// Whoever has the token.
    #[default]
    Token,
    /// Everybody who reaches the port.
    Open,
}

fn default_listen() -> String {
    "127.0.0.1:8080".to_owned()
}

/// `[score]` and `score` of a camera: each key overrides the bundle's value.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreOverride {
    /// Smoothed score at which an alarm is raised, 0 to 1.
    pub raise_threshold: Option<f32>,
    /// Smoothed score at which it is cleared, 0 to `raise_threshold`.
    pub clear_threshold: Option<f32>,
    /// How long the score must stay above the threshold, milliseconds, 0 to 86400000.
    pub min_duration_ms: Option<u32>,
    /// Quiet time after an alarm, milliseconds, 0 to 86400000.
    pub cool_down_ms: Option<u32>,
    /// Time between updates of a lasting alarm, milliseconds, 0 (none) to 86400000.
    pub update_interval_ms: Option<u32>,
    /// Smoothed score from which an alarm is critical, `raise_threshold` to 1. Default: half way from `raise_threshold` to 1.
    pub critical_threshold: Option<f32>,
}

/// `[[output]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSection {
    /// What hangs on it, such as `siren`: 1 to 32 of `a-z`, `0-9`, `-`, `_`; unique on the board. Required.
    pub name: String,
    /// `log`, `sysfs` or `gpio`. Required.
    pub kind: OutputKind,
    /// For `sysfs`: the file that takes `1` and `0`, such as an LED's `brightness`. Required there.
    pub path: Option<PathBuf>,
    /// For `gpio`: the chip's path such as `/dev/gpiochip0`, or its name or label. Required there.
    pub chip: Option<String>,
    /// For `gpio`: the line's number on the chip, 0 to 65535, or its name in quotes. Required there.
    pub line: Option<LineSection>,
    /// For `sysfs` and `gpio`: on is the low level. Default: false.
    pub active_low: Option<bool>,
    /// `follow`, `pulse` or `latch`. Default: `follow`.
    #[serde(default)]
    pub mode: ModeName,
    /// For `pulse`: how long it is on, milliseconds, 10 to 600000. Required there.
    pub pulse_ms: Option<u64>,
    /// For `sysfs` and `gpio`: `off` or `on`, what `watchpostd safe` makes of it. Default: `off`.
    pub safe_state: Option<SafeState>,
}

/// Kinds of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputKind {
    /// Only a line in the log.
    Log,
    /// A file of the kernel.
    Sysfs,
    /// A line of a GPIO chip.
    Gpio,
}

/// When an output is on, in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeName {
    /// While an event lasts.
    #[default]
    Follow,
    /// For a while after an event began.
    Pulse,
    /// From the beginning of an event until somebody acknowledges.
    Latch,
}

/// State of an output while no program watches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SafeState {
    /// Off.
    #[default]
    Off,
    /// On, as for a relay that must open doors.
    On,
}

/// A line of a GPIO chip as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineSection {
    /// Its number on the chip.
    Number(i64),
    /// Its name.
    Name(String),
}

impl<'de> Deserialize<'de> for LineSection {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct EitherForm;

        impl Visitor<'_> for EitherForm {
            type Value = LineSection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number of a line, or its name in quotes")
            }

            fn visit_i64<E>(self, number: i64) -> Result<LineSection, E> {
                Ok(LineSection::Number(number))
            }

            fn visit_str<E>(self, name: &str) -> Result<LineSection, E> {
                Ok(LineSection::Name(name.to_owned()))
            }
        }

        from.deserialize_any(EitherForm)
    }
}

/// `[[input]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSection {
    /// The chip's path such as `/dev/gpiochip0`, or its name or label. Required.
    pub chip: String,
    /// The line's number on the chip, 0 to 65535, or its name in quotes. Required.
    pub line: LineSection,
    /// `acknowledge` or `arm`; one input at most may arm. Required.
    pub does: InputDoes,
    /// The low level means pressed, or armed. Default: false.
    #[serde(default)]
    pub active_low: bool,
    /// `as-is`, `pull-up`, `pull-down` or `disabled`: the chip's own resistor. Default: `as-is`.
    #[serde(default)]
    pub bias: Bias,
    /// Changes that do not last this long are contacts that bounce, milliseconds, 0 (none) to 1000. Default: 50.
    #[serde(default = "default_debounce_ms")]
    pub debounce_ms: u64,
}

/// What an input is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputDoes {
    /// Pressing it silences outputs that latched.
    Acknowledge,
    /// The board is armed while it is active.
    Arm,
}

/// The resistor that a chip can put to an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// As the board's firmware set it.
    #[default]
    AsIs,
    /// To the supply: for a contact to ground.
    PullUp,
    /// To ground: for a contact to the supply.
    PullDown,
    /// None.
    Disabled,
}

/// `[[schedule]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSection {
    /// Its name: 1 to 32 of `a-z`, `0-9`, `-`, `_`, not `always` or `never`. Required.
    pub name: String,
    /// Days of the week on which it begins: `mon` to `sun`. Default: all.
    pub days: Option<Vec<Day>>,
    /// When it begins, `HH:MM`. Required.
    pub from: String,
    /// When it ends, `HH:MM` up to `24:00`; on the following day if it is not later than `from`. Required.
    pub until: String,
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// `[[camera]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSection {
    /// Name in alarms: 1 to 32 of `a-z`, `0-9`, `-`, `_`; unique on the board. Required.
    pub id: String,
    /// Where frames come from. Required.
    pub source: SourceSection,
    /// Overrides of `[score]` for this camera. Default: none.
    #[serde(default)]
    pub score: ScoreOverride,
    /// When this camera may alarm: `always`, `never` or the name of a schedule. Default: as the board says.
    pub armed: Option<String>,
    /// Faults of the picture that hold back no alarm: `dark`, `covered`, `frozen`, `moved`, `switched`. Default: none.
    #[serde(default)]
    pub tolerate: Vec<PictureFault>,
    /// Parts of the picture that nobody may see, the model included; at most 16. Default: none.
    #[serde(default)]
    pub mask: Vec<AreaSection>,
    /// Parts of the picture that the model is to look at; at most 16. Default: none, it looks at all of it.
    #[serde(default)]
    pub zone: Vec<AreaSection>,
}

/// `[[camera.mask]]` and `[[camera.zone]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AreaSection {
    /// Its name: 1 to 32 of `a-z`, `0-9`, `-`, `_`; unique among the masks or zones of the camera. Required.
    pub name: String,
    /// Corners of a polygon, 3 to 64 of `[x, y]`: fractions of the picture's width and height from the top left, 0 to 1.
    /// Required.
    pub points: Vec<Vec<f64>>,
}

/// `source` of a camera. One flat table, so that an error points at the very key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSection {
    /// `v4l`, `rtsp`, `gst`, `file` or `images`. Required.
    pub kind: SourceKind,
    /// For `v4l`: the device node. Default: `/dev/video0`.
    pub device: Option<PathBuf>,
    /// For `v4l`: wanted width in pixels, 16 to 8192. Default: 640.
    pub width_px: Option<u32>,
    /// For `v4l`: wanted height in pixels, 16 to 8192. Default: 480.
    pub height_px: Option<u32>,
    /// For `v4l`, `rtsp` and `gst`: frames scored per second; for `images`: frame rate of the folder; 0.1 to 240. Default: 10.
    pub frame_rate_hz: Option<f64>,
    /// For `v4l`: settings of the camera's electronics by the names of `v4l2-ctl --list-ctrls`. Default: as the camera has them.
    pub controls: Option<BTreeMap<String, i64>>,
    /// For `rtsp`: the camera's address, `rtsp://HOST[:PORT]/PATH`, without user and password. Required there.
    pub url: Option<String>,
    /// For `rtsp`: user at the camera; needs `password_file`. Default: none.
    pub username: Option<String>,
    /// For `rtsp`: file with the password in one line; needs `username`. Default: none.
    pub password_file: Option<PathBuf>,
    /// For `rtsp`: `tcp` or `udp`. Default: `tcp`.
    pub transport: Option<Transport>,
    /// For `gst`: elements of GStreamer that end in raw pictures, as for `gst-launch-1.0`, at most 4096 bytes. Required there.
    pub pipeline: Option<String>,
    /// For `file` and `images`: the file or folder. Required there.
    pub path: Option<PathBuf>,
    /// For `file` and `images`: start again at the end. Default: false.
    #[serde(rename = "loop")]
    pub repeat: Option<bool>,
    /// For `file` and `images`: `real-time` or `fast`. Default: `real-time`.
    pub pace: Option<Pace>,
}

/// Kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Video4Linux2 device.
    V4l,
    /// Network camera.
    Rtsp,
    /// Pipeline of GStreamer.
    Gst,
    /// Video file.
    File,
    /// Folder of images.
    Images,
}

/// How a network camera sends its pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Within the connection that asks for them: nothing is lost, and no other port is needed.
    #[default]
    Tcp,
    /// In packets of their own: one that is lost costs the pictures up to the next key frame.
    Udp,
}

/// How fast frames of a file are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// At the file's frame rate, as a camera would give them.
    RealTime,
    /// As fast as they can be scored.
    Fast,
}

fn default_time_zone() -> String {
    "UTC".to_owned()
}

fn default_armed() -> String {
    "always".to_owned()
}

fn default_prefix() -> String {
    "watchpost".to_owned()
}

fn default_discovery_prefix() -> String {
    "homeassistant".to_owned()
}

fn default_keep_alive_s() -> u16 {
    10
}

fn default_heartbeat_interval_ms() -> u64 {
    5_000
}

fn default_resend_after_ms() -> u64 {
    3_000
}

fn default_window() -> usize {
    256
}

fn default_debounce_ms() -> u64 {
    50
}
