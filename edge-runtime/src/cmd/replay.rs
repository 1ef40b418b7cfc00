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
use crate::capture::{self, Camera};
use crate::cli::ReplayArgs;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Pace, ScoreOverride, Source};
use crate::detector::{ClipReport, Detector};
use crate::error::Error;
use crate::local_alarm::Siren;
use crate::model::Model;
use crate::pipeline::Board;
use crate::shutdown::Stop;

const CAMERA: &str = "replay";
/// How long the alarms may take to reach the hub.
const DRAIN_MS: u64 = 10_000;

pub(crate) fn run(args: &ReplayArgs) -> Result<ExitCode, Error> {
    let format = args.scores.as_deref().map(ScoreFormat::of).transpose()?;
    let config = args.config.as_deref().map(Config::load).transpose()?;
    let tuning = config.as_ref().map(Config::tuning).unwrap_or_default();
    let model = Model::load(&args.bundle, None, &tuning)?;
    model.tuned().log();
    let over = config.as_ref().map_or_else(ScoreOverride::default, |c| c.score.clone());
    let detector = model.detector(model.score_spec(&[&over])?)?;
    let explainer = args.explain.as_deref();
    let explainer = explainer.map(|dir| Explainer::new(dir, &model, &detector, &args.video)).transpose()?;
    let stop =
        Stop::on_signals().map_err(|e| Error::System { doing: "handle signals", reason: e.to_string() })?;
    let mut camera = open_camera(args, &stop)?;
    let alarms = config.map(|c| Alarms::start(&c, &model)).transpose()?;
    let mut player = Player { detector, alarms, explainer, json: args.json, rows: Vec::new(), edges: 0 };
    player.head(&model)?;
    player.play(camera.as_mut())?;
    if let (Some(path), Some(format)) = (&args.scores, format) {
        write_file(path, format, &player.rows)?;
    }
    player.finish(&stop)
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
        let delivery = Delivery::start(config, model.short_id(), OnDiskFailure::Refuse)?;
        let camera = CameraId::try_from(CAMERA)
            .map_err(|e| Error::System { doing: "name a camera", reason: e.to_string() })?;
        let siren = Siren::from_config(&config.outputs, &delivery.clock, &delivery.health)
            .map_err(Error::system("start the thread of an output"))?;
        let board = Board {
            desk: Arc::clone(&delivery.desk),
            siren: Arc::new(siren),
            clock: Arc::clone(&delivery.clock),
            health: Arc::clone(&delivery.health),
            model: model.short_id(),
        };
        Ok(Self { board, delivery, camera, has_network: config.network.is_some() })
    }
}

struct Player {
    detector: Detector,
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
        let score = self.detector.score_spec();
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
            if let Some(report) = self.detector.push(camera.frame()?, stamp)? {
                self.clip(&report, camera.frame()?)?;
            }
        }
        let end = self.detector.finish()?;
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
            row.table_line(self.detector.score_spec().raise_threshold)
        };
        print(&line)?;
        self.rows.push(row);
        if let Some(edge) = report.step.edge {
            self.announce(&edge);
        }
        if let Some(explainer) = &mut self.explainer {
            let written = explainer.clip(report, &self.detector, frame)?;
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
            alarms.board.announce(&alarms.camera, edge, self.detector.score_spec().raise_threshold);
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

fn print(line: &str) -> Result<(), Error> {
    writeln!(std::io::stdout().lock(), "{line}").map_err(Error::output)
}
