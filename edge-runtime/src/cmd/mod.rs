//! One file per subcommand, and what they share.

pub(crate) mod bench;
pub(crate) mod calibrate;
pub(crate) mod check;
pub(crate) mod drill;
mod explain;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod safe;
mod scores;
mod streams;
mod timing;
pub(crate) mod tune;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::atomic;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::desk::AlarmDesk;
use crate::error::Error;
use crate::health::Health;
use crate::link::{Identity, Link};
use crate::outbox::{Outbox, OutboxError, RecordStore, UnavailableStore};
use crate::told::Voice;

/// The delivering half of a board: outbox and link.
struct Delivery {
    desk: Arc<AlarmDesk>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    link: Option<Link>,
}

/// What to do when the disk refuses the outbox.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnDiskFailure {
    /// Keep alarming from memory and report it.
    Degrade,
    /// End.
    Refuse,
}

impl Delivery {
    /// With a `voice` for a board that watches.
    fn start(
        config: &Config,
        model: [u8; 8],
        on_failure: OnDiskFailure,
        voice: Option<&Voice>,
    ) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let health = Arc::new(Health::default());
        let store = open_outbox(config, &health, on_failure)?;
        let desk = Arc::new(AlarmDesk::new(config.board.clone(), store, Arc::clone(&health))?);
        let identity = Identity { site: config.site.clone(), board: config.board.clone(), model };
        let link = config
            .network
            .as_ref()
            .map(|n| {
                let (desk, health, clock) = (Arc::clone(&desk), Arc::clone(&health), Arc::clone(&clock));
                Link::start(n, identity, desk, health, clock, voice)
            })
            .transpose()
            .map_err(Error::system("start the link"))?;
        Ok(Self { desk, health, clock, link })
    }

    /// Waits for the hub at most `wait_ms`; returns how many records stay in the outbox.
    fn finish(self, wait_ms: u64, stop: &dyn Fn() -> bool) -> u64 {
        let Some(link) = self.link else {
            return self.desk.depth();
        };
        let left = link.drain(self.clock.as_ref(), wait_ms, stop);
        if let Some(delays) = link.stats().delays() {
            tracing::info!("delivered: {delays}");
        }
        link.stop();
        left
    }
}

fn open_outbox(
    config: &Config,
    health: &Health,
    on_failure: OnDiskFailure,
) -> Result<Box<dyn RecordStore>, Error> {
    match Outbox::open(&config.outbox.path, &config.board, config.outbox.max_bytes) {
        Ok((outbox, recovery)) => {
            if let Some(aside) = &recovery.set_aside {
                health.degrade(&format!("a damaged outbox was set aside as {}", aside.display()));
            }
            if recovery.damaged_records > 0 {
                health.degrade(&format!("{} damaged alarms became gaps", recovery.damaged_records));
            }
            Ok(Box::new(outbox))
        }
        Err(e) if on_failure == OnDiskFailure::Degrade && is_disk_failure(&e) => {
            health.degrade(&format!("no outbox: {e}"));
            Ok(Box::new(UnavailableStore::new(e.to_string())?))
        }
        Err(e) => Err(e.into()),
    }
}

/// What was measured, for people or as one JSON object.
fn print_figures<T: Serialize + Display>(figures: &T, json: bool) -> Result<(), Error> {
    let text = if json {
        serde_json::to_string(figures)
            .map_err(|e| Error::System { doing: "write JSON", reason: e.to_string() })?
    } else {
        figures.to_string()
    };
    writeln!(io::stdout().lock(), "{text}").map_err(Error::output)
}

/// A line for whoever still reads: what is being done goes on without a reader.
fn say(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a file whole or not at all.
fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    atomic::write(path, fill).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// A failing disk is no reason to stop alarming; a wrong configuration is a reason to stop.
fn is_disk_failure(error: &OutboxError) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    match error {
        OutboxError::Sqlite { source, .. } => {
            !matches!(source.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
        }
        OutboxError::Io { .. } => true,
        _ => false,
    }
}
