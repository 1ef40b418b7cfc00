//! Scores as a table for people, and as CSV and JSON for programs.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use vad_core::{AlarmEdge, EdgeKind};

use super::write_whole;
use crate::detector::ClipReport;
use crate::error::Error;

/// One clip as programs read it. Floats are written so that they read back bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ScoreRow {
    clip: u64,
    first_frame: u64,
    frames: u16,
    start_s: f64,
    end_s: f64,
    raw: f32,
    /// Absent when the raw score was no number.
    calibrated: Option<f32>,
    smoothed: f32,
    edge: Option<&'static str>,
    event: Option<u32>,
}

impl ScoreRow {
    pub(super) fn of(report: &ClipReport) -> Self {
        let edge = report.step.edge;
        Self {
            clip: report.span.index,
            first_frame: report.span.first_frame.0,
            frames: report.span.frames,
            start_s: report.start.0 as f64 / 1_000.0,
            end_s: report.end.0 as f64 / 1_000.0,
            raw: report.raw,
            calibrated: Some(report.step.calibrated).filter(|c| c.is_finite()),
            smoothed: report.step.smoothed,
            edge: edge.map(|e| edge_name(e.kind)),
            event: edge.map(|e| e.event),
        }
    }

    pub(super) const TABLE_HEAD: &str = "  clip  first frame   seconds      raw  smoothed  edge";

    pub(super) fn table_line(&self, raise_threshold: f32) -> String {
        const BAR: usize = 20;
        let filled = (self.smoothed.clamp(0.0, 1.0) * BAR as f32).round() as usize;
        let mark = if self.smoothed >= raise_threshold { "#" } else { "=" };
        let edge = match (self.edge, self.event) {
            (Some(edge), Some(event)) => format!("{edge} (event {event})"),
            _ => String::new(),
        };
        let line = format!(
            "{:>6}  {:>11}  {:>8.2}  {:>7.4}  {:>8.4}  |{}{}| {edge}",
            self.clip,
            self.first_frame,
            self.start_s,
            self.raw,
            self.smoothed,
            mark.repeat(filled),
            " ".repeat(BAR - filled.min(BAR)),
        );
        line.trim_end().to_owned()
    }

    fn csv_line(&self) -> String {
        let calibrated = self.calibrated.map(|c| c.to_string()).unwrap_or_default();
        let event = self.event.map(|e| e.to_string()).unwrap_or_default();
        let Self { clip, first_frame, frames, start_s, end_s, raw, smoothed, edge, .. } = self;
        let edge = edge.unwrap_or_default();
        format!(
            "{clip},{first_frame},{frames},{start_s},{end_s},{raw},{calibrated},{smoothed},{edge},{event}"
        )
    }
}

const CSV_HEAD: &str = "clip,first_frame,frames,start_s,end_s,raw,calibrated,smoothed,edge,event";

pub(super) fn edge_name(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Raised => "raised",
        EdgeKind::Updated => "updated",
        EdgeKind::Cleared => "cleared",
    }
}

pub(super) fn edge_line(edge: &AlarmEdge) -> String {
    format!("        {} (event {}) at {:.2} s", edge_name(edge.kind), edge.event, edge.at.0 as f64 / 1_000.0)
}

/// The formats of a score file, by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScoreFormat {
    Csv,
    Json,
}

impl ScoreFormat {
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            _ => {
                let source = std::io::Error::other("the name must end in .csv or .json");
                Err(Error::Write { path: path.to_owned(), source })
            }
        }
    }
}

/// Writes all rows.
pub(super) fn write_file(path: &Path, format: ScoreFormat, rows: &[ScoreRow]) -> Result<(), Error> {
    write_whole(path, |file| file.write_all(&render(format, rows)?))
}

fn render(format: ScoreFormat, rows: &[ScoreRow]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match format {
        ScoreFormat::Csv => {
            writeln!(bytes, "{CSV_HEAD}")?;
            rows.iter().try_for_each(|row| writeln!(bytes, "{}", row.csv_line()))?;
        }
        ScoreFormat::Json => {
            serde_json::to_writer_pretty(&mut bytes, rows)?;
            bytes.push(b'\n');
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vad_core::{ClipSpan, FrameIndex, MediaTimeMs, ScoreStep};

    fn row(raw: f32) -> ScoreRow {
        let span = ClipSpan { index: 2, first_frame: FrameIndex(32), frames: 16 };
        let edge = AlarmEdge {
            kind: EdgeKind::Raised,
            event: 1,
            onset: MediaTimeMs(3_200),
            at: MediaTimeMs(4_800),
            score: 0.7,
            peak: 0.7,
        };
        let step = ScoreStep { calibrated: 0.7, smoothed: 0.7, edge: Some(edge) };
        ScoreRow::of(&ClipReport { span, start: MediaTimeMs(3_200), end: MediaTimeMs(4_800), raw, step })
    }

    #[test]
    fn csv_has_as_many_columns_as_its_head_and_exact_floats() {
        let raw = f32::from_bits(0x3f33_3334);
        let line = row(raw).csv_line();
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells.len(), CSV_HEAD.split(',').count());
        assert_eq!(cells[5].parse::<f32>().unwrap().to_bits(), raw.to_bits());
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("scores.json");
        std::fs::create_dir(&target).unwrap();
        assert!(write_file(&target, ScoreFormat::Json, &[row(0.5)]).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(ScoreFormat::of(Path::new("scores.txt")).is_err());
    }
}
