//! The judge itself: it must find every fault that the kill tests look for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use fault_tests::judge::{Held, Hidden, Judgement, Key, judge};

fn key(counter: u32, seq: u64) -> Key {
    Key { board: "b".into(), boot: (counter, 9), seq }
}

fn held(alarms: Vec<Key>) -> Held {
    Held { alarms, ..Held::default() }
}

fn killed(times: usize) -> Hidden {
    Hidden { ends: BTreeMap::from([("b".to_owned(), times)]), records_per_end: 1 }
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
        ("more than the 1", vec![key(1, 1)], held(vec![key(1, 1), key(1, 2), key(1, 3)]), 5),
        ("never printed", vec![key(1, 1), key(1, 3)], held(vec![key(1, 1), key(1, 2), key(1, 3)]), 5),
        ("gaps", vec![key(1, 1)], Held { gaps: 1, ..held(vec![key(1, 1)]) }, 1),
        ("conflicting", vec![key(1, 1)], Held { conflicts: 1, ..held(vec![key(1, 1)]) }, 1),
    ];
    for (word, ledger, stored, kills) in faults {
        let fault = judge(&ledger, &stored, &killed(kills)).unwrap_err();
        assert!(fault.contains(word), "{fault:?} should say {word:?}");
    }
}

#[test]
fn a_cut_may_hide_the_last_records_of_its_boot() {
    let stored = held(vec![key(1, 1), key(1, 2), key(1, 3), key(1, 4)]);
    let hidden = |records_per_end| Hidden { records_per_end, ..killed(1) };
    let sound = Judgement { raised: 1, held: 4, unprinted: 3 };
    assert_eq!(judge(&[key(1, 1)], &stored, &hidden(3)), Ok(sound));
    assert!(judge(&[key(1, 1)], &stored, &hidden(2)).is_err());
    assert!(judge(&[key(1, 4)], &stored, &hidden(3)).is_err(), "hidden are the last ones alone");
}

#[test]
fn a_drill_s_line_is_read() {
    assert_eq!(Key::of_line("raised b 1-00000009 7"), Some(key(1, 7)));
    for wrong in ["raised b 1 7", "raised b 1-9", "b 1-9 7", "raised b 1-9 7 8"] {
        assert_eq!(Key::of_line(wrong), None, "{wrong}");
    }
}
