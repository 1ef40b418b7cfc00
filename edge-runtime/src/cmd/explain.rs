//! Pictures that explain the alarms of a replay: of each event the clip with the highest score, and where in it the encoder
//! looked.

use std::path::{Path, PathBuf};

use heat_map::{Figure, HeatMap, Look, Picture, write_png};
use vad_core::{AlarmEdge, AttentionSpec, EdgeKind, MediaTimeMs};
use vad_infer::AttentionMap;

use super::write_whole;
use crate::detector::{ClipReport, Detector};
use crate::error::Error;
use crate::evidence::peak::PeakFinder;
use crate::model::Model;
use crate::view::MaskedFrame;

/// The events of one recording.
pub(super) struct Explainer {
    dir: PathBuf,
    /// Of the recording, as a part of a file's name.
    video: String,
    /// Of the model.
    title: String,
    attention: AttentionSpec,
    /// Width and height of the encoder's pictures.
    input_px: [u16; 2],
    raise_threshold: f32,
    peaks: PeakFinder,
    /// Of the event that is raised, or may be next.
    highest: Option<Moment>,
}

/// A clip that may come to explain an alarm.
struct Moment {
    clip: u64,
    /// Of the clip by itself, before smoothing.
    score: f32,
    /// Its last frame.
    picture: Picture,
    /// When that frame ended.
    at: MediaTimeMs,
    attention: AttentionMap,
}

impl Explainer {
    /// Pictures for `dir`, which is made, of the alarms of a detector in a recording.
    pub(super) fn new(dir: &Path, model: &Model, detector: &Detector, video: &Path) -> Result<Self, Error> {
        let spec = model.spec();
        let Some(attention) = spec.attention.clone() else {
            return Err(Error::NoAttention { bundle: model.dir().to_owned() });
        };
        std::fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.to_owned(), source })?;
        Ok(Self {
            dir: dir.to_owned(),
            video: name_of(video),
            title: model.title(),
            attention,
            input_px: [spec.preprocess.width_px, spec.preprocess.height_px],
            raise_threshold: detector.score_spec().raise_threshold,
            peaks: PeakFinder::default(),
            highest: None,
        })
    }

    /// Takes the clip that the detector just reported, and its last frame; the file of an alarm that it ended.
    pub(super) fn clip(
        &mut self,
        report: &ClipReport,
        detector: &Detector,
        frame: MaskedFrame<'_>,
    ) -> Result<Option<PathBuf>, Error> {
        if let Some(edge) = report.step.edge.filter(|edge| edge.kind == EdgeKind::Cleared) {
            return self.cleared(&edge);
        }
        if self.peaks.is_peak(report, self.raise_threshold) {
            self.highest = self.moment(report, detector, frame)?;
        }
        Ok(None)
    }

    /// Takes the end of an event; its file.
    pub(super) fn cleared(&mut self, edge: &AlarmEdge) -> Result<Option<PathBuf>, Error> {
        self.peaks.end();
        self.highest.take().map(|moment| self.write(edge, moment)).transpose()
    }

    fn moment(
        &self,
        report: &ClipReport,
        detector: &Detector,
        frame: MaskedFrame<'_>,
    ) -> Result<Option<Moment>, Error> {
        let frame = frame.rgb();
        let picture = Picture::from_raw(frame.width_px(), frame.height_px(), frame.data().to_vec());
        let (clip, score, at) = (report.span.index, report.step.calibrated, report.end);
        let attention = detector.attention()?;
        Ok(picture.zip(attention).map(|(picture, attention)| Moment { clip, score, picture, at, attention }))
    }

    fn write(&self, edge: &AlarmEdge, moment: Moment) -> Result<PathBuf, Error> {
        let Moment { clip, score, picture, at, attention } = moment;
        let seconds = at.0 as f64 / 1_000.0;
        let captions = vec![
            format!("{}, alarm {}, {seconds:.1} s", self.video, edge.event),
            format!("clip {clip}: score {score:.3}, alarm from {:.3} on", self.raise_threshold),
            format!("where {} looked", self.title),
        ];
        let map = HeatMap::new(attention.columns, attention.values, self.attention.grid);
        let look = Some(Look { map, input_px: self.input_px });
        let figure = Figure { captions, picture, look, curve: None };
        let path = self.dir.join(format!("{}-{seconds:09.3}s-{score:.3}.png", self.video));
        write_whole(&path, |file| write_png(file, &figure.draw()))?;
        Ok(path)
    }
}

/// The name of a recording without its ending, in letters that every file system takes.
fn name_of(video: &Path) -> String {
    let name = if video.is_dir() { video.file_name() } else { video.file_stem() };
    let name = name.unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let plain: String = name.chars().map(plain).collect();
    if plain.is_empty() { "replay".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_lends_its_name_to_files() {
        for (video, expected) in [
            ("clips/gate 3.mp4", "gate_3"),
            ("Test006", "Test006"),
            ("a/b/night:shift.v2.avi", "night_shift.v2"),
            ("..", "replay"),
        ] {
            assert_eq!(name_of(Path::new(video)), expected, "{video}");
        }
    }
}
