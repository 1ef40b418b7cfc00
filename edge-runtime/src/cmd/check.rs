//! `watchpostd check`

mod page;

use std::net::ToSocketAddrs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::say;
use crate::calibration::InForce;
use crate::capture;
use crate::cli::ConfigArg;
use crate::clock::{Clock, SystemClock};
use crate::command::Trust;
use crate::config::{
    CameraConfig, Commands, Config, Drive, EvidenceConfig, InputConfig, InputDoes, LineAddress, Network,
    OutputConfig, Source,
};
use crate::error::Error;
use crate::evidence::store::{free_bytes, make_folder};
use crate::local_alarm::{CONSUMER, GpioError, find_line};
use crate::model::Model;
use crate::outbox::Outbox;
use crate::shutdown::Stop;
use crate::tuned::Tuned;
use crate::view::SizePx;

const BROKER_TIMEOUT_MS: u64 = 3_000;

/// What one look found.
enum Finding {
    Ok(String),
    Warn(String),
    Fail(String),
}

pub(crate) fn run(args: &ConfigArg) -> Result<ExitCode, Error> {
    let config = Config::load(&args.config)?;
    // Who is tired of waiting leaves no process of a camera behind.
    let stop =
        Stop::on_signals().map_err(|e| Error::System { doing: "handle signals", reason: e.to_string() })?;
    let mut failed = false;
    let mut show = |what: &str, finding: Finding| {
        let (mark, text) = match finding {
            Finding::Ok(text) => ("ok  ", text),
            Finding::Warn(text) => ("warn", text),
            Finding::Fail(text) => {
                failed = true;
                ("FAIL", text)
            }
        };
        say(format_args!("{mark}  {what:<8}  {}", text.replace('\n', "\n                ")));
    };
    show(
        "config",
        Finding::Ok(format!("{}: board {} at site {}", config.file.display(), config.board, config.site)),
    );
    let (finding, model) = model(&config);
    show("model", finding);
    if let Some(model) = &model {
        show("tuning", tuning(model.tuned()));
    }
    for camera in &config.cameras {
        let finding = camera_works(camera, &stop);
        if stop.is_set() {
            return Ok(ExitCode::FAILURE);
        }
        show("camera", finding);
        if let Some(model) = &model {
            show("score", threshold(&config, camera, model));
        }
    }
    if config.cameras.is_empty() {
        show("camera", Finding::Warn("none: `run` needs at least one [[camera]]".to_owned()));
    }
    show("outbox", outbox(&config));
    if let Some(config) = &config.evidence {
        show("evidence", evidence(config));
    }
    for output in &config.outputs {
        show("output", output_works(output));
    }
    for input in &config.inputs {
        show("input", input_works(input));
    }
    show("network", config.network.as_ref().map_or_else(no_network, broker));
    if let Some(network) = &config.network {
        show("tls", transport(network));
    }
    if let Some(commands) = config.network.as_ref().and_then(|network| network.commands.as_ref()) {
        show("commands", commands_of(commands));
    }
    if let Some(config) = &config.page {
        show("page", page::served(config));
    }
    show("clock", clock(&SystemClock::new()));
    Ok(if failed || stop.is_set() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn model(config: &Config) -> (Finding, Option<Model>) {
    match Model::load(&config.bundle, Some(&config.hardware), &config.tuning()) {
        Ok(model) => (Finding::Ok(model.title()), Some(model)),
        Err(e) => (Finding::Fail(e.to_string()), None),
    }
}

/// The default is slower at worst: a warning.
fn tuning(tuned: &Tuned) -> Finding {
    let text = tuned.to_string();
    if tuned.is_stale() { Finding::Warn(text) } else { Finding::Ok(text) }
}

/// Takes one frame.
fn camera_works(camera: &CameraConfig, stop: &Stop) -> Finding {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let source = camera.source.read_fast();
    let looked = capture::open(&source, &clock, stop).and_then(|mut open| {
        open.next()?;
        open.frame().map(|f| (f.width_px(), f.height_px()))
    });
    match looked {
        Ok(size_px) => view(camera, size_px),
        Err(e) => Finding::Fail(format!("{}: {e}", camera.id)),
    }
}

/// Another threshold than was wished for is no reason not to watch: a warning.
fn threshold(config: &Config, camera: &CameraConfig, model: &Model) -> Finding {
    match InForce::of(config, camera, model) {
        Ok(InForce { calibrated, .. }) => {
            let text = format!("{}: {calibrated}", camera.id);
            if calibrated.is_stale() { Finding::Warn(text) } else { Finding::Ok(text) }
        }
        Err(e) => Finding::Fail(e.to_string()),
    }
}

/// What masks and zones come to in pictures of the size that the camera gives.
fn view(camera: &CameraConfig, size_px: SizePx) -> Finding {
    let (width_px, height_px) = size_px;
    let mut text = format!("{}: a frame of {width_px}x{height_px}", camera.id);
    match &camera.source {
        Source::Rtsp(source) => text += &format!(" in H.264 from {}", source.url),
        Source::Gst(source) => text += &format!(" from {}", source.pipeline),
        Source::V4l { .. } | Source::Video { .. } => {}
    }
    if camera.view.is_open() {
        return Finding::Ok(text);
    }
    let hidden = camera.view.hidden_share(size_px);
    text += &format!(", {:.1} % of it hidden by masks and zones", hidden * 100.0);
    let lost = camera.view.without_pixels(size_px);
    if hidden >= 1.0 {
        return Finding::Warn(format!("{text}: the model sees nothing"));
    }
    if !lost.is_empty() {
        return Finding::Warn(format!("{text}; without a single pixel: {}", lost.join(", ")));
    }
    Finding::Ok(text)
}

fn outbox(config: &Config) -> Finding {
    let path = &config.outbox.path;
    if !path.exists() {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return match tempfile_in(folder) {
            Ok(()) => Finding::Ok(format!("{}: will be created", path.display())),
            Err(e) => Finding::Fail(format!("{}: its folder cannot be written: {e}", path.display())),
        };
    }
    match Outbox::inspect(path) {
        Ok(undelivered) => Finding::Ok(format!("{}: {undelivered} undelivered alarms", path.display())),
        Err(e) => Finding::Warn(e.to_string()),
    }
}

/// Makes the folder, as `run` would.
fn evidence(config: &EvidenceConfig) -> Finding {
    let folder = &config.folder;
    let tried = make_folder(folder).and_then(|()| tempfile_in(folder)).and_then(|()| free_bytes(folder));
    let mib = |bytes: u64| bytes >> 20;
    match tried {
        Err(e) => Finding::Fail(format!("{}: cannot be written: {e}", folder.display())),
        Ok(free) if free < config.min_free_bytes => Finding::Warn(format!(
            "{}: {} MiB of the disk are free, fewer than the {} MiB of evidence.min_free_bytes: nothing is kept",
            folder.display(),
            mib(free),
            mib(config.min_free_bytes)
        )),
        Ok(free) => Finding::Ok(format!(
            "{}: at most {} MiB for {} days of running; {} MiB of the disk are free",
            folder.display(),
            mib(config.max_bytes),
            config.max_age_days,
            mib(free)
        )),
    }
}

fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".watchpost-check-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(&probe)
}

/// Looks without switching: somebody may stand beside the siren.
fn output_works(output: &OutputConfig) -> Finding {
    let OutputConfig { name, drive, mode, .. } = output;
    match drive {
        Drive::Log => Finding::Ok(format!("{name}: a line in the log, {mode}")),
        Drive::Sysfs { path, .. } => match std::fs::OpenOptions::new().write(true).open(path) {
            Ok(_) => Finding::Ok(format!("{name}: {} can be switched, {mode}", path.display())),
            Err(e) => Finding::Fail(format!(
                "{name}: {}: {e}; is the driver loaded, and may watchpostd write this file?",
                path.display()
            )),
        },
        Drive::Gpio { line, .. } => line_works(&format!("{name}: "), line, &format!(", {mode}")),
    }
}

fn input_works(input: &InputConfig) -> Finding {
    let does = match input.does {
        InputDoes::Acknowledge => ", acknowledges",
        InputDoes::Arm => ", arms",
    };
    line_works("", &input.line, does)
}

fn line_works(before: &str, line: &LineAddress, after: &str) -> Finding {
    match find_line(line) {
        Ok(found) => match found.user.as_deref() {
            None => {
                Finding::Ok(format!("{before}{line}, number {} of {}{after}", found.offset, found.chip_title))
            }
            Some(CONSUMER) => Finding::Ok(format!("{before}{line}: in use by a {CONSUMER} that runs{after}")),
            Some(user) => Finding::Fail(format!("{before}{}", busy(line, user))),
        },
        Err(e) => Finding::Fail(format!("{before}{e}")),
    }
}

fn busy(line: &LineAddress, user: &str) -> GpioError {
    GpioError::Busy { line: line.clone(), user: user.to_owned() }
}

fn no_network() -> Finding {
    Finding::Ok("none: the board works alone".to_owned())
}

/// Whether alarms can be read or forged on their way.
fn transport(network: &Network) -> Finding {
    match &network.tls {
        None if network.is_loopback() => Finding::Ok("none, and the broker is on this machine".to_owned()),
        None => Finding::Warn(
            "none: whoever is on the way to the broker reads alarms and may forge Acks; use mqtts:// outside a trusted network".to_owned(),
        ),
        Some(tls) => {
            let files = tls.files();
            let (ca, count) = (files.ca.display(), tls.authorities());
            let Some((certificate, key)) = &files.identity else {
                return Finding::Ok(format!("authorities: {count} in {ca}; no certificate of our own"));
            };
            if is_open_to_others(key) {
                return Finding::Warn(format!("{}: others may read this key; chmod 600 it", key.display()));
            }
            Finding::Ok(format!("authorities: {count} in {ca}; our certificate {}", certificate.display()))
        }
    }
}

fn is_open_to_others(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o007 != 0)
}

fn commands_of(commands: &Commands) -> Finding {
    if let Some(key) = commands.key_file.as_deref().filter(|key| is_open_to_others(key)) {
        return Finding::Warn(format!(
            "{}: others may read this key, and command; chmod 600 it",
            key.display()
        ));
    }
    match commands.trust {
        Trust::Broker => Finding::Ok(
            "from whoever the broker lets publish; its access list must keep others away".to_owned(),
        ),
        Trust::Key(_) => {
            let file = commands.counter_file.display();
            Finding::Ok(format!("from whoever has the key; {file} says which were done"))
        }
    }
}

/// A hub that is away is no defect of the board: a warning.
fn broker(network: &Network) -> Finding {
    let name = format!("{}:{}", network.host, network.port);
    if let Some(tls) = &network.tls {
        return broker_over_tls(tls, network, &name);
    }
    let addresses = match name.to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(e) => return Finding::Warn(format!("{name}: the name does not resolve now: {e}")),
    };
    let timeout = Duration::from_millis(BROKER_TIMEOUT_MS);
    let reached = addresses.into_iter().any(|a| std::net::TcpStream::connect_timeout(&a, timeout).is_ok());
    if reached {
        Finding::Ok(format!("{name}: a connection is taken"))
    } else {
        Finding::Warn(format!("{name}: no connection now; alarms would wait in the outbox"))
    }
}

/// The handshake too: here it shows whether certificates fit and are valid.
fn broker_over_tls(tls: &mqtt_tls::Tls, network: &Network, name: &str) -> Finding {
    let opened = mqtt_tls::Pipe::open(tls, network.bare_host(), network.port).map_err(|e| e.to_string());
    match opened.and_then(|pipe| pipe.ready()) {
        Ok(()) => {
            Finding::Ok(format!("{name}: a connection is taken, and the broker's certificate is accepted"))
        }
        Err(reason) => Finding::Warn(format!("{name}: {reason}; alarms would wait in the outbox")),
    }
}

fn clock(clock: &dyn Clock) -> Finding {
    match clock.wall_ms() {
        Some(_) => Finding::Ok("set".to_owned()),
        None => Finding::Warn("not set: alarms carry no time of day until it is".to_owned()),
    }
}
