//! The judge itself: it must find every fault that the kill tests look for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

use std::collections::BTreeMap;

use harness::judge::{Held, Judgement, Key, judge};

fn key(counter: u32, seq: u64) -> Key {
    Key { board: "b".into(), boot: (counter, 9), seq }
}

fn held(alarms: Vec<Key>) -> Held {
    Held { alarms, ..Held::default() }
}

fn killed(times: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([("b".to_owned(), times)])
}

#[test]
fn a_sound_run_passes_and_one_unprinted_record_per_kill_is_allowed() {
    let ledger = [key(1, 1), key(1, 2), key(2, 1)];
    let stored = held(vec![key(1, 2), key(1, 1), key(2, 1), key(1, 3), key(3, 1)]);
    assert_eq!(judge(&ledger, &stored, &killed(2)), Ok(Judgement { raised: 3, held: 5, unprinted: 2 }));
}

#[test]
fn every_fault_is_found() {
    let faults: [(&str, Vec<Key>, Held, usize); 8] = [
        ("lost", vec![key(1, 1), key(1, 2)], held(vec![key(1, 1)]), 1),
        ("twice", vec![key(1, 1)], held(vec![key(1, 1), key(1, 1)]), 1),
        ("reused", vec![key(1, 1), key(1, 1)], held(vec![key(1, 1)]), 1),
        ("not in the ledger", vec![key(1, 1)], held(vec![key(1, 1), key(1, 2)]), 0),
        ("more than one", vec![key(1, 1)], held(vec![key(1, 1), key(1, 2), key(1, 3)]), 5),
        ("never printed", vec![key(1, 1), key(1, 3)], held(vec![key(1, 1), key(1, 2), key(1, 3)]), 5),
        ("gaps", vec![key(1, 1)], Held { gaps: 1, ..held(vec![key(1, 1)]) }, 1),
        ("conflicting", vec![key(1, 1)], Held { conflicts: 1, ..held(vec![key(1, 1)]) }, 1),
    ];
    for (word, ledger, stored, kills) in faults {
        let fault = judge(&ledger, &stored, &killed(kills)).unwrap_err();
        assert!(fault.contains(word), "{fault:?} should say {word:?}");
    }
}
