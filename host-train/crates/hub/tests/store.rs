//! The store alone: exactly once, atomically, across restarts, and never over somebody else's file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use alarm_proto::FaultEdge;
use hub::ingest::{Received, Record};
use hub::present;
use hub::store::{AlarmQuery, AlarmStore, Outcome, Store, StoreError, StoreReader, Verdict};
use proptest::prelude::*;
use support::{alarm, fault, gap, received};

fn everything() -> AlarmQuery {
    AlarmQuery { limit: 1_000_000, ..AlarmQuery::default() }
}

fn an_alarm(board: &str, counter: u32, seq: u64) -> Received {
    received(Record::Alarm(alarm(board, counter, seq)))
}

fn list(path: &Path) -> Vec<(String, u32, i64)> {
    let rows = StoreReader::open(path).unwrap().alarms(&everything()).unwrap();
    rows.into_iter().map(|row| (row.board, row.boot_counter, row.seq)).collect()
}

#[test]
fn an_alarm_is_stored_once_however_often_it_arrives_and_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let batch = [an_alarm("b1", 1, 1), an_alarm("b1", 1, 2), an_alarm("b1", 1, 1), an_alarm("b2", 1, 1)];
    let mut store = Store::open(&path).unwrap();
    // A repetition uses up a row id: ids rise, they do not count.
    assert_eq!(
        store.commit(&batch).unwrap(),
        [Outcome::New(1), Outcome::New(2), Outcome::Duplicate, Outcome::New(4)]
    );
    drop(store);
    let mut store = Store::open(&path).unwrap();
    assert_eq!(store.commit(&batch).unwrap(), [Outcome::Duplicate; 4]);
    let outcomes = store.commit(&[an_alarm("b1", 2, 1)]).unwrap();
    assert!(matches!(outcomes[..], [Outcome::New(_)]), "another boot is another record: {outcomes:?}");
    assert_eq!(list(&path).len(), 4);
}

#[test]
fn every_field_comes_back_as_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let mut sent = alarm("b1", u32::MAX, i64::MAX as u64);
    sent.wall_clock_ms = None;
    Store::open(&path).unwrap().commit(&[received(Record::Alarm(sent))]).unwrap();
    let row = StoreReader::open(&path).unwrap().alarms(&everything()).unwrap().remove(0);
    assert_eq!((row.boot_counter, row.boot_random, row.seq), (u32::MAX, 0xfeed, i64::MAX));
    assert_eq!((row.site.as_str(), row.board.as_str(), row.camera.as_str()), ("yard", "b1", "gate"));
    assert_eq!((row.kind.as_str(), row.severity.as_str(), row.event), ("raised", "warning", 1));
    assert_eq!((row.score, row.peak, row.threshold), (0.75, 0.875, 0.5));
    assert_eq!((row.onset_media_ms, row.media_ms, row.wall_clock_ms), (500, 1_500, None));
    assert_eq!((row.model.as_str(), row.verdict), ("0102030405060708", None));
}

#[test]
fn another_record_under_a_used_key_is_kept_as_evidence_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let mut store = Store::open(&path).unwrap();
    store.commit(&[an_alarm("b1", 1, 1)]).unwrap();
    let mut other = alarm("b1", 1, 1);
    other.score = 0.5;
    let other = received(Record::Alarm(other));
    for _ in 0..2 {
        assert_eq!(store.commit(std::slice::from_ref(&other)).unwrap(), [Outcome::Conflict]);
    }
    let kept: i64 =
        store.connection().query_row("SELECT count(*) FROM conflicts", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1);
    assert_eq!(StoreReader::open(&path).unwrap().alarms(&everything()).unwrap()[0].score, 0.75);
}

#[test]
fn gaps_are_stored_once_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let mut store = Store::open(&path).unwrap();
    let batch = [received(Record::Gap(gap("b1", 1, 4)))];
    assert_eq!(store.commit(&batch).unwrap(), [Outcome::New(1)]);
    assert_eq!(store.commit(&batch).unwrap(), [Outcome::Duplicate]);
    let gaps = StoreReader::open(&path).unwrap().gaps(&everything()).unwrap();
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].first_seq, gaps[0].last_seq, gaps[0].dropped), (3, 9, 7));
}

#[test]
fn faults_are_stored_once_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let mut store = Store::open(&path).unwrap();
    let edges = [FaultEdge::Began, FaultEdge::Ended];
    let batch: Vec<_> =
        (1..).zip(edges).map(|(seq, edge)| received(Record::Fault(fault("b1", 1, seq, edge)))).collect();
    assert_eq!(store.commit(&batch).unwrap(), [Outcome::New(1), Outcome::New(2)]);
    assert_eq!(store.commit(&batch).unwrap(), [Outcome::Duplicate; 2]);
    let faults = StoreReader::open(&path).unwrap().faults(&everything()).unwrap();
    let listed: Vec<_> = faults.iter().map(|row| (row.kind.as_str(), row.edge.as_str())).collect();
    assert_eq!(listed, [("no picture", "began"), ("no picture", "ended")]);
    assert!(
        present::record_line(2, &batch[1]).ends_with("FAULT    yard/b1/gate  no picture: over after 2.5 s")
    );
}

#[test]
fn a_store_without_faults_is_brought_up_to_date_by_the_hub_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let mut store = Store::open(&path).unwrap();
    store.commit(&[an_alarm("b1", 1, 1)]).unwrap();
    store.connection().execute_batch("DROP TABLE faults; PRAGMA user_version = 1").unwrap();
    drop(store);
    let error = StoreReader::open(&path).unwrap_err().to_string();
    assert!(error.contains("Start the hub once"), "{error}");
    drop(Store::open(&path).unwrap());
    let reader = StoreReader::open(&path).unwrap();
    assert_eq!(reader.alarms(&everything()).unwrap().len(), 1);
    assert_eq!(reader.faults(&everything()).unwrap(), []);
}

#[test]
fn commits_reach_the_disk_before_they_return() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("hub.sqlite")).unwrap();
    let pragma =
        |name| store.connection().query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, String>(0));
    assert_eq!(pragma("journal_mode").unwrap(), "wal");
    let level: i64 = store.connection().query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
    assert_eq!(level, 2, "FULL");
}

#[test]
fn a_full_disk_fails_the_whole_batch_and_the_store_works_again_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let mut store = Store::open(&path).unwrap();
    store.commit(&[an_alarm("b1", 1, 1)]).unwrap();
    let pages: i64 = store.connection().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.connection().query_row(&format!("PRAGMA max_page_count = {}", pages + 2), [], |_| Ok(())).unwrap();
    let big: Vec<_> = (2..2_000).map(|seq| an_alarm("b1", 1, seq)).collect();
    let error = store.commit(&big).unwrap_err().to_string();
    assert!(error.contains("hub.sqlite") && error.contains("full"), "{error}");
    assert_eq!(list(&path), [("b1".to_owned(), 1, 1)], "nothing of the failed batch");
    store.connection().query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())).unwrap();
    assert!(store.commit(&big).unwrap().iter().all(|outcome| matches!(outcome, Outcome::New(_))));
}

#[test]
fn one_store_serves_one_hub_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let first = Store::open(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Locked { .. })));
    drop(first);
    Store::open(&path).unwrap();
}

#[test]
fn other_files_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "x".repeat(5_000)).unwrap();
    assert!(matches!(Store::open(&text), Err(StoreError::Foreign { .. })));
    assert!(matches!(StoreReader::open(&text), Err(StoreError::Foreign { .. })));
    assert_eq!(std::fs::read(&text).unwrap(), "x".repeat(5_000).as_bytes());

    let other = folder.path().join("other.sqlite");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let before = std::fs::read(&other).unwrap();
    assert!(matches!(Store::open(&other), Err(StoreError::Foreign { .. })));
    assert_eq!(std::fs::read(&other).unwrap(), before);

    let newer = folder.path().join("newer.sqlite");
    drop(Store::open(&newer).unwrap());
    rusqlite::Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(matches!(Store::open(&newer), Err(StoreError::Newer { found: 99, .. })));

    let missing = folder.path().join("none.sqlite");
    assert!(matches!(StoreReader::open(&missing), Err(StoreError::Missing { .. })));
    assert!(!missing.exists(), "reading creates nothing");
    let nowhere = folder.path().join("no/folder/hub.sqlite");
    let error = Store::open(&nowhere).unwrap_err().to_string();
    assert!(error.contains("no/folder/hub.sqlite") && error.contains("folder exists"), "{error}");
}

#[test]
fn verdicts_are_recorded_replaced_and_refused_for_unknown_ids() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let mut store = Store::open(&path).unwrap();
    store.commit(&[an_alarm("b1", 1, 1)]).unwrap();
    let reader = StoreReader::open_for_verdicts(&path).unwrap();
    for verdict in [Verdict::Real, Verdict::False] {
        reader.set_verdict(1, verdict, 5).unwrap();
        let row = reader.alarms(&everything()).unwrap().remove(0);
        assert_eq!(row.verdict.as_deref(), Some(verdict.as_str()));
    }
    assert!(matches!(reader.set_verdict(2, Verdict::Real, 5), Err(StoreError::NoSuchAlarm { id: 2, .. })));
}

#[test]
fn filters_restrict_and_the_limit_keeps_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let mut batch: Vec<_> =
        (1..=6).map(|seq| an_alarm(if seq % 2 == 0 { "even" } else { "odd" }, 1, seq)).collect();
    for (index, received) in batch.iter_mut().enumerate() {
        received.received_unix_ms = 1_000 * index as i64;
    }
    Store::open(&path).unwrap().commit(&batch).unwrap();
    let reader = StoreReader::open(&path).unwrap();
    let seqs =
        |query: AlarmQuery| reader.alarms(&query).unwrap().iter().map(|row| row.seq).collect::<Vec<_>>();
    assert_eq!(seqs(AlarmQuery { limit: 2, ..everything() }), [5, 6]);
    assert_eq!(seqs(AlarmQuery { board: Some("even".into()), ..everything() }), [2, 4, 6]);
    assert_eq!(seqs(AlarmQuery { since_unix_ms: Some(3_000), ..everything() }), [4, 5, 6]);
    assert_eq!(seqs(AlarmQuery { kind: Some("drill".into()), ..everything() }), [0_i64; 0]);
    assert_eq!(seqs(AlarmQuery { board: Some("' OR 1=1 --".into()), ..everything() }), [0_i64; 0]);
}

/// What can happen to a store.
#[derive(Debug, Clone)]
enum Step {
    /// A batch of `(board, boot, seq, content)`.
    Commit(Vec<(u8, u32, u64, u8)>),
    /// The same, but the disk fills up on the way.
    Fail(Vec<(u8, u32, u64, u8)>),
    /// The hub restarts.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let record = (0_u8..3, 1_u32..3, 1_u64..12, 0_u8..2);
    let batch = proptest::collection::vec(record, 0..12);
    let step = prop_oneof![
        6 => batch.clone().prop_map(Step::Commit),
        1 => batch.prop_map(Step::Fail),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..20)
}

fn build(records: &[(u8, u32, u64, u8)]) -> Vec<Received> {
    let build = |&(board, boot, seq, content): &(u8, u32, u64, u8)| {
        let mut alarm = alarm(&format!("b{board}"), boot, seq);
        alarm.event = u32::from(content);
        received(Record::Alarm(alarm))
    };
    records.iter().map(build).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The store holds exactly the first record seen under each key, whatever is repeated, reordered, failed or restarted.
    #[test]
    fn the_store_equals_a_map_of_first_arrivals(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.sqlite");
        let mut store = Store::open(&path).unwrap();
        let mut model: BTreeMap<(String, u32, i64), u32> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Commit(records) => {
                    let outcomes = store.commit(&build(&records)).unwrap();
                    for ((board, boot, seq, content), outcome) in records.into_iter().zip(outcomes) {
                        let key = (format!("b{board}"), boot, seq as i64);
                        let expected = model.get(&key).copied();
                        match outcome {
                            Outcome::New(_) => prop_assert_eq!(expected, None),
                            Outcome::Duplicate => prop_assert_eq!(expected, Some(u32::from(content))),
                            Outcome::Conflict => prop_assert!(expected.is_some_and(|first| first != u32::from(content))),
                        }
                        model.entry(key).or_insert_with(|| u32::from(content));
                    }
                }
                Step::Fail(records) => {
                    // A trigger fails the last insert, when the others have been made.
                    let last = records.last().map_or(0, |record| record.2);
                    store.connection().execute_batch(&format!(
                        "CREATE TEMP TRIGGER no BEFORE INSERT ON main.alarms WHEN NEW.seq = {last} BEGIN SELECT RAISE(FAIL, 'EIO'); END"
                    )).unwrap();
                    let failed = store.commit(&build(&records)).is_err();
                    store.connection().execute_batch("DROP TRIGGER temp.no").unwrap();
                    prop_assert!(failed || records.is_empty());
                }
                Step::Restart => {
                    drop(store);
                    store = Store::open(&path).unwrap();
                }
            }
        }
        let rows = StoreReader::open(&path).unwrap().alarms(&everything()).unwrap();
        let held: BTreeMap<_, _> = rows.iter().map(|row| ((row.board.clone(), row.boot_counter, row.seq), row.event)).collect();
        prop_assert_eq!(rows.len(), held.len());
        prop_assert_eq!(held, model);
    }
}
