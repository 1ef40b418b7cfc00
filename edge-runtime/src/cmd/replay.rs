//! `watchpostd replay`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use alarm_proto::CameraId;
use vad_core::{AlarmEdge, RgbFrame};

use super::explain::Explainer;
use super::scores::{ScoreFormat, ScoreRow, edge_line, write_file};
use super::{Delivery, OnDiskFailure};
use crate::calibration::InForce;
use crate::capture::{self, Camera, Stamp};
use crate::cli::ReplayArgs;
use crate::clock::{Clock, SystemClock};
use crate::config::{CameraConfig, Config, Pace, Source};
use crate::detector::ClipReport;
use crate::error::Error;
use crate::local_alarm::Siren;
use crate::model::Model;
use crate::picture::PictureFault;
use crate::pipeline::{Board, Thresholds};
use crate::shutdown::Stop;
use crate::watch::Watch;

const CAMERA: &str = "replay";
/// A recording has no time of day.
const IS_ARMED: bool = true;
/// How long the alarms may take to reach the hub.
const DRAIN_MS: u64 = 10_000;

pub(crate) fn run(args: &ReplayArgs) -> Result<ExitCode, Error> {
    let format = args.scores.as_deref().map(ScoreFormat::of).transpose()?;
    let config = args.config.as_deref().map(Config::load).transpose()?;
    let tuning = config.as_ref().map(Config::tuning).unwrap_or_default();
    let model = Model::load(&args.bundle, None, &tuning)?;
    model.tuned().log();
    let watched = config.as_ref().zip(args.camera.as_deref());
    let watched = watched.map(|(config, id)| named_camera(config, id)).transpose()?;
    let (score, thresholds) = match config.as_ref().zip(watched) {
        Some((config, camera)) => {
            let InForce { score, thresholds, .. } = InForce::of(config, camera, &model)?;
            (score, thresholds)
        }
        None => {
            let overrides: Vec<_> = config.iter().map(|config| &config.score).collect();
            let score = model.score_spec(&overrides)?;
            let thresholds = Thresholds::new(&score, &overrides);
            (score, thresholds)
        }
    };
    let detector = model.detector(score)?;
    let explainer = args.explain.as_deref();
    let explainer = explainer.map(|dir| Explainer::new(dir, &model, &detector, &args.video)).transpose()?;
    let (view, tolerated) = watched.map(|c| (c.view.clone(), c.tolerated.clone())).unwrap_or_default();
    let watch = Watch::new(detector, view, tolerated);
    let stop =
        Stop::on_signals().map_err(|e| Error::System { doing: "handle signals", reason: e.to_string() })?;
    let mut camera = open_camera(args, &stop)?;
    let alarms = config.map(|c| Alarms::start(&c, &model)).transpose()?;
    let mut player =
        Player { watch, thresholds, alarms, explainer, json: args.json, rows: Vec::new(), edges: 0 };
    player.head(&model)?;
    player.play(camera.as_mut())?;
    if let (Some(path), Some(format)) = (&args.scores, format) {
        write_file(path, format, &player.rows)?;
    }
    player.finish(&stop)
}

/// The camera whose settings are tried on the recording.
fn named_camera<'a>(config: &'a Config, id: &str) -> Result<&'a CameraConfig, Error> {
    config.cameras.iter().find(|camera| camera.id.as_str() == id).ok_or_else(|| {
        let known: Vec<_> = config.cameras.iter().map(|camera| camera.id.as_str()).collect();
        let reason = match known.as_slice() {
            [] => format!("there is no camera `{id}`, nor any other [[camera]]"),
            known => format!("there is no camera `{id}`; there are: {}", known.join(", ")),
        };
        Error::Incomplete { file: config.file.clone(), reason }
    })
}

fn open_camera(args: &ReplayArgs, stop: &Stop) -> Result<Box<dyn Camera>, Error> {
    let source = Source::Video {
        path: args.video.clone(),
        repeat: false,
        pace: Pace::Fast,
        image_rate_hz: vad_video::DEFAULT_IMAGE_RATE_HZ,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Ok(capture::open(&source, &clock, stop)?)
}

/// Where edges go when a configuration is given.
struct Alarms {
    board: Board,
    delivery: Delivery,
    camera: CameraId,
    has_network: bool,
}

impl Alarms {
    fn start(config: &Config, model: &Model) -> Result<Self, Error> {
        let delivery = Delivery::start(config, model.short_id(), OnDiskFailure::Refuse, None)?;
        let camera = CameraId::try_from(CAMERA)
            .map_err(|e| Error::System { doing: "name a camera", reason: e.to_string() })?;
        let siren = Siren::from_config(&config.outputs, &delivery.clock, &delivery.health)
            .map_err(Error::system("start the thread of an output"))?;
        let board = Board {
            desk: Arc::clone(&delivery.desk),
            siren: Arc::new(siren),
            clock: Arc::clone(&delivery.clock),
            health: Arc::clone(&delivery.health),
            orders: Arc::default(),
            model: model.short_id(),
        };
        Ok(Self { board, delivery, camera, has_network: config.network.is_some() })
    }
}

struct Player {
    watch: Watch,
    thresholds: Thresholds,
    alarms: Option<Alarms>,
    explainer: Option<Explainer>,
    json: bool,
    rows: Vec<ScoreRow>,
    edges: usize,
}

impl Player {
    fn head(&self, model: &Model) -> Result<(), Error> {
        if self.json {
            return Ok(());
        }
        let score = self.watch.score_spec();
        print(&format!(
            "model {}, raise at {}, clear below {}\n{}",
            model.title(),
            score.raise_threshold,
            score.clear_threshold,
            ScoreRow::TABLE_HEAD
        ))
    }

    fn play(&mut self, camera: &mut dyn Camera) -> Result<(), Error> {
        while let Some(stamp) = camera.next()? {
            let fault = self.watch.picture_fault();
            let scored = self.watch.push(camera.frame()?, stamp, IS_ARMED).scored;
            tell_picture(fault, self.watch.picture_fault(), stamp);
            if let Some(report) = scored? {
                self.clip(&report, camera.frame()?)?;
            }
        }
        let end = self.watch.finish(IS_ARMED)?;
        if let Some(report) = end.tail {
            // The camera still shows its last frame.
            self.clip(&report, camera.frame()?)?;
        }
        if let Some(edge) = end.cleared {
            if !self.json {
                print(&edge_line(&edge))?;
            }
            self.announce(&edge);
            if let Some(explainer) = &mut self.explainer {
                let written = explainer.cleared(&edge)?;
                self.explained(written)?;
            }
        }
        Ok(())
    }

    /// One scored clip and its last frame.
    fn clip(&mut self, report: &ClipReport, frame: RgbFrame<'_>) -> Result<(), Error> {
        let row = ScoreRow::of(report);
        let line = if self.json {
            serde_json::to_string(&row)
                .map_err(|e| Error::System { doing: "write JSON", reason: e.to_string() })?
        } else {
            row.table_line(self.watch.score_spec().raise_threshold)
        };
        print(&line)?;
        self.rows.push(row);
        if let Some(edge) = report.step.edge {
            self.announce(&edge);
        }
        if let Some(explainer) = &mut self.explainer {
            let (detector, frame) = self.watch.seen(frame);
            let written = explainer.clip(report, detector, frame)?;
            self.explained(written)?;
        }
        Ok(())
    }

    fn explained(&self, written: Option<PathBuf>) -> Result<(), Error> {
        match written.filter(|_| !self.json) {
            Some(path) => print(&format!("        explained by {}", path.display())),
            None => Ok(()),
        }
    }

    fn announce(&mut self, edge: &AlarmEdge) {
        self.edges += 1;
        if let Some(alarms) = &self.alarms {
            alarms.board.announce(&alarms.camera, edge, self.thresholds);
        }
    }

    fn finish(self, stop: &Stop) -> Result<ExitCode, Error> {
        let Some(alarms) = self.alarms else {
            return Ok(ExitCode::SUCCESS);
        };
        alarms.board.siren.finish();
        let left = alarms.delivery.finish(DRAIN_MS, &|| stop.is_set());
        let undelivered = left > 0 && alarms.has_network;
        if undelivered {
            tracing::error!(
                raised = self.edges,
                left,
                "the hub has not taken every alarm; they stay in the outbox"
            );
        } else {
            tracing::info!(raised = self.edges, left, "alarms raised");
        }
        Ok(if undelivered { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// From where to where a board would raise no new alarm.
fn tell_picture(before: Option<PictureFault>, now: Option<PictureFault>, stamp: Stamp) {
    let at_s = stamp.start.0 as f64 / 1_000.0;
    match now {
        now if now == before => {}
        Some(fault) => tracing::warn!(at_s, "the picture is {fault}; no new alarm is raised"),
        None => tracing::info!(at_s, "the picture is as it should be again"),
    }
}

fn print(line: &str) -> Result<(), Error> {
    writeln!(std::io::stdout().lock(), "{line}").map_err(Error::output)
}
