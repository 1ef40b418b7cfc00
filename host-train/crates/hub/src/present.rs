//! Words, lines and tables for people; JSON for programs.

use alarm_proto::{Alarm, EventKind, Fault, FaultEdge, FaultKind, Gap, Severity};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::boards::{BoardChange, BoardState};
use crate::ingest::{Received, Record};
use crate::printer::Printer;
use crate::report::Reporter;
use crate::store::{AlarmRow, FaultRow, GapRow};

/// The word for a kind, in store, tables and filters.
pub fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Raised => "raised",
        EventKind::Updated => "updated",
        EventKind::Cleared => "cleared",
        EventKind::Drill => "drill",
    }
}

/// The words for what is wrong with a camera.
pub fn fault(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::NoPicture => "no picture",
        FaultKind::Dark => "dark",
        FaultKind::Covered => "covered",
        FaultKind::Frozen => "frozen",
        FaultKind::Moved => "moved",
        FaultKind::Switched => "switched",
    }
}

/// The word for the end of a fault that a record reports.
pub fn fault_edge(edge: FaultEdge) -> &'static str {
    match edge {
        FaultEdge::Began => "began",
        FaultEdge::Ended => "ended",
    }
}

/// The word for a severity.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// Local time of a wall clock, or what is wrong with it.
pub fn local_time(unix_ms: i64) -> String {
    match Timestamp::from_millisecond(unix_ms) {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "clock out of range".to_owned(),
    }
}

/// Time of an alarm: the board's clock, or the arrival marked `~` where the board has none.
fn alarm_time(wall_clock_ms: Option<i64>, received_unix_ms: i64) -> String {
    match wall_clock_ms {
        Some(wall_clock_ms) => local_time(wall_clock_ms),
        None => format!("~{}", local_time(received_unix_ms)),
    }
}

/// Media time as `h:mm:ss.mmm`.
pub fn media_time(media_ms: u64) -> String {
    let (seconds, ms) = (media_ms / 1_000, media_ms % 1_000);
    format!("{}:{:02}:{:02}.{ms:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// One line for a stored record.
pub fn record_line(id: i64, received: &Received) -> String {
    match &received.record {
        Record::Alarm(alarm) => alarm_line(id, received, alarm),
        Record::Gap(gap) => gap_line(received, gap),
        Record::Fault(fault) => fault_line(received, fault),
    }
}

fn alarm_line(id: i64, received: &Received, alarm: &Alarm) -> String {
    let wall_clock_ms = alarm.wall_clock_ms.and_then(|ms| i64::try_from(ms).ok());
    format!(
        "{}  {:<7}  {}/{}/{}  {:<8}  score {:.3}  peak {:.3}  threshold {:.3}  media {}  id {id}",
        alarm_time(wall_clock_ms, received.received_unix_ms),
        kind(alarm.kind).to_uppercase(),
        received.site.as_str(),
        alarm.id.board.as_str(),
        alarm.camera.as_str(),
        severity(alarm.severity),
        alarm.score,
        alarm.peak,
        alarm.threshold,
        media_time(alarm.media_ms),
    )
}

fn gap_line(received: &Received, gap: &Gap) -> String {
    format!(
        "{}  GAP      {}/{}  its outbox overflowed: {} records dropped (seq {}-{})",
        local_time(received.received_unix_ms),
        received.site.as_str(),
        gap.id.board.as_str(),
        gap.dropped,
        gap.first_seq,
        gap.last_seq
    )
}

fn fault_line(received: &Received, fault: &Fault) -> String {
    let wall_clock_ms = fault.wall_clock_ms.and_then(|ms| i64::try_from(ms).ok());
    let lasted_ms = fault.uptime_ms - fault.began_uptime_ms;
    let edge = match fault.edge {
        FaultEdge::Began => "the camera is not watched".to_owned(),
        FaultEdge::Ended => format!("over after {:.1} s", lasted_ms as f64 / 1_000.0),
    };
    format!(
        "{}  FAULT    {}/{}/{}  {}: {edge}",
        alarm_time(wall_clock_ms, received.received_unix_ms),
        received.site.as_str(),
        fault.id.board.as_str(),
        fault.camera.as_str(),
        self::fault(fault.kind),
    )
}

/// One line for a board's change of state.
pub fn board_line(change: &BoardChange, unix_ms: i64) -> String {
    let word = match change.to {
        BoardState::Lost => "LOST",
        BoardState::Stalled => "STALLED",
        BoardState::Normal => "NORMAL",
        BoardState::Awaited => "AWAITED",
    };
    format!("{}  {word:<7}  {}/{}  {}", local_time(unix_ms), change.site, change.board, change.reason)
}

/// A table of alarms, columns aligned, with a line for what else matters.
pub fn alarm_table(alarms: &[AlarmRow], gaps: &[GapRow], faults: &[FaultRow], limit: u32) -> String {
    if alarms.is_empty() && gaps.is_empty() && faults.is_empty() {
        return "no alarms match\n".to_owned();
    }
    let mut rows = vec![
        [
            "ID",
            "TIME",
            "SITE/BOARD/CAMERA",
            "KIND",
            "SEVERITY",
            "SCORE",
            "PEAK",
            "THRESHOLD",
            "MEDIA",
            "VERDICT",
        ]
        .map(str::to_owned),
    ];
    rows.extend(alarms.iter().map(|alarm| {
        [
            alarm.id.to_string(),
            alarm_time(alarm.wall_clock_ms, alarm.received_unix_ms),
            format!("{}/{}/{}", alarm.site, alarm.board, alarm.camera),
            alarm.kind.clone(),
            alarm.severity.clone(),
            format!("{:.3}", alarm.score),
            format!("{:.3}", alarm.peak),
            format!("{:.3}", alarm.threshold),
            media_time(u64::try_from(alarm.media_ms).unwrap_or(0)),
            alarm.verdict.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    let mut text = align(&rows);
    if alarms.iter().any(|alarm| alarm.wall_clock_ms.is_none()) {
        text.push_str("~ time of arrival: the board had no valid clock\n");
    }
    if alarms.len() == limit as usize {
        text.push_str(&format!("only the latest {limit} are listed; --limit shows more\n"));
    }
    for gap in gaps {
        text.push_str(&format!(
            "gap: {}/{} dropped {} records (seq {}-{}), reported {}\n",
            gap.site,
            gap.board,
            gap.dropped,
            gap.first_seq,
            gap.last_seq,
            local_time(gap.received_unix_ms)
        ));
    }
    for fault in faults {
        text.push_str(&format!(
            "fault: {}/{}/{} {} {}, {}\n",
            fault.site,
            fault.board,
            fault.camera,
            fault.kind,
            fault.edge,
            alarm_time(fault.wall_clock_ms, fault.received_unix_ms)
        ));
    }
    text
}

/// Left-aligns text columns and right-aligns the numbers among them.
fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (width, cell)) in widths.iter().zip(row).enumerate() {
            let is_number = rows
                .get(1)
                .and_then(|first| first.get(column))
                .is_some_and(|first| first.parse::<f64>().is_ok());
            match is_number {
                true => line.push_str(&format!("{cell:>width$}  ")),
                false => line.push_str(&format!("{cell:<width$}  ")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Reports as lines through a [`Printer`].
pub struct LineReporter {
    printer: Printer,
    unix_ms: fn() -> i64,
}

impl LineReporter {
    /// `unix_ms` is the wall clock for lines that carry no time of their own.
    pub fn new(printer: Printer, unix_ms: fn() -> i64) -> Self {
        Self { printer, unix_ms }
    }
}

impl Reporter for LineReporter {
    fn stored(&mut self, id: i64, received: &Received) {
        self.printer.line(record_line(id, received));
    }

    fn board(&mut self, change: &BoardChange) {
        self.printer.line(board_line(change, (self.unix_ms)()));
    }

    fn notice(&mut self, text: &str) {
        self.printer.line(format!("{}  {text}", local_time((self.unix_ms)())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_time_has_hours_minutes_seconds_and_milliseconds() {
        assert_eq!(media_time(0), "0:00:00.000");
        assert_eq!(media_time(3_723_004), "1:02:03.004");
        assert_eq!(media_time(u64::MAX), "5124095576030:25:51.615");
    }

    #[test]
    fn columns_are_aligned_and_impossible_clocks_are_said_to_be_so() {
        let rows = vec![
            ["ID".to_owned(), "NAME".to_owned()],
            ["1".to_owned(), "a".to_owned()],
            ["100".to_owned(), "bb".to_owned()],
        ];
        assert_eq!(align(&rows), " ID  NAME\n  1  a\n100  bb\n");
        assert_eq!(local_time(i64::MAX), "clock out of range");
    }
}
