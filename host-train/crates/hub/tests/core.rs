//! The hub's decisions without a network: acknowledgement after commit, hostile input, supervision.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alarm_proto::{Ack, Message};
use hub::boards::BoardState;
use hub::core::Core;
use hub::ingest::RawMessage;
use hub::link::AckMessage;
use hub::store::Store;
use proptest::prelude::*;
use support::{
    FailingStore, HandClock, Heard, alarm, alarm_message, frame, gap, heartbeat, heartbeat_message, prefix,
    raw,
};

struct Bench {
    core: Core<FailingStore, Heard>,
    clock: HandClock,
    fails: Arc<AtomicBool>,
    folder: tempfile::TempDir,
}

fn bench() -> Bench {
    bench_in(tempfile::tempdir().unwrap())
}

fn bench_in(folder: tempfile::TempDir) -> Bench {
    let fails = Arc::new(AtomicBool::new(false));
    let clock = HandClock::default();
    let store = FailingStore {
        store: Store::open(&folder.path().join("hub.sqlite")).unwrap(),
        fails: Arc::clone(&fails),
    };
    let core = Core::new(store, Heard::default(), Box::new(clock.clone()), prefix()).unwrap();
    Bench { core, clock, fails, folder }
}

fn acked(acks: &[AckMessage]) -> Vec<(String, u64)> {
    let decode = |ack: &AckMessage| match alarm_proto::decode(&ack.frame).unwrap() {
        Message::Ack(Ack { board, seq, .. }) => {
            assert_eq!(ack.topic, format!("watchpost/yard/{}/ack/bin", board.as_str()));
            (board.as_str().to_owned(), seq)
        }
        other => panic!("{other:?}"),
    };
    acks.iter().map(decode).collect()
}

#[test]
fn what_is_committed_is_acknowledged_and_repetitions_are_acknowledged_again() {
    let mut bench = bench();
    let first = alarm_message(&alarm("b1", 1, 1));
    let second = alarm_message(&alarm("b1", 1, 2));
    let hole = raw("watchpost/yard/b1/alarm/bin", frame(&Message::Gap(gap("b1", 1, 3))));
    let acks = bench.core.handle(&[first.clone(), second, first.clone(), hole]);
    assert_eq!(acked(&acks), [("b1".into(), 1), ("b1".into(), 2), ("b1".into(), 1), ("b1".into(), 3)]);
    assert_eq!(bench.core.reporter().stored.len(), 3, "told once each");
    assert_eq!(acked(&bench.core.handle(&[first])), [("b1".into(), 1)]);
    assert_eq!((bench.core.counters().stored, bench.core.counters().duplicates), (3, 2));
}

#[test]
fn a_failed_commit_is_never_acknowledged_and_the_repetition_is() {
    let mut bench = bench();
    let messages: Vec<_> = (1..=20).map(|seq| alarm_message(&alarm("b1", 1, seq))).collect();
    bench.fails.store(true, Ordering::SeqCst);
    assert_eq!(bench.core.handle(&messages), []);
    assert_eq!(bench.core.handle(&messages), []);
    assert_eq!(bench.core.counters().failed_commits, 2);
    assert_eq!(bench.core.reporter().stored.len(), 0);
    let notices = &bench.core.reporter().notices;
    assert_eq!(notices.len(), 1, "bounded: {notices:?}");
    assert!(notices[0].contains("DEGRADED") && notices[0].contains("EIO"), "{notices:?}");
    bench.fails.store(false, Ordering::SeqCst);
    assert_eq!(acked(&bench.core.handle(&messages)).len(), 20);
}

#[test]
fn a_real_full_disk_is_not_acknowledged_either() {
    let mut bench = bench();
    let connection_pages = {
        let connection = bench.core.store_mut().store.connection();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
        pages
    };
    assert!(connection_pages > 0);
    let messages: Vec<_> = (1..=2_000).map(|seq| alarm_message(&alarm("b1", 1, seq))).collect();
    assert_eq!(bench.core.handle(&messages), []);
}

#[test]
fn a_restarted_hub_still_knows_what_it_has() {
    let mut first = bench();
    let message = alarm_message(&alarm("b1", 1, 1));
    first.core.handle(std::slice::from_ref(&message));
    let folder = first.folder;
    drop(first.core);
    let mut second = bench_in(folder);
    assert_eq!(acked(&second.core.handle(&[message])), [("b1".into(), 1)]);
    assert_eq!((second.core.counters().stored, second.core.counters().duplicates), (0, 1));
    assert_eq!(second.core.boards().state("b1", Duration::ZERO), Some(BoardState::Awaited), "remembered");
    second.clock.advance(Duration::from_secs(15));
    second.core.tick();
    assert_eq!(second.core.reporter().boards[0].to, BoardState::Lost, "its absence is noticed");
}

#[test]
fn what_is_wrong_is_refused_counted_and_harms_nothing_else() {
    let mut bench = bench();
    let good = alarm_message(&alarm("b1", 1, 1));
    let mut flipped = good.clone();
    flipped.payload[9] ^= 1;
    let mut long = good.clone();
    long.payload.push(0);
    let mut nan = alarm("b1", 1, 9);
    nan.score = f32::NAN;
    let mut far = alarm("b1", 1, 9);
    far.media_ms = u64::MAX;
    let ack = Message::Ack(Ack { board: "b1".try_into().unwrap(), boot: alarm("b1", 1, 1).id.boot, seq: 1 });
    let payload = good.payload.clone();
    let refused = vec![
        raw("watchpost/yard/b2/alarm/bin", payload.clone()),
        raw("watchpost/yard/b1/heartbeat/bin", payload.clone()),
        raw("watchpost/yard/b1/ack/bin", payload.clone()),
        raw("watchpost/yard/b1/alarm", payload.clone()),
        raw("watchpost/yard/b1/alarm/bin/x", payload.clone()),
        raw("other/yard/b1/alarm/bin", payload.clone()),
        raw("watchpost/YARD/b1/alarm/bin", payload.clone()),
        raw("", payload.clone()),
        RawMessage { topic: vec![0xff, 0xfe], payload },
        raw("watchpost/yard/b1/alarm/bin", frame(&ack)),
        raw("watchpost/yard/b1/alarm/bin", frame(&Message::Heartbeat(heartbeat("b1", 1, 1)))),
        raw("watchpost/yard/b1/alarm/bin", vec![]),
        raw("watchpost/yard/b1/alarm/bin", vec![0; 1_000_000]),
        flipped,
        long,
    ];
    let count = refused.len();
    let mut batch = refused;
    batch.insert(count / 2, good);
    // The codec may refuse these itself; the hub must refuse them in any case.
    for alarm in [nan, far] {
        let mut buffer = [0; alarm_proto::MAX_FRAME_LEN];
        if let Ok(frame) = alarm_proto::encode(&Message::Alarm(alarm), &mut buffer) {
            batch.push(raw("watchpost/yard/b1/alarm/bin", frame.to_vec()));
        }
    }
    let bad = batch.len() - 1;
    assert_eq!(acked(&bench.core.handle(&batch)), [("b1".into(), 1)]);
    assert_eq!(bench.core.refusals().total(), bad as u64, "{:?}", bench.core.refusals().counts());
    assert_eq!(bench.core.counters().stored, 1);
}

#[test]
fn a_board_is_lost_without_heartbeats_whatever_else_it_sends() {
    let mut bench = bench();
    bench.core.handle(&[heartbeat_message(&heartbeat("b1", 1, 1_000))]);
    assert_eq!(bench.core.reporter().boards[0].to, BoardState::Normal);
    for second in 1..=14_u64 {
        bench.clock.advance(Duration::from_secs(1));
        bench
            .core
            .handle(&[alarm_message(&alarm("b1", 1, second)), heartbeat_message(&heartbeat("b1", 1, 1_000))]);
        bench.core.tick();
    }
    assert_eq!(bench.core.reporter().boards.last().unwrap().to, BoardState::Lost);
    assert_eq!(bench.core.refusals().counts().get("stale-heartbeat"), Some(&14));
    bench.core.handle(&[heartbeat_message(&heartbeat("b1", 1, 20_000))]);
    assert_eq!(bench.core.reporter().boards.last().unwrap().to, BoardState::Normal);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No bytes on any topic crash the hub, store anything or draw an acknowledgement.
    #[test]
    fn noise_is_refused(
        noise in proptest::collection::vec((any::<Vec<u8>>(), proptest::collection::vec(any::<u8>(), 0..300), any::<bool>()), 0..40)
    ) {
        let mut bench = bench();
        let message = |(topic, payload, plausible): (Vec<u8>, Vec<u8>, bool)| RawMessage {
            topic: if plausible { b"watchpost/yard/b1/alarm/bin".to_vec() } else { topic },
            payload,
        };
        let batch: Vec<_> = noise.into_iter().map(message).collect();
        prop_assert_eq!(bench.core.handle(&batch), vec![]);
        prop_assert_eq!(bench.core.refusals().total(), batch.len() as u64);
    }

    /// Every damaged copy of a frame is refused: one flipped bit or a missing end.
    #[test]
    fn damaged_frames_are_refused(bit in 0_usize..2_048, cut in any::<bool>()) {
        let mut bench = bench();
        let mut message = alarm_message(&alarm("b1", 1, 1));
        let bits = message.payload.len() * 8;
        match cut {
            true => message.payload.truncate(bit % bits / 8),
            false => message.payload[bit % bits / 8] ^= 1 << (bit % 8),
        }
        prop_assert_eq!(bench.core.handle(&[message]), vec![]);
    }
}
