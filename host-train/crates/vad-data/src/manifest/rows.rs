//! The text of a label file, without regard to the folder of videos.

use std::ops::RangeInclusive;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::suggest::did_you_mean;
use crate::{DataError, Label, VideoEntry, ranges};

const COLUMNS: [&str; 7] =
    ["video", "label", "n_frames", "first_abnormal", "last_abnormal", "abnormal_frames", "class"];
const REQUIRED: [&str; 2] = ["video", "label"];
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One line of a label file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) video: String,
    pub(super) label: Label,
    pub(super) frames: Option<u64>,
    pub(super) abnormal: Option<Vec<RangeInclusive<u64>>>,
    pub(super) class: Option<String>,
}

/// What is wrong, where; line 1 without a column is the file as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowFault {
    pub(super) line: u64,
    pub(super) column: String,
    pub(super) problem: String,
}

impl RowFault {
    pub(super) fn at(self, path: &Path) -> DataError {
        let path = path.to_owned();
        if self.column.is_empty() {
            return DataError::LabelFile { path, problem: self.problem };
        }
        DataError::Label { path, line: self.line, column: self.column, problem: self.problem }
    }

    fn header(problem: String) -> Self {
        Self { line: 1, column: String::new(), problem }
    }
}

/// Reads every line, or says what is wrong with the first faulty one.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Row>, RowFault> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader =
        ReaderBuilder::new().flexible(true).trim(Trim::All).comment(Some(b'#')).from_reader(bytes);
    let header = reader.headers().map_err(|error| RowFault::header(describe(&error)))?.clone();
    check_header(&header)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| RowFault {
            line: error.position().map_or(1, |position| line_of(bytes, position)),
            column: "video".to_owned(),
            problem: describe(&error),
        })?;
        if record.len() == 1 && record.get(0).is_some_and(str::is_empty) {
            continue;
        }
        let line = record.position().map_or(1, |position| line_of(bytes, position));
        let fields = Fields { line, header: &header, record: &record };
        rows.push(fields.row()?);
    }
    Ok(rows)
}

/// The line on which a record begins. The reader's own position is where it began to look, before empty lines and
/// comments.
fn line_of(bytes: &[u8], position: &csv::Position) -> u64 {
    let from = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = bytes.get(from..).unwrap_or_default();
    let is_skipped = |line: &&[u8]| line.starts_with(b"#") || line.trim_ascii().is_empty();
    let skipped = rest.split(|&byte| byte == b'\n').take_while(is_skipped).count();
    position.line() + skipped as u64
}

fn describe(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8 text; save the file as CSV in UTF-8".to_owned(),
        _ => format!("not readable as CSV: {error}"),
    }
}

fn check_header(header: &StringRecord) -> Result<(), RowFault> {
    for (at, name) in header.iter().enumerate() {
        if !COLUMNS.contains(&name) {
            let hint = did_you_mean(name, COLUMNS);
            return Err(RowFault::header(format!(
                "`{name}` is not a column of a label file{hint} (known columns: {})",
                COLUMNS.join(", ")
            )));
        }
        if header.iter().take(at).any(|before| before == name) {
            return Err(RowFault::header(format!("the column `{name}` stands twice; keep one")));
        }
    }
    for name in REQUIRED {
        if !header.iter().any(|column| column == name) {
            return Err(RowFault::header(format!(
                "the column `{name}` is missing; the first line must be a header such as `video,label`"
            )));
        }
    }
    Ok(())
}

/// One record with its column names.
struct Fields<'a> {
    line: u64,
    header: &'a StringRecord,
    record: &'a StringRecord,
}

impl Fields<'_> {
    fn row(&self) -> Result<Row, RowFault> {
        if self.record.len() > self.header.len() {
            let problem = format!(
                "{} values under {} columns; put names with commas in double quotes",
                self.record.len(),
                self.header.len()
            );
            return Err(self.fault("video", problem));
        }
        let video = self.get("video").ok_or_else(|| {
            self.fault("video", "the name is missing; write the video's file name".to_owned())
        })?;
        let label = self.label()?;
        let frames = self.number("n_frames")?;
        if frames == Some(0) {
            return Err(
                self.fault("n_frames", "a video without frames cannot be used; remove the line".to_owned())
            );
        }
        let abnormal = self.abnormal(label, frames)?;
        let class = self.class(label)?;
        Ok(Row { line: self.line, video: video.to_owned(), label, frames, abnormal, class })
    }

    fn label(&self) -> Result<Label, RowFault> {
        let word = self.get("label").ok_or_else(|| {
            self.fault("label", "the label is missing; write `normal` or `abnormal`".to_owned())
        })?;
        Label::from_word(word).ok_or_else(|| {
            let hint = did_you_mean(word, Label::ALL.map(Label::as_str));
            self.fault("label", format!("`{word}` is not a label{hint} (labels are `normal` and `abnormal`)"))
        })
    }

    /// The frame-level truth, from whichever columns give it.
    fn abnormal(
        &self,
        label: Label,
        frames: Option<u64>,
    ) -> Result<Option<Vec<RangeInclusive<u64>>>, RowFault> {
        let (single, listed) = (self.single_range()?, self.listed_ranges()?);
        let (column, ranges) = match (single, listed) {
            (Some(_), Some(_)) => {
                return Err(self.fault(
                    "abnormal_frames",
                    "given together with `first_abnormal`; keep one of the two".to_owned(),
                ));
            }
            (Some(range), None) => ("first_abnormal", vec![range]),
            (None, Some(ranges)) => ("abnormal_frames", ranges),
            (None, None) => return Ok((label == Label::Normal).then(Vec::new)),
        };
        if label == Label::Normal {
            return Err(self.fault(
                column,
                "a normal video has no abnormal frames; correct the label or clear the range".to_owned(),
            ));
        }
        let last = ranges.last().map_or(0, |range| *range.end());
        if let Some(frames) = frames.filter(|&frames| last >= frames) {
            let problem =
                format!("frame {last} is past the end: frames count from 0 and `n_frames` is {frames}");
            return Err(self.fault(column, problem));
        }
        Ok(Some(ranges))
    }

    fn class(&self, label: Label) -> Result<Option<String>, RowFault> {
        match (self.get("class"), label) {
            (Some(class), Label::Normal) if class != Label::Normal.as_str() => {
                let problem =
                    format!("a normal video holds no `{class}`; correct the label or clear the class");
                Err(self.fault("class", problem))
            }
            (Some(class), Label::Abnormal) => Ok(Some(class.to_owned())),
            _ => Ok(None),
        }
    }

    fn single_range(&self) -> Result<Option<RangeInclusive<u64>>, RowFault> {
        match (self.number("first_abnormal")?, self.number("last_abnormal")?) {
            (Some(first), Some(last)) => ranges::ordered(first, last)
                .map(Some)
                .map_err(|problem| self.fault("first_abnormal", problem)),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(self
                    .fault("last_abnormal", "missing beside `first_abnormal`; give both or none".to_owned()))
            }
            (None, Some(_)) => {
                Err(self
                    .fault("first_abnormal", "missing beside `last_abnormal`; give both or none".to_owned()))
            }
        }
    }

    fn listed_ranges(&self) -> Result<Option<Vec<RangeInclusive<u64>>>, RowFault> {
        let Some(text) = self.get("abnormal_frames") else {
            return Ok(None);
        };
        let ranges = ranges::parse(text).map_err(|problem| self.fault("abnormal_frames", problem))?;
        Ok(Some(ranges).filter(|ranges| !ranges.is_empty()))
    }

    fn number(&self, column: &str) -> Result<Option<u64>, RowFault> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| self.fault(column, format!("`{text}` is not a whole number of 0 or more")))
        };
        self.get(column).map(parse).transpose()
    }

    /// The value of a column; an empty one counts as absent.
    fn get(&self, column: &str) -> Option<&str> {
        let at = self.header.iter().position(|name| name == column)?;
        self.record.get(at).filter(|value| !value.is_empty())
    }

    fn fault(&self, column: &str, problem: String) -> RowFault {
        RowFault { line: self.line, column: column.to_owned(), problem }
    }
}

/// The text of a label file for these videos, which [`super::Manifest::load`] reads back.
#[must_use]
pub fn render_labels(entries: &[VideoEntry]) -> String {
    let mut text = "video,label,n_frames,abnormal_frames,class\n".to_owned();
    for entry in entries {
        let frames = entry.frames_claimed.map_or_else(String::new, |count| count.to_string());
        let ranges = ranges::render(entry.abnormal.as_deref().unwrap_or_default());
        let class = quote(entry.class.as_deref().unwrap_or_default());
        text.push_str(&format!("{},{},{frames},{ranges},{class}\n", quote(&entry.id), entry.label));
    }
    text
}

/// Quotes a value that would otherwise be read as several, or as a comment.
fn quote(value: &str) -> String {
    if value.contains(['"', ',', '\n', '\r', '#']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests;
