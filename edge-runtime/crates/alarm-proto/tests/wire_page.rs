//! The reference page `docs/reference/wire.md` against the source: neither drifts alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic")]

mod support;

use alarm_proto::topics::{Channel, DEFAULT_PREFIX, MAX_TOPIC_LEN, Prefix, Topic};
use alarm_proto::{
    Ack, Alarm, BoardId, BootId, CRC_LEN, CameraId, EventKind, FRAME_LIMIT, Fault, FaultEdge, FaultKind, Gap,
    HEADER_LEN, Heartbeat, MAX_FRAME_LEN, MAX_NAME_LEN, Message, MessageKind, RecordId, SCHEMA_VERSION,
    Severity, SiteId, decode,
};
use support::frame_of;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/reference/wire.md"));

fn record(seq: u64) -> RecordId {
    let board = BoardId::try_from("gate-2").unwrap();
    RecordId { board, boot: BootId { counter: 7, random: 0x1234_5678 }, seq }
}

fn alarm() -> Alarm {
    Alarm {
        id: record(42),
        camera: CameraId::try_from("north").unwrap(),
        kind: EventKind::Raised,
        event: 3,
        severity: Severity::Warning,
        wall_clock_ms: Some(1_767_225_600_000),
        uptime_ms: 86_400_000,
        onset_media_ms: 12_800,
        media_ms: 14_400,
        score: 0.75,
        peak: 0.875,
        threshold: 0.5,
        model: [0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3],
    }
}

/// The messages that the page shows, by the name of their block.
fn examples() -> [(&'static str, Message); 6] {
    let drill = Alarm {
        id: record(43),
        kind: EventKind::Drill,
        event: 0,
        severity: Severity::Notice,
        wall_clock_ms: None,
        onset_media_ms: 0,
        media_ms: 0,
        score: 0.0,
        peak: 0.0,
        ..alarm()
    };
    let heartbeat = Heartbeat {
        board: record(1).board,
        boot: record(1).boot,
        uptime_ms: 86_405_000,
        last_frame_age_ms: Some(40),
        last_score_age_ms: Some(640),
        outbox_depth: 2,
        last_seq: 43,
        model: alarm().model,
    };
    let gap = Gap { id: record(44), first_seq: 10, last_seq: 29, dropped: 20 };
    let fault = Fault {
        id: record(45),
        camera: alarm().camera,
        kind: FaultKind::NoPicture,
        edge: FaultEdge::Ended,
        wall_clock_ms: None,
        began_uptime_ms: 86_400_000,
        uptime_ms: 86_405_000,
    };
    [
        ("alarm-raised", Message::Alarm(alarm())),
        ("alarm-drill", Message::Alarm(drill)),
        ("heartbeat", Message::Heartbeat(heartbeat)),
        ("ack", Message::Ack(Ack::of(&record(42)))),
        ("gap", Message::Gap(gap)),
        ("fault", Message::Fault(fault)),
    ]
}

/// Bytes of the block that begins with "```hex,<name>"; what follows a `#` is a comment.
fn block(name: &str) -> Vec<u8> {
    let fence = format!("```hex,{name}\n");
    let body = PAGE.split(&fence).nth(1).unwrap_or_else(|| panic!("no block {fence:?}"));
    let body = body.split("```").next().unwrap();
    let digits = body.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace());
    digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x} ")).collect()
}

/// Second cells of the rows that begin with `key`.
fn cells(key: &str) -> Vec<&'static str> {
    let start = format!("| {key} |");
    let rows = PAGE.lines().filter(|line| line.starts_with(&start));
    rows.map(|row| row.trim_matches('|').split('|').nth(1).unwrap().trim()).collect()
}

#[test]
fn examples_are_the_bytes_of_their_messages() {
    for (name, message) in examples() {
        let bytes = block(name);
        assert_eq!(spaced(&bytes), spaced(&frame_of(&message)), "{name}");
        assert_eq!(decode(&bytes), Ok(message), "{name}");
    }
    assert_eq!(PAGE.matches("```hex,").count(), examples().len(), "an example is not tested");
}

#[test]
fn sizes_are_as_documented() {
    let sizes = [
        ("alarm, longest", MessageKind::Alarm.max_frame_len()),
        ("heartbeat, longest", MessageKind::Heartbeat.max_frame_len()),
        ("ack, longest", MessageKind::Ack.max_frame_len()),
        ("gap, longest", MessageKind::Gap.max_frame_len()),
        ("fault, longest", MessageKind::Fault.max_frame_len()),
        ("any frame of version 1", MAX_FRAME_LEN),
        ("any frame of any version", FRAME_LIMIT),
        ("header", HEADER_LEN),
        ("CRC", CRC_LEN),
        ("name, longest", MAX_NAME_LEN),
        ("topic, longest", MAX_TOPIC_LEN),
    ];
    for (row, size) in sizes {
        assert_eq!(cells(row), [size.to_string()], "{row}");
    }
}

#[test]
fn kinds_are_as_documented() {
    assert!(PAGE.contains(&format!("schema version {SCHEMA_VERSION}.")));
    for (name, kind) in ["alarm", "heartbeat", "ack", "gap", "fault"].into_iter().zip(MessageKind::ALL) {
        assert_eq!(cells(&format!("`{}`", kind as u8)), [name]);
    }
}

#[test]
fn topics_are_as_documented() {
    for channel in Channel::ALL {
        let topic = Topic {
            prefix: Prefix::default(),
            site: SiteId::try_from("yard").unwrap(),
            board: BoardId::try_from("gate-2").unwrap(),
            channel,
        };
        assert!(PAGE.contains(&format!("`{topic}`")), "{topic}");
    }
    assert!(PAGE.contains(&format!("`{DEFAULT_PREFIX}`")));
}
