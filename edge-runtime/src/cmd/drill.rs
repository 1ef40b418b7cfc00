//! `watchpostd drill`

use std::io::Write;
use std::process::ExitCode;

use alarm_proto::{Alarm, CameraId, EventKind, Message, Severity};

use super::{Delivery, OnDiskFailure};
use crate::cli::DrillArgs;
use crate::config::Config;
use crate::desk::{Raised, Shelf};
use crate::error::Error;
use crate::shutdown::Stop;

/// Camera named in test alarms when the configuration has none.
const NO_CAMERA: &str = "drill";

pub(crate) fn run(args: &DrillArgs) -> Result<ExitCode, Error> {
    let config = Config::load(&args.config)?;
    let stop =
        Stop::on_signals().map_err(|e| Error::System { doing: "handle signals", reason: e.to_string() })?;
    let delivery = Delivery::start(&config, [0; 8], OnDiskFailure::Refuse, None)?;
    let camera = match config.cameras.first() {
        Some(camera) => camera.id.clone(),
        None => CameraId::try_from(NO_CAMERA)
            .map_err(|e| Error::System { doing: "name a camera", reason: e.to_string() })?,
    };
    let mut raised = 0;
    for _ in 0..args.count {
        if stop.is_set() {
            break;
        }
        if !press(&delivery, &camera)? {
            return Ok(ExitCode::FAILURE);
        }
        raised += 1;
        if args.interval_ms > 0 {
            delivery.clock.sleep_ms(args.interval_ms);
        }
    }
    let has_network = config.network.is_some();
    let left = delivery.finish(args.wait_s.saturating_mul(1_000), &|| stop.is_set());
    Ok(verdict(raised, left, has_network && args.wait_s > 0))
}

/// Raises one test alarm and says so once it is on disk; false if it is not.
fn press(delivery: &Delivery, camera: &CameraId) -> Result<bool, Error> {
    let raised = delivery.desk.raise(|id| {
        Message::Alarm(Alarm {
            id,
            camera: camera.clone(),
            kind: EventKind::Drill,
            event: 0,
            severity: Severity::Notice,
            wall_clock_ms: delivery.clock.wall_ms(),
            uptime_ms: delivery.clock.monotonic_ms(),
            onset_media_ms: 0,
            media_ms: 0,
            score: 0.0,
            peak: 0.0,
            threshold: 0.0,
            model: [0; 8],
        })
    })?;
    let Raised { id, shelf } = raised;
    if shelf == Shelf::Volatile {
        return Ok(false);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "raised {} {} {}", id.board, id.boot, id.seq)
        .and_then(|()| out.flush())
        .map_err(Error::output)?;
    Ok(true)
}

fn verdict(raised: u64, left: u64, hub_expected: bool) -> ExitCode {
    match (left, hub_expected) {
        (0, _) => tracing::info!(raised, "the hub has every alarm"),
        (_, false) => tracing::info!(raised, left, "alarms wait in the outbox"),
        (_, true) => {
            tracing::error!(raised, left, "the hub has not taken every alarm; they stay in the outbox")
        }
    }
    if left > 0 && hub_expected { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
