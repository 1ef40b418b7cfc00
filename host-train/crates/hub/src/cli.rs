//! Command lines of `watchpost-hub`, shared with the host program's `hub` and `alarms` subcommands.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alarm_proto::topics::{DEFAULT_PREFIX, Prefix};
use clap::{Args, Subcommand, ValueEnum};
use mqtt_tls::{Files, Tls};

use crate::HubError;
use crate::present::{self, LineReporter};
use crate::printer::Printer;
use crate::run::{BrokerChoice, Hub, HubConfig};
use crate::store::{AlarmQuery, StoreReader, Verdict};
use crate::url::BrokerUrl;

/// Default store, in the folder where the program is started.
const DEFAULT_STORE: &str = "watchpost-hub.sqlite";

/// Receive alarms from boards, store each exactly once and print it as it comes.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
EXAMPLES
  Try it on one machine:                 watchpost-hub run
  Receive from boards on the network:    watchpost-hub run --listen 0.0.0.0:1883
  Use the MQTT broker of the house:      watchpost-hub run --broker mqtt://192.168.1.10
  The same over TLS:                     watchpost-hub run --broker mqtts://hub.example --ca-file ca.crt

An alarm is acknowledged to its board only after it is safe on this disk; until then the board keeps it and sends it
again, through restarts of board, hub and broker. A board that is silent for 15 s is printed as LOST.
The hub's own broker has no encryption and no password: keep --listen 0.0.0.0 inside a network that you trust.
In the host program the same command is `watchpost hub`.")]
pub struct HubArgs {
    /// File of the alarm store; created when missing
    #[arg(long, value_name = "FILE", default_value = DEFAULT_STORE)]
    pub store: PathBuf,

    /// Address and port of the hub's own MQTT 5 broker (port 0: any free port)
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:1883", conflicts_with = "broker")]
    pub listen: SocketAddr,

    /// Use this MQTT 5 broker instead of the hub's own: mqtt://HOST[:PORT], or mqtts://HOST[:PORT] over TLS
    #[arg(long, value_name = "URL")]
    pub broker: Option<BrokerUrl>,

    /// PEM file of the authorities that may vouch for an mqtts:// broker
    #[arg(long, value_name = "FILE", requires = "broker")]
    pub ca_file: Option<PathBuf>,

    /// PEM file of the hub's own certificate, for a broker that asks for one
    #[arg(long, value_name = "FILE", requires = "ca_file", requires = "key_file")]
    pub certificate_file: Option<PathBuf>,

    /// PEM file of its key
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    pub key_file: Option<PathBuf>,

    /// First part of every topic, as in the boards' config
    #[arg(long, value_name = "PREFIX", default_value = DEFAULT_PREFIX, value_parser = parse_prefix)]
    pub prefix: Prefix,
}

/// List stored alarms, or answer one with a verdict.
#[derive(Debug, Clone, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
EXAMPLES
  The last 50:                           watchpost-hub alarms
  What board gate-1 raised since noon:   watchpost-hub alarms --board gate-1 --kind raised --since 2026-05-01T12:00
  The last two hours, for a program:     watchpost-hub alarms --since 2h --json
  Alarm 42 was a false one:              watchpost-hub alarms verdict 42 false

The hub may be running or not. Times are local; ~ marks the time of arrival where the board had no valid clock.
Verdicts are kept beside the alarms; a later one replaces an earlier one.
In the host program the same command is `watchpost alarms`."
)]
pub struct AlarmsArgs {
    /// What else to do than to list
    #[command(subcommand)]
    pub action: Option<AlarmsAction>,

    /// File of the alarm store
    #[arg(long, value_name = "FILE", default_value = DEFAULT_STORE)]
    pub store: PathBuf,

    /// Only this board
    #[arg(long, value_name = "BOARD")]
    pub board: Option<String>,

    /// Only this kind of edge
    #[arg(long, value_name = "KIND")]
    pub kind: Option<KindArg>,

    /// Only what arrived since: a time (2026-05-01, 2026-05-01T12:00, ...Z) or an age (90s, 15m, 2h, 7d)
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    pub since: Option<jiff::Timestamp>,

    /// At most this many, the latest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,

    /// One JSON object per line instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Actions on stored alarms.
#[derive(Debug, Clone, Subcommand)]
pub enum AlarmsAction {
    /// Record whether an alarm was real; the ids are those of the list
    Verdict {
        /// Id of the alarm
        id: i64,
        /// The answer
        verdict: VerdictArg,
        /// File of the alarm store
        #[arg(long, value_name = "FILE", default_value = DEFAULT_STORE)]
        store: PathBuf,
    },
}

/// An operator's answer.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum VerdictArg {
    /// Something did happen
    Real,
    /// Nothing happened
    False,
}

/// A kind of alarm edge.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KindArg {
    /// An event began
    Raised,
    /// An event goes on
    Updated,
    /// An event ended
    Cleared,
    /// A test alarm
    Drill,
}

/// Runs the hub until the process is asked to end (Ctrl-C or SIGTERM).
///
/// # Errors
/// [`HubError`] names the file or address and the remedy.
pub fn run_hub(args: &HubArgs) -> Result<(), HubError> {
    let stop = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&stop);
    ctrlc::set_handler(move || signalled.store(true, Ordering::Relaxed))
        .map_err(|error| HubError::System { what: "a signal handler", reason: error.to_string() })?;
    run_hub_until(args, &stop)
}

/// Runs the hub until `stop` is set.
///
/// # Errors
/// As [`run_hub`].
pub fn run_hub_until(args: &HubArgs, stop: &Arc<AtomicBool>) -> Result<(), HubError> {
    let broker = match &args.broker {
        Some(url) => BrokerChoice::External(url.clone(), tls(args, url)?),
        None => BrokerChoice::Embedded(args.listen),
    };
    let printer = Printer::start(std::io::stdout())
        .map_err(|error| HubError::System { what: "a thread", reason: error.to_string() })?;
    let reporter = LineReporter::new(printer, crate::run::unix_ms);
    let config = HubConfig { broker, store: args.store.clone(), prefix: args.prefix.clone() };
    let mut hub = Hub::start(&config, reporter)?;
    hub.run(stop)?;
    tracing::info!("stopped: {}", hub.summary());
    Ok(())
}

/// What `mqtts://` trusts and shows.
fn tls(args: &HubArgs, url: &BrokerUrl) -> Result<Option<Tls>, HubError> {
    match (url.is_tls, &args.ca_file) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(HubError::Tls("--ca-file needs --broker mqtts://HOST[:PORT]".to_owned())),
        (true, None) => Err(HubError::Tls(
            "--broker mqtts:// needs --ca-file, the certificate of the authority that signed the broker's"
                .to_owned(),
        )),
        (true, Some(ca)) => {
            let identity = args.certificate_file.clone().zip(args.key_file.clone());
            Tls::load(&Files { ca: ca.clone(), identity }).map(Some).map_err(|e| HubError::Tls(e.to_string()))
        }
    }
}

/// Lists alarms or records a verdict, into `out`.
///
/// # Errors
/// [`HubError`] when the store is missing or unreadable, or no alarm has the id. A closed `out` is not an error.
pub fn run_alarms(args: &AlarmsArgs, out: &mut dyn Write) -> Result<(), HubError> {
    let text = match &args.action {
        Some(AlarmsAction::Verdict { id, verdict, store }) => record_verdict(store, *id, *verdict)?,
        None => list(args)?,
    };
    // `alarms | head` closes the pipe early; that is no failure.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    Ok(())
}

fn record_verdict(store: &std::path::Path, id: i64, verdict: VerdictArg) -> Result<String, HubError> {
    let verdict = match verdict {
        VerdictArg::Real => Verdict::Real,
        VerdictArg::False => Verdict::False,
    };
    StoreReader::open_for_verdicts(store)?.set_verdict(id, verdict, crate::run::unix_ms())?;
    Ok(format!("alarm {id}: {}\n", verdict.as_str()))
}

fn list(args: &AlarmsArgs) -> Result<String, HubError> {
    let query = AlarmQuery {
        board: args.board.clone(),
        kind: args.kind.and_then(|kind| kind.to_possible_value()).map(|value| value.get_name().to_owned()),
        since_unix_ms: args.since.map(jiff::Timestamp::as_millisecond),
        limit: args.limit,
    };
    let reader = StoreReader::open(&args.store)?;
    let alarms = reader.alarms(&query)?;
    if !args.json {
        return Ok(present::alarm_table(&alarms, &reader.gaps(&query)?, &reader.faults(&query)?, args.limit));
    }
    Ok(alarms.iter().filter_map(|alarm| serde_json::to_string(alarm).ok()).map(|line| line + "\n").collect())
}

fn parse_prefix(text: &str) -> Result<Prefix, String> {
    Prefix::try_from(text).map_err(|error| error.to_string())
}

/// A time, with the local zone where it names none, or an age such as `2h`.
fn parse_since(text: &str) -> Result<jiff::Timestamp, String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time);
    }
    let zone = jiff::tz::TimeZone::system();
    if let Ok(local) = text.parse::<jiff::civil::DateTime>() {
        return local.to_zoned(zone).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string());
    }
    if let Ok(age) = text.parse::<jiff::Span>() {
        let now = jiff::Timestamp::now().to_zoned(zone);
        return now.checked_sub(age.abs()).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string());
    }
    Err("neither a time (2026-05-01, 2026-05-01T12:00, 2026-05-01T12:00:00Z) nor an age (90s, 15m, 2h, 7d)"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ages_are_understood() {
        for text in [
            "2026-05-01",
            "2026-05-01T12:00",
            "2026-05-01T12:00:00Z",
            "2026-05-01T12:00:00+02:00",
            "90s",
            "15m",
            "2h",
            "7d",
            "1h30m",
        ] {
            parse_since(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        for text in ["", "yesterday", "5", "2026-13-01"] {
            assert!(parse_since(text).unwrap_err().contains("2h"), "{text}");
        }
        let hour = parse_since("1h").unwrap();
        let age = jiff::Timestamp::now().duration_since(hour);
        assert!((3_590..3_700).contains(&age.as_secs()), "{age:?}");
    }
}
