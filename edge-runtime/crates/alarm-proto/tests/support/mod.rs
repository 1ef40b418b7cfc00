//! Messages for tests: any valid one, the longest of each kind, and forged frames.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use alarm_proto::{
    Ack, Alarm, BoardId, BootId, CameraId, EventKind, Fault, FaultEdge, FaultKind, Gap, Heartbeat,
    MAX_FRAME_LEN, Message, RecordId, Severity, encode,
};
use crc::{CRC_32_ISO_HDLC, Crc};
use proptest::prelude::*;

pub fn frame_of(message: &Message) -> Vec<u8> {
    encode(message, &mut [0; MAX_FRAME_LEN]).unwrap().to_vec()
}

/// A frame whose CRC is right, whatever it holds.
pub fn forged(version: u8, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = [b"WP".as_slice(), &[version, kind], payload].concat();
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(&frame);
    frame.extend(crc.to_le_bytes());
    frame
}

pub fn payload_of(frame: &[u8]) -> &[u8] {
    &frame[4..frame.len() - 4]
}

/// Numbers of every encoded length, the borders often.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), (0u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift)]
}

fn small_number() -> impl Strategy<Value = u32> {
    number().prop_map(|number| number as u32)
}

fn name() -> impl Strategy<Value = String> {
    let character = prop::sample::select(b"abcdefghijklmnopqrstuvwxyz0123456789_-".to_vec());
    prop::collection::vec(character, 1..=32).prop_map(|bytes| bytes.into_iter().map(char::from).collect())
}

fn board() -> impl Strategy<Value = BoardId> {
    name().prop_map(|text| BoardId::try_from(text.as_str()).unwrap())
}

fn boot() -> impl Strategy<Value = BootId> {
    (small_number(), small_number()).prop_map(|(counter, random)| BootId { counter, random })
}

fn record() -> impl Strategy<Value = RecordId> {
    (board(), boot(), number()).prop_map(|(board, boot, seq)| RecordId { board, boot, seq: seq.max(1) })
}

fn finite() -> impl Strategy<Value = f32> {
    prop_oneof![0.0_f32..=1.0, any::<f32>().prop_filter("finite", |value| value.is_finite())]
}

prop_compose! {
    fn alarm()(
        id in record(),
        camera in name(),
        kind in prop::sample::select(
            vec![EventKind::Raised, EventKind::Updated, EventKind::Cleared, EventKind::Drill]),
        event in small_number(),
        severity in prop::sample::select(
            vec![Severity::Notice, Severity::Warning, Severity::Critical]),
        wall_clock_ms in prop::option::of(number()),
        times_ms in [number(), number(), number()],
        scores in [finite(), finite(), finite()],
        model in any::<[u8; 8]>(),
    ) -> Alarm {
        let camera = CameraId::try_from(camera.as_str()).unwrap();
        let [uptime_ms, onset_media_ms, media_ms] = times_ms;
        let [score, peak, threshold] = scores;
        Alarm {
            id, camera, kind, event, severity, wall_clock_ms, uptime_ms, onset_media_ms, media_ms,
            score, peak, threshold, model,
        }
    }
}

prop_compose! {
    fn heartbeat()(
        board in board(),
        boot in boot(),
        uptime_ms in number(),
        last_frame_age_ms in prop::option::of(small_number()),
        last_score_age_ms in prop::option::of(small_number()),
        outbox_depth in small_number(),
        last_seq in number(),
        model in any::<[u8; 8]>(),
    ) -> Heartbeat {
        Heartbeat {
            board, boot, uptime_ms, last_frame_age_ms, last_score_age_ms, outbox_depth, last_seq,
            model,
        }
    }
}

prop_compose! {
    fn gap()(id in record(), a in number(), b in number(), count in number()) -> Gap {
        let (first_seq, last_seq) = (a.min(b).max(1), a.max(b).max(1));
        let most = last_seq - first_seq + 1;
        Gap { id, first_seq, last_seq, dropped: count.clamp(1, most) }
    }
}

prop_compose! {
    fn fault()(
        id in record(),
        camera in name(),
        kind in prop::sample::select(vec![
            FaultKind::NoPicture, FaultKind::Dark, FaultKind::Covered, FaultKind::Frozen, FaultKind::Moved,
            FaultKind::Switched]),
        edge in prop::sample::select(vec![FaultEdge::Began, FaultEdge::Ended]),
        wall_clock_ms in prop::option::of(number()),
        a in number(),
        b in number(),
    ) -> Fault {
        let camera = CameraId::try_from(camera.as_str()).unwrap();
        Fault { id, camera, kind, edge, wall_clock_ms, began_uptime_ms: a.min(b), uptime_ms: a.max(b) }
    }
}

pub fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        alarm().prop_map(Message::Alarm),
        heartbeat().prop_map(Message::Heartbeat),
        record().prop_map(|record| Message::Ack(Ack::of(&record))),
        gap().prop_map(Message::Gap),
        fault().prop_map(Message::Fault),
    ]
}

fn longest_record() -> RecordId {
    RecordId {
        board: BoardId::try_from("b".repeat(32).as_str()).unwrap(),
        boot: BootId { counter: u32::MAX, random: u32::MAX },
        seq: u64::MAX,
    }
}

/// One message of each kind, in the order of the kinds, as long as the kind can be.
pub fn longest() -> [Message; 5] {
    let id = longest_record();
    let alarm = Alarm {
        id: id.clone(),
        camera: CameraId::try_from("c".repeat(32).as_str()).unwrap(),
        kind: EventKind::Drill,
        event: u32::MAX,
        severity: Severity::Critical,
        wall_clock_ms: Some(u64::MAX),
        uptime_ms: u64::MAX,
        onset_media_ms: u64::MAX,
        media_ms: u64::MAX,
        score: f32::MAX,
        peak: f32::MAX,
        threshold: f32::MAX,
        model: [255; 8],
    };
    let heartbeat = Heartbeat {
        board: id.board.clone(),
        boot: id.boot,
        uptime_ms: u64::MAX,
        last_frame_age_ms: Some(u32::MAX),
        last_score_age_ms: Some(u32::MAX),
        outbox_depth: u32::MAX,
        last_seq: u64::MAX,
        model: [255; 8],
    };
    // Both ends of the range in ten bytes each: the count then has at most nine.
    let gap = Gap { id: id.clone(), first_seq: 1 << 63, last_seq: u64::MAX, dropped: 1 << 62 };
    let fault = Fault {
        id: id.clone(),
        camera: alarm.camera.clone(),
        kind: FaultKind::Switched,
        edge: FaultEdge::Ended,
        wall_clock_ms: Some(u64::MAX),
        began_uptime_ms: u64::MAX,
        uptime_ms: u64::MAX,
    };
    let ack = Ack::of(&id);
    [
        Message::Alarm(alarm),
        Message::Heartbeat(heartbeat),
        Message::Ack(ack),
        Message::Gap(gap),
        Message::Fault(fault),
    ]
}
