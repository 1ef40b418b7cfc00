//! kill -9 of the real program at random moments: everything that it called raised is in the outbox.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use common::{board, watchpostd, write_config};
use watchpostd::outbox::{Outbox, RecordStore};

const KILLS: u32 = 20;

#[test]
fn what_was_called_raised_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(
        folder.path(),
        "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"none\"\n",
    );
    let mut ledger = BTreeSet::new();
    let mut killed_while_raising = 0;
    for round in 0..KILLS {
        let mut child = watchpostd()
            .args(["drill", "--count", "1000000", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The first line shows that the kill lands while it raises; then a different moment each round.
        let first = lines.next().unwrap().unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(round) * 1_700));
        child.kill().unwrap();
        killed_while_raising += u32::from(!child.wait().unwrap().success());
        for line in std::iter::once(first).chain(lines.map_while(Result::ok)) {
            // The last line may be cut off; a whole one has four words.
            if let [word, _, boot, seq] = line.split(' ').collect::<Vec<_>>()[..] {
                assert_eq!(word, "raised");
                assert!(ledger.insert((boot.to_owned(), seq.parse::<u64>().unwrap())), "{line} twice");
            }
        }
    }
    assert_eq!(killed_while_raising, KILLS);
    let (mut outbox, recovery) = Outbox::open(&folder.path().join("outbox.db"), &board(), 1 << 30).unwrap();
    assert!(!recovery.is_degraded(), "{recovery:?}");
    let stored = outbox.between(0, u64::MAX, usize::MAX).unwrap();
    let stored: BTreeSet<_> = stored.into_iter().map(|r| (r.boot.to_string(), r.seq)).collect();
    let lost: Vec<_> = ledger.difference(&stored).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), ledger.len());
    // At most the one whose line was not yet out.
    assert!(stored.len() - ledger.len() <= KILLS as usize);
}
