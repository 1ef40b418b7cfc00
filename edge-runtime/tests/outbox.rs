//! The outbox against a model, against damage, and against full disks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use alarm_proto::{BootId, Gap, Message};
use common::{board, drill};
use proptest::prelude::*;
use watchpostd::outbox::{Outbox, OutboxError, RecordStore};

const BIG: u64 = 1 << 20;

fn open(path: &Path, max_bytes: u64) -> Outbox {
    let (outbox, recovery) = Outbox::open(path, &board(), max_bytes).unwrap();
    assert!(!recovery.is_degraded(), "{recovery:?}");
    outbox
}

fn raise(outbox: &mut Outbox) -> u64 {
    outbox.raise(&mut drill).unwrap().seq
}

fn raise_many(outbox: &mut Outbox, times: std::ops::Range<u32>) {
    for _ in times {
        raise(outbox);
    }
}

fn stored(outbox: &mut Outbox) -> Vec<(BootId, u64, Message)> {
    let records = outbox.between(0, u64::MAX, usize::MAX).unwrap();
    records.into_iter().map(|r| (r.boot, r.seq, alarm_proto::decode(&r.bytes).unwrap())).collect()
}

fn seqs(outbox: &mut Outbox) -> Vec<u64> {
    stored(outbox).into_iter().map(|(_, seq, _)| seq).collect()
}

#[test]
fn sequence_numbers_outlive_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.db");
    let mut outbox = open(&path, BIG);
    let first_boot = outbox.boot();
    for seq in 1..=3 {
        assert_eq!(raise(&mut outbox), seq);
        outbox.acknowledge(&[(first_boot, seq)]).unwrap();
    }
    assert_eq!(outbox.status().depth, 0);
    drop(outbox);
    let mut outbox = open(&path, BIG);
    assert_eq!(raise(&mut outbox), 4, "delivered numbers are never given again");
    assert_eq!(outbox.boot().counter, first_boot.counter + 1);
    assert_ne!(outbox.boot().random, first_boot.random);
}

#[test]
fn only_an_ack_of_the_same_boot_removes_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(&folder.path().join("o.db"), BIG);
    let seq = raise(&mut outbox);
    let boot = outbox.boot();
    let foreign = BootId { random: boot.random ^ 1, ..boot };
    assert_eq!(outbox.acknowledge(&[(foreign, seq), (boot, seq + 1), (boot, u64::MAX)]).unwrap(), 0);
    assert_eq!(outbox.acknowledge(&[(boot, seq), (boot, seq)]).unwrap(), 1);
}

#[test]
fn two_programs_never_share_an_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.db");
    let _first = open(&path, BIG);
    let error = Outbox::open(&path, &board(), BIG).unwrap_err().to_string();
    assert!(error.contains("another watchpostd uses it"), "{error}");
}

#[test]
fn undelivered_alarms_of_another_board_are_not_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.db");
    let mut outbox = open(&path, BIG);
    let seq = raise(&mut outbox);
    let boot = outbox.boot();
    drop(outbox);
    let other = alarm_proto::BoardId::try_from("gate-2").unwrap();
    let error = Outbox::open(&path, &other, BIG).unwrap_err();
    assert!(matches!(error, OutboxError::OtherBoard { undelivered: 1, .. }), "{error}");
    open(&path, BIG).acknowledge(&[(boot, seq)]).unwrap();
    Outbox::open(&path, &other, BIG).unwrap();
}

/// The state that a kill -9 leaves: the files as they are, nothing closed.
fn copy_of_files(path: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let name = |p: &Path| {
            let mut name = p.as_os_str().to_owned();
            name.push(suffix);
            name
        };
        if Path::new(&name(path)).exists() {
            std::fs::copy(name(path), name(to)).unwrap();
        }
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_raised() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.db");
    let mut outbox = open(&path, BIG);
    for n in 1..=40_u64 {
        let seq = raise(&mut outbox);
        if n % 3 == 0 {
            let boot = outbox.boot();
            outbox.acknowledge(&[(boot, seq)]).unwrap();
        }
        let copy = folder.path().join(format!("copy-{n}.db"));
        copy_of_files(&path, &copy);
        let mut revived = open(&copy, BIG);
        assert_eq!(seqs(&mut revived), (1..=n).filter(|s| s % 3 != 0).collect::<Vec<_>>());
        assert_eq!(raise(&mut revived), n + 1);
    }
}

#[test]
fn a_full_outbox_drops_the_middle_and_counts_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.db");
    let max_bytes = 64 << 10;
    let mut outbox = open(&path, max_bytes);
    let raised: BTreeSet<u64> = (0..2_000).map(|_| raise(&mut outbox)).collect();
    assert!(outbox.status().bytes <= max_bytes);
    let dropped = outbox.status().dropped;
    let all = stored(&mut outbox);
    let kept: BTreeSet<u64> = all.iter().map(|(_, seq, _)| *seq).filter(|seq| raised.contains(seq)).collect();
    let gaps: Vec<Gap> = all
        .into_iter()
        .filter_map(|(_, _, m)| if let Message::Gap(g) = m { Some(g) } else { None })
        .collect();
    assert_eq!(gaps.len(), 1, "one growing gap while nobody has seen it");
    assert_eq!(gaps[0].dropped, dropped);
    assert_eq!(gaps[0].dropped as usize + kept.len(), raised.len());
    assert!(
        raised
            .iter()
            .filter(|s| !kept.contains(s))
            .all(|s| (gaps[0].first_seq..=gaps[0].last_seq).contains(s))
    );
    assert!(kept.contains(&1) && kept.contains(raised.last().unwrap()), "how it began and what happens now");
    let head = kept.iter().filter(|s| **s < gaps[0].first_seq).count();
    assert!(head > 100 && kept.len() - head > 50, "{head} of {} kept", kept.len());
    drop(outbox);
    let outbox = open(&path, max_bytes);
    assert_eq!(outbox.status().dropped, dropped, "the count is durable");
}

#[test]
fn a_gap_that_may_have_been_sent_never_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(&folder.path().join("o.db"), 64 << 10);
    let gaps = |outbox: &mut Outbox| -> Vec<Gap> {
        stored(outbox)
            .into_iter()
            .filter_map(|(_, _, m)| if let Message::Gap(g) = m { Some(g) } else { None })
            .collect()
    };
    raise_many(&mut outbox, 0..1_000);
    let first = gaps(&mut outbox);
    raise_many(&mut outbox, 0..500);
    let second = gaps(&mut outbox);
    assert_eq!(first[0], second[0]);
    assert_eq!(second.len(), 2);
    assert!(second[1].first_seq > second[0].last_seq, "losses are never counted twice");
    assert_eq!(second.iter().map(|g| g.dropped).sum::<u64>(), outbox.status().dropped);
}

#[test]
fn a_failing_disk_burns_the_number_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.db");
    let mut outbox = open(&path, BIG);
    raise_many(&mut outbox, 0..5);
    outbox.limit_pages_for_test(5);
    let mut failures = 0;
    for _ in 0..200 {
        failures += u32::from(outbox.raise(&mut drill).is_err());
    }
    assert!(failures > 0, "the page limit must bite");
    let error = outbox.raise(&mut drill).unwrap_err().to_string();
    assert!(error.contains("free space on that disk"), "{error}");
    outbox.limit_pages_for_test(100_000);
    let before = seqs(&mut outbox);
    let seq = raise(&mut outbox);
    assert!(before.iter().all(|s| *s < seq), "no number twice");
    assert_eq!(outbox.status().depth as usize, before.len() + 1);
}

#[test]
fn a_damaged_file_is_set_aside_and_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.db");
    for n in 1..=2 {
        std::fs::write(&path, b"this was an outbox once; worn flash made it something else entirely")
            .unwrap();
        let (mut outbox, recovery) = Outbox::open(&path, &board(), BIG).unwrap();
        assert_eq!(recovery.set_aside, Some(folder.path().join(format!("o.db.corrupt-{n}"))));
        assert!(recovery.is_degraded());
        assert_eq!(raise(&mut outbox), 1);
    }
    assert!(folder.path().join("o.db.corrupt-1").exists(), "the first one is kept");
}

#[test]
fn a_damaged_record_becomes_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.db");
    let mut outbox = open(&path, BIG);
    raise_many(&mut outbox, 0..6);
    drop(outbox);
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("UPDATE records SET bytes = x'00112233' WHERE seq IN (2, 3, 5)", []).unwrap();
    drop(db);
    let (mut outbox, recovery) = Outbox::open(&path, &board(), BIG).unwrap();
    assert_eq!(recovery.damaged_records, 3);
    let gaps: Vec<_> =
        stored(&mut outbox)
            .into_iter()
            .filter_map(|(_, _, m)| {
                if let Message::Gap(g) = m { Some((g.first_seq, g.last_seq, g.dropped)) } else { None }
            })
            .collect();
    assert_eq!(gaps, [(2, 3, 2), (5, 5, 1)]);
    assert_eq!(seqs(&mut outbox), [1, 4, 6, 7, 8]);
}

#[test]
fn another_programs_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE accounts (name TEXT)").unwrap();
    drop(db);
    let error = Outbox::open(&path, &board(), BIG).unwrap_err().to_string();
    assert!(error.contains("some other program's database"), "{error}");
    assert_eq!(
        std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().contains("corrupt"))
            .count(),
        0
    );
}

#[derive(Debug, Clone)]
enum Step {
    Raise,
    /// Acknowledges the n-th stored record, counted modulo their number.
    Ack(usize),
    /// An Ack that names nothing stored.
    StrayAck(u64),
    /// The link reads: gaps it has seen are frozen.
    Read,
    Close,
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(Step::Raise),
        4 => (0_usize..64).prop_map(Step::Ack),
        1 => (0_u64..400).prop_map(Step::StrayAck),
        1 => Just(Step::Read),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..120)
}

/// The simple truth: what was raised, what was acknowledged, which gaps were delivered.
#[derive(Default)]
struct Model {
    raised: BTreeMap<u64, BootId>,
    acked: BTreeSet<u64>,
    delivered_gaps: Vec<Gap>,
    boots: BTreeSet<BootId>,
    last_seq: u64,
}

impl Model {
    fn check(&self, outbox: &mut Outbox) -> Result<(), TestCaseError> {
        let all = stored(outbox);
        let (mut present, mut gaps) = (BTreeSet::new(), self.delivered_gaps.clone());
        for (boot, seq, message) in &all {
            match message {
                Message::Alarm(alarm) => {
                    prop_assert_eq!(self.raised.get(seq), Some(boot));
                    prop_assert_eq!((alarm.id.seq, alarm.id.boot), (*seq, *boot));
                    present.insert(*seq);
                }
                Message::Gap(gap) => gaps.push(gap.clone()),
                other => prop_assert!(false, "{other:?} in the outbox"),
            }
        }
        let lost: BTreeSet<u64> =
            self.raised.keys().filter(|s| !present.contains(s) && !self.acked.contains(s)).copied().collect();
        prop_assert!(self.acked.iter().all(|s| !present.contains(s)), "acknowledged records are gone");
        prop_assert_eq!(
            gaps.iter().map(|g| g.dropped).sum::<u64>(),
            lost.len() as u64,
            "every loss is counted once"
        );
        for seq in &lost {
            let covering = gaps.iter().filter(|g| (g.first_seq..=g.last_seq).contains(seq)).count();
            prop_assert_eq!(covering, 1, "record {} lies in exactly one gap", seq);
        }
        let status = outbox.status();
        prop_assert_eq!(status.depth, all.len() as u64);
        prop_assert_eq!(status.dropped, lost.len() as u64);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_outbox_equals_its_model(steps in steps(), max_bytes in prop_oneof![Just(1_500_u64), Just(4_000), Just(BIG)]) {
        let folder = tempfile::tempdir().unwrap();
        let mut path = folder.path().join("o-0.db");
        let mut outbox = open(&path, max_bytes);
        let mut model = Model::default();
        model.boots.insert(outbox.boot());
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Raise => {
                    let id = outbox.raise(&mut drill).unwrap();
                    prop_assert!(id.seq > model.last_seq, "numbers only grow");
                    prop_assert_eq!(id.boot, outbox.boot());
                    model.raised.insert(id.seq, id.boot);
                    model.last_seq = outbox.status().last_seq;
                }
                Step::Ack(nth) => {
                    let all = stored(&mut outbox);
                    if let Some((boot, seq, message)) = all.get(nth % all.len().max(1)) {
                        prop_assert_eq!(outbox.acknowledge(&[(*boot, *seq)]).unwrap(), 1);
                        match message {
                            Message::Gap(gap) => model.delivered_gaps.push(gap.clone()),
                            _ => drop(model.acked.insert(*seq)),
                        }
                    }
                }
                Step::StrayAck(seq) => {
                    let stranger = BootId { counter: 0, random: 0 };
                    prop_assert_eq!(outbox.acknowledge(&[(stranger, seq)]).unwrap(), 0);
                }
                Step::Read => model.check(&mut outbox)?,
                Step::Close => {
                    drop(outbox);
                    outbox = open(&path, max_bytes);
                    prop_assert!(model.boots.insert(outbox.boot()), "a boot id is never used twice");
                }
                Step::Kill => {
                    let copy = folder.path().join(format!("o-{}.db", n + 1));
                    copy_of_files(&path, &copy);
                    path = copy;
                    outbox = open(&path, max_bytes);
                    prop_assert!(model.boots.insert(outbox.boot()), "a boot id is never used twice");
                }
            }
        }
        model.check(&mut outbox)?;
    }

    /// Any damage to the files: opened or set aside, never a panic, never a record that was not raised.
    #[test]
    fn damage_never_invents_an_alarm(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24), cut in prop::option::of(any::<prop::sample::Index>()), wal in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o.db");
        let mut outbox = open(&path, BIG);
        raise_many(&mut outbox, 0..20);
        let copy = folder.path().join("copy.db");
        copy_of_files(&path, &copy);
        let target = if wal { folder.path().join("copy.db-wal") } else {
            drop(outbox);
            std::fs::copy(&path, &copy).unwrap();
            let _ = std::fs::remove_file(folder.path().join("copy.db-wal"));
            copy.clone()
        };
        let mut bytes = std::fs::read(&target).unwrap();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&target, &bytes).unwrap();
        if let Ok((mut outbox, _)) = Outbox::open(&copy, &board(), BIG) {
            for record in outbox.between(0, u64::MAX, usize::MAX).unwrap_or_default() {
                if let Message::Alarm(alarm) = alarm_proto::decode(&record.bytes).unwrap() {
                    prop_assert!((1..=20).contains(&alarm.id.seq));
                }
            }
        }
    }
}
