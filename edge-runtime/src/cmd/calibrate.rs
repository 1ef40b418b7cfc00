//! `watchpostd calibrate`: watches what is normal for a while, and chooses thresholds from it.

use std::process::ExitCode;
use std::sync::Arc;

use vad_core::{ScoreSample, ScoreSpec};
use vad_threshold::{ScoreTrack, choose_threshold, duration_text};

use super::say;
use crate::calibration::{Calibration, Unused, is_configured};
use crate::capture::{self, CaptureError};
use crate::cli::CalibrateArgs;
use crate::clock::{Clock, SystemClock};
use crate::config::{CameraConfig, Config, Source};
use crate::detector::ClipReport;
use crate::error::Error;
use crate::model::Model;
use crate::shutdown::Stop;
use crate::watch::Watch;

const HOUR_MS: f64 = 3_600_000.0;
const MS_PER_DAY: f64 = 86_400_000.0;
/// Between two attempts to open a camera.
const RETRY_MS: u64 = 2_000;
const TELL_EVERY_MS: u64 = 60_000;

pub(crate) fn run(args: &CalibrateArgs) -> Result<ExitCode, Error> {
    let config = Config::load(&args.config)?;
    let cameras = chosen(&config, &args.camera)?;
    let stop =
        Stop::on_signals().map_err(|e| Error::System { doing: "handle signals", reason: e.to_string() })?;
    let model = Model::load(&config.bundle, Some(&config.hardware), &config.tuning())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let length_ms = (args.hours * HOUR_MS) as u64;
    let file = config.calibration_file();
    let mut calibration = match Calibration::read(&file) {
        Err(Unused::Read(source)) => return Err(Error::Read { path: file, source }),
        // What is damaged was of no use anyway.
        stored => stored.unwrap_or_default(),
    };
    let mut watches = Vec::with_capacity(cameras.len());
    for camera in &cameras {
        let score = model.score_spec(&[&config.score, &camera.score])?;
        let watch = Watch::new(model.detector(score.clone())?, camera.view.clone(), camera.tolerated.clone());
        watches.push((watch, Normal::new(camera.clone(), score, Arc::clone(&clock), stop.clone())));
    }
    say(format_args!(
        "Watching {} for {}. Whatever happens before them until then counts as normal; an interrupt (Ctrl-C) ends it earlier.",
        cameras.iter().map(|camera| camera.id.as_str()).collect::<Vec<_>>().join(", "),
        duration_text(length_ms as f64 / MS_PER_DAY)
    ));
    let watched: Vec<Option<Normal>> = std::thread::scope(|scope| {
        let watch = |(watch, mut normal): (Watch, Normal)| {
            scope.spawn(move || {
                normal.watch(watch, length_ms);
                normal
            })
        };
        let threads: Vec<_> = watches.into_iter().map(watch).collect();
        threads.into_iter().map(|thread| thread.join().ok()).collect()
    });
    let mut chosen = 0;
    for (camera, normal) in cameras.iter().zip(&watched) {
        let choice = match normal {
            Some(normal) => {
                choose_threshold(&normal.tracks, &normal.score, args.per_day).map_err(|e| e.to_string())
            }
            None => Err("its thread failed inside".to_owned()),
        };
        match choice {
            Ok(choice) => {
                chosen += 1;
                say(format_args!("{}: {}", camera.id, choice.explain()));
                if is_configured(&[&config.score, &camera.score]) {
                    say(format_args!("{}: the configuration has a threshold, which wins", camera.id));
                }
                calibration.set(&camera.id, &model.hex_id(), choice);
            }
            Err(reason) => say(format_args!("{}: no threshold: {reason}", camera.id)),
        }
    }
    if args.dry_run || chosen == 0 {
        say("Nothing was stored.");
    } else {
        calibration.write(&file).map_err(|source| Error::Write { path: file.clone(), source })?;
        say(format_args!("Stored in {}; `run` uses it from its next start on.", file.display()));
    }
    Ok(if chosen == cameras.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The named cameras, or all of them.
fn chosen(config: &Config, names: &[String]) -> Result<Vec<CameraConfig>, Error> {
    let known = || config.cameras.iter().map(|camera| camera.id.as_str()).collect::<Vec<_>>().join(", ");
    let incomplete = |reason| Error::Incomplete { file: config.file.clone(), reason };
    if config.cameras.is_empty() {
        return Err(incomplete("no [[camera]]: there is nothing to calibrate".to_owned()));
    }
    if let Some(name) =
        names.iter().find(|name| config.cameras.iter().all(|camera| camera.id.as_str() != **name))
    {
        return Err(incomplete(format!("no camera `{name}`; there are {}", known())));
    }
    let is_chosen =
        |camera: &&CameraConfig| names.is_empty() || names.iter().any(|name| name == camera.id.as_str());
    Ok(config.cameras.iter().filter(is_chosen).cloned().collect())
}

/// What a camera showed, one track for each of its streams.
struct Normal {
    camera: CameraConfig,
    score: ScoreSpec,
    tracks: Vec<ScoreTrack>,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl Normal {
    fn new(camera: CameraConfig, score: ScoreSpec, clock: Arc<dyn Clock>, stop: Stop) -> Self {
        Self { camera, score, tracks: Vec::new(), clock, stop }
    }

    /// Watches until the time is over, a signal comes or a file has ended.
    fn watch(&mut self, mut watch: Watch, length_ms: u64) {
        let until_ms = self.clock.monotonic_ms() + length_ms;
        let source = self.camera.source.read_fast();
        while !self.is_over(until_ms) {
            match self.stream(&source, &mut watch, until_ms) {
                Ok(()) if matches!(source, Source::Video { .. }) => return,
                Ok(()) => {}
                Err(e) => {
                    tracing::warn!(camera = %self.camera.id, error = %e, "no picture");
                    // Many cameras shut out who logs in wrongly again and again.
                    if matches!(source, Source::Video { .. }) || e.is_refusal() {
                        return;
                    }
                    self.pause(until_ms);
                }
            }
            watch.abandon();
        }
    }

    fn is_over(&self, until_ms: u64) -> bool {
        self.stop.is_set() || self.clock.monotonic_ms() >= until_ms
    }

    fn pause(&self, until_ms: u64) {
        let left_ms = until_ms.saturating_sub(self.clock.monotonic_ms());
        self.stop.wait(self.clock.as_ref(), left_ms.min(RETRY_MS));
    }

    /// From opening the camera to its end or fault. What is seen while its picture is at fault is not normal.
    fn stream(&mut self, source: &Source, watch: &mut Watch, until_ms: u64) -> Result<(), CaptureError> {
        let mut camera = capture::open(source, &self.clock, &self.stop)?;
        self.tracks.push(ScoreTrack {
            video: self.camera.id.as_str().to_owned(),
            duration_ms: 0,
            samples: Vec::new(),
        });
        let mut told_ms = self.clock.monotonic_ms();
        while !self.is_over(until_ms)
            && let Some(stamp) = camera.next()?
        {
            let scored = watch.push(camera.frame()?, stamp, false).scored;
            match scored {
                Ok(Some(report)) if watch.picture_fault().is_none() => self.note(&report),
                Ok(_) => {}
                Err(e) => tracing::error!(camera = %self.camera.id, error = %e, "clip not scored"),
            }
            if self.clock.monotonic_ms().saturating_sub(told_ms) >= TELL_EVERY_MS {
                told_ms = self.clock.monotonic_ms();
                self.tell();
            }
        }
        Ok(())
    }

    fn note(&mut self, report: &ClipReport) {
        if let Some(track) = self.tracks.last_mut() {
            track.samples.push(ScoreSample { start: report.start, end: report.end, raw: report.raw });
            // Clips may overlap, and gaps are no footage.
            let last_end = track.samples.iter().rev().nth(1).map_or(0, |sample| sample.end.0);
            track.duration_ms += report.end.0.saturating_sub(report.start.0.max(last_end));
        }
    }

    fn tell(&self) {
        let days = self.tracks.iter().map(|track| track.duration_ms as f64).sum::<f64>() / MS_PER_DAY;
        let raw = self.tracks.iter().flat_map(|track| &track.samples).map(|sample| sample.raw);
        let highest = raw.fold(0.0_f32, f32::max);
        say(format_args!(
            "{}: {} of footage, highest clip {highest:.3}",
            self.camera.id,
            duration_text(days)
        ));
    }
}

/// Longest calibration, hours: a week of scores, one every 1.6 s, takes 9 MiB for each camera.
pub(crate) const MAX_HOURS: f64 = 168.0;

/// Reads a number of hours.
pub(crate) fn hours(text: &str) -> Result<f64, String> {
    let hours = text.parse().ok().filter(|hours: &f64| *hours > 0.0 && *hours <= MAX_HOURS);
    hours.ok_or_else(|| format!("it must be above 0 and at most {MAX_HOURS}"))
}
