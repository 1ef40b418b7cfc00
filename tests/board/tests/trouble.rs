//! AL-2, AL-3, AL-7, RT-5 on the emulated board: a healthy link delivers within a second; a network that lies, a hub that dies and a wall
//! clock that jumps lose, double and reorder no alarm. The ledger is what the board said of each alarm; the hub's store is judged against it.
//!
//! `WATCHPOST_SEED` sets the random choices.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod rig;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use board_tests::virt::{Running, Virt};
use fault_tests::judge::{self, Hidden, Key};
use fault_tests::process::Lines;
use fault_tests::proxy::{Mood, Proxy};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rig::drill::{HIDDEN_BY_AN_END, PATIENCE, raise};
use rig::{BOARD, Hub, board_program, install, new_board};

/// A connection that gives no sign of life is given up after one and a half of these; a mood lasts longer.
const NETWORK: &str = "keep_alive_s = 5\nresend_after_ms = 500\n";
const MOOD_MS: std::ops::Range<u64> = 1_000..9_000;
/// From the score to the hub and back (AL-2).
const PROMISED_P99_MS: u64 = 1_000;
const YEARS_10_S: i64 = 10 * 365 * 86_400;
/// Alarms while the clock jumps.
const ALARMS: u64 = 300;

struct Rig {
    hub: Hub,
    proxy: Proxy,
    board: Running,
    ledger: Lines,
    folder: tempfile::TempDir,
    _virt: Virt,
}

impl Rig {
    fn start(watchpostd: &std::path::Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hub = Hub::start(folder.path());
        let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], hub.port)));
        let virt = new_board(folder.path(), proxy.port());
        let board = virt.start(None).unwrap();
        install(&board, watchpostd, None, NETWORK);
        Self { hub, proxy, board, ledger: Lines::default(), folder, _virt: virt }
    }

    fn raised(&self) -> Vec<Key> {
        self.ledger.lock().unwrap().iter().map(|line| Key::of_line(line).unwrap()).collect()
    }

    /// Delivers what is left, and judges everything so far; `ends` runs ended while they raised alarms.
    fn judge(&self, what: &str, ends: usize) {
        let drained = raise(&self.board, 1, &self.ledger, self.folder.path()).wait(PATIENCE);
        assert!(drained.success(), "{what}: the board could not deliver everything: {drained}");
        let held = judge::read_store(&self.hub.store).unwrap();
        let ends = BTreeMap::from([(BOARD.to_owned(), ends)]);
        let hidden = Hidden { ends, records_per_end: HIDDEN_BY_AN_END };
        match judge::judge(&self.raised(), &held, &hidden) {
            Ok(judged) => println!(
                "{what}: {} raised, {} stored, {} connections, 0 lost, 0 doubled",
                judged.raised,
                judged.held,
                self.proxy.connections()
            ),
            Err(wrong) => panic!("{what}: {wrong}"),
        }
    }
}

#[test]
fn a_hostile_network_a_dying_hub_and_a_jumping_clock_harm_no_alarm() {
    let Some(watchpostd) = board_program() else { return };
    let seed = std::env::var("WATCHPOST_SEED").map_or(7, |text| text.parse().unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rig = Rig::start(&watchpostd);

    assert!(raise(&rig.board, ALARMS, &rig.ledger, rig.folder.path()).wait(PATIENCE).success());
    let said = std::fs::read_to_string(rig.folder.path().join("drill.stderr")).unwrap();
    let delays = said.lines().find_map(|line| line.split_once("delivered: ")).expect("how long it took").1;
    println!("a healthy link: {delays}");
    let p99_ms = delays.split_once("p99 ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
    assert!(p99_ms.is_some_and(|ms| ms <= PROMISED_P99_MS), "{delays}");

    let mut drill = raise(&rig.board, 1_000_000, &rig.ledger, rig.folder.path());
    drill.wait_until_it_speaks(PATIENCE);
    for mood in Mood::ALL {
        rig.proxy.set(mood);
        std::thread::sleep(Duration::from_millis(random.random_range(MOOD_MS)));
    }
    rig.proxy.set(Mood::Honest);
    for _ in 0..3 {
        rig.hub.kill_and_start();
        std::thread::sleep(Duration::from_millis(random.random_range(200..2_000)));
    }
    rig.board.remote.run("killall -9 watchpostd").unwrap();
    drop(drill);
    rig.judge(&format!("a network that lies and a hub that dies, seed {seed}"), 1);
    assert!(rig.proxy.connections() > Mood::ALL.len(), "the network never made the board connect again");

    let before = rig.raised().len();
    let mut drill = raise(&rig.board, ALARMS, &rig.ledger, rig.folder.path());
    drill.wait_until_it_speaks(PATIENCE);
    let mut longest = Duration::ZERO;
    for jump in 0.. {
        let raised = rig.raised().len();
        if raised as u64 >= before as u64 + ALARMS {
            break;
        }
        // Ten years to and fro, and a second back each time.
        let years = [YEARS_10_S, -YEARS_10_S, -1][jump % 3];
        rig.board.remote.run(&format!("date -s @$(($(date +%s) + {years}))")).unwrap();
        longest = longest.max(until_stored(&rig, raised));
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(drill.wait(PATIENCE).success(), "the board could not deliver everything");
    rig.judge(
        &format!("a clock that jumps; at the latest {} ms until all was stored", longest.as_millis()),
        1,
    );
    let boot = rig.raised()[before].boot;
    let stored: Vec<u64> = judge::read_store(&rig.hub.store)
        .unwrap()
        .alarms
        .iter()
        .filter(|key| key.boot == boot)
        .map(|key| key.seq)
        .collect();
    assert_eq!(stored.len() as u64, ALARMS);
    assert!(stored.is_sorted(), "stored in another order than raised: {stored:?}");
}

/// Time until the hub has as many alarms as the board had raised; only its end is promised here.
fn until_stored(rig: &Rig, raised: usize) -> Duration {
    let begun = Instant::now();
    while judge::count_stored(&rig.hub.store) < raised {
        assert!(begun.elapsed() < PATIENCE, "{raised} alarms do not arrive while the clock jumps");
        std::thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}
