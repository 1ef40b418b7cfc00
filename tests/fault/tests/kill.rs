//! AL-3, AL-7: kill -9 of board, hub and broker at random moments loses and doubles no alarm.
//!
//! `WATCHPOST_KILLS` sets the number of kills (default 300, all tests together), `WATCHPOST_SEED` the random choices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

use std::path::PathBuf;

use harness::env_number;
use harness::rig::{Broker, Rig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Share of kills that must have hit with records in flight, in percent.
const MIN_IN_FLIGHT_PERCENT: usize = 25;

fn kill_and_judge(what: &str, mut rig: Rig, kills: u64) {
    let seed = env_number("WATCHPOST_SEED", 7);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    rig.start();
    for _ in 0..kills {
        rig.kill_one(&mut random);
    }
    rig.drain();
    let judgement = match rig.judge() {
        Ok(judgement) => judgement,
        Err(wrong) => panic!("{what}, seed {seed}: {wrong}; kept in {}", rig.keep().display()),
    };
    let tally = &rig.tally;
    println!(
        "{what}: {} kills (board {}, hub {}, broker {}), {} with records in flight (most {}); \
         {} raised, {} stored, {} unprinted, 0 lost, 0 doubled",
        tally.total(),
        tally.board,
        tally.hub,
        tally.broker,
        tally.with_records_in_flight,
        tally.most_in_flight,
        judgement.raised,
        judgement.held,
        judgement.unprinted
    );
    assert!(
        tally.with_records_in_flight * 100 >= tally.total() * MIN_IN_FLIGHT_PERCENT,
        "only {} of {} kills landed with records in flight: the test proves little",
        tally.with_records_in_flight,
        tally.total()
    );
    assert!(
        judgement.raised as u64 >= kills,
        "{} alarms for {kills} kills: too few to prove anything",
        judgement.raised
    );
}

fn mosquitto() -> Option<PathBuf> {
    ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
}

#[test]
fn kills_of_boards_and_of_the_hub_with_its_broker_lose_and_double_nothing() {
    let kills = env_number("WATCHPOST_KILLS", 300) * 2 / 3;
    kill_and_judge("embedded broker", Rig::new(Broker::Embedded, 2, None), kills);
}

#[test]
fn kills_of_board_hub_and_a_foreign_broker_lose_and_double_nothing() {
    let Some(program) = mosquitto() else {
        eprintln!(
            "SKIPPED: mosquitto is not installed, so the external broker was NOT tested. Remedy: apt-get install mosquitto"
        );
        return;
    };
    let kills = env_number("WATCHPOST_KILLS", 300) / 3;
    let broker = Broker::Mosquitto { program, process: None };
    kill_and_judge("mosquitto", Rig::new(broker, 1, None), kills);
}
