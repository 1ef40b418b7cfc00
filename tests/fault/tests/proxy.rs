//! A hostile network between board and broker loses and doubles no alarm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

use std::net::SocketAddr;
use std::time::Duration;

use fault_tests::proxy::{Mood, Proxy};
use harness::env_number;
use harness::rig::{Broker, Rig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BOARDS: usize = 2;

#[test]
fn a_network_that_delays_swallows_crumbles_cuts_and_doubles_harms_no_alarm() {
    let seed = env_number("WATCHPOST_SEED", 7);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rig = Rig::new(Broker::Embedded, BOARDS, None);
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], rig.port())));
    rig.set_board_port(proxy.port());
    rig.start();
    for round in 0..3 {
        for mood in Mood::ALL {
            proxy.set(mood);
            std::thread::sleep(Duration::from_millis(random.random_range(300..1_200)));
            // Moods that leave connections half dead are followed by an honest moment, in which they must recover.
            if round == 1 {
                proxy.set(Mood::Honest);
                std::thread::sleep(Duration::from_millis(300));
            }
        }
    }
    proxy.set(Mood::Honest);
    rig.drain();
    match rig.judge() {
        Ok(judgement) => println!(
            "hostile network: {} connections, {} raised, {} stored, 0 lost, 0 doubled",
            proxy.connections(),
            judgement.raised,
            judgement.held
        ),
        Err(wrong) => panic!("seed {seed}: {wrong}; kept in {}", rig.keep().display()),
    }
    assert!(proxy.connections() > BOARDS, "the network never made a board connect again");
}
