//! What a board tells people, heard through a real broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;

use alarm_proto::{Alarm, CameraId, EventKind, Message, RecordId, Severity, SiteId};
use common::broker::Broker;
use common::listener::Listener;
use common::{board, eventually};
use watchpostd::arming::Hindrances;
use watchpostd::clock::{Clock, SystemClock};
use watchpostd::config::Config;
use watchpostd::desk::AlarmDesk;
use watchpostd::health::{CameraState, Health};
use watchpostd::link::{Identity, Link};
use watchpostd::outbox::Outbox;
use watchpostd::told::Voice;

const HOME: &str = "watchpost/yard/gate-1";

fn camera() -> CameraId {
    CameraId::try_from("north").unwrap()
}

fn alarm(kind: EventKind, event: u32) -> impl FnMut(RecordId) -> Message {
    move |id| {
        Message::Alarm(Alarm {
            id,
            camera: camera(),
            kind,
            event,
            severity: Severity::Warning,
            wall_clock_ms: Some(1_767_225_600_000),
            uptime_ms: 1,
            onset_media_ms: 0,
            media_ms: 1_500,
            score: 0.75,
            peak: 0.875,
            threshold: 0.5,
            model: [0xAB; 8],
        })
    }
}

struct Board {
    desk: Arc<AlarmDesk>,
    health: Arc<Health>,
    link: Link,
    _folder: tempfile::TempDir,
}

impl Board {
    fn start(port: u16) -> Self {
        let text = format!(
            "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"b\"\n[network]\nbroker = \"mqtt://127.0.0.1:{port}\"\n[network.home_assistant]\n"
        );
        let network = Config::parse(&text, Path::new("board.toml")).unwrap().network.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (outbox, _) = Outbox::open(&folder.path().join("o.db"), &board(), 1 << 20).unwrap();
        let health = Arc::new(Health::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let desk = Arc::new(AlarmDesk::new(board(), Box::new(outbox), Arc::clone(&health)).unwrap());
        let identity = Identity { site: SiteId::try_from("yard").unwrap(), board: board(), model: [0xAB; 8] };
        health.add_camera(camera());
        let voice = Voice { cameras: vec![camera()], ..Voice::default() };
        let (to_desk, to_health) = (Arc::clone(&desk), Arc::clone(&health));
        let link = Link::start(&network, identity, to_desk, to_health, clock, Some(&voice)).unwrap();
        Self { desk, health, link, _folder: folder }
    }
}

#[test]
fn presence_is_retained_and_ends_with_a_clean_end() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let available = format!("{HOME}/available");
    let listener = Listener::start(broker.port);
    let board = Board::start(broker.port);
    listener.await_on("it is online", &available, |h| h.payload == b"online");
    let late = Listener::start(broker.port);
    late.await_on("a late listener hears it too", &available, |h| h.retained && h.payload == b"online");
    board.link.stop();
    listener.await_on("it takes its leave", &available, |h| h.payload == b"offline");
    assert_eq!(listener.on(&available).len(), 2, "said once each");
}

#[test]
fn the_broker_says_for_a_board_that_vanishes_that_it_is_offline() {
    use std::io::{Read, Write};
    let Some(broker) = Broker::start() else {
        return;
    };
    // A way to the broker that can be cut.
    let relay = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, to) = (relay.local_addr().unwrap().port(), broker.port);
    let (lines, cut) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (inside, _) = relay.accept().unwrap();
        let outside = std::net::TcpStream::connect(("127.0.0.1", to)).unwrap();
        lines.send(outside.try_clone().unwrap()).unwrap();
        for (mut from, mut to) in
            [(inside.try_clone().unwrap(), outside.try_clone().unwrap()), (outside, inside)]
        {
            std::thread::spawn(move || {
                let mut bytes = [0; 4_096];
                while let Ok(read @ 1..) = from.read(&mut bytes) {
                    if to.write_all(&bytes[..read]).is_err() {
                        return;
                    }
                }
            });
        }
        // The listener closes here: nobody comes back.
    });
    let listener = Listener::start(broker.port);
    let board = Board::start(port);
    let available = format!("{HOME}/available");
    listener.await_on("it is online", &available, |h| h.payload == b"online");
    cut.recv().unwrap().shutdown(std::net::Shutdown::Both).unwrap();
    listener.await_on("its will is done", &available, |h| h.payload == b"offline");
    board.link.stop();
}

#[test]
fn the_state_follows_what_happens() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let topic = format!("{HOME}/state");
    let listener = Listener::start(broker.port);
    let board = Board::start(broker.port);
    let first = listener.await_on("a first state", &topic, |_| true).json();
    assert_eq!(first["board"], "gate-1");
    assert_eq!(first["model"], "abababababababab");
    assert_eq!(first["boot"], board.desk.boot().to_string());
    assert_eq!(first["cameras"]["north"]["state"], "starting");
    assert!(first["cameras"]["north"]["armed"].is_null());
    let north = &board.health.cameras()[0];
    north.set_state(CameraState::Live);
    north.stand(|standing| standing.hindrances = Some(Hindrances { key: true, ..Hindrances::default() }));
    board.health.degrade("the roof leaks");
    let second = listener
        .await_on("the change", &topic, |h| !h.json()["degraded"].as_array().unwrap().is_empty())
        .json();
    assert_eq!(second["cameras"]["north"]["disarmed_by"], serde_json::json!(["key"]));
    assert_eq!(second["cameras"]["north"]["armed"], false);
    board.desk.raise(common::drill).unwrap();
    listener.await_on("the outbox", &topic, |h| h.json()["outbox_depth"] == 1);
    assert!(listener.on(&topic).len() <= 4, "told at changes only: {}", listener.on(&topic).len());
    board.link.stop();
}

#[test]
fn an_event_is_told_in_order_and_a_drill_is_not() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let topic = format!("{HOME}/reviews");
    let listener = Listener::start(broker.port);
    let board = Board::start(broker.port);
    board.desk.raise(common::drill).unwrap();
    for (kind, event) in [(EventKind::Raised, 1), (EventKind::Updated, 1), (EventKind::Cleared, 1)] {
        board.desk.raise(alarm(kind, event)).unwrap();
    }
    eventually("all three", || listener.on(&topic).len() == 3);
    let told: Vec<_> = listener.on(&topic).iter().map(common::listener::Heard::json).collect();
    let types: Vec<_> = told.iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["new", "update", "end"]);
    assert_eq!(told[0]["after"]["start_time"], 1_767_225_598.5);
    assert_eq!(told[2]["before"], told[1]["after"]);
    assert_eq!(told[2]["after"]["end_time"], 1_767_225_600.0);
    assert_eq!(told[0]["after"]["watchpost"]["peak"], 0.875);
    assert_eq!(board.desk.depth(), 4, "what is told to people acknowledges nothing");
    board.link.stop();
}

#[test]
fn home_assistant_hears_of_the_board() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let board = Board::start(broker.port);
    eventually("connected", || board.link.stats().is_connected());
    let late = Listener::start(broker.port);
    let heard = late.await_on("the discovery", "homeassistant/device/watchpost_yard_gate-1/config", |_| true);
    assert!(heard.retained);
    let config = heard.json();
    assert_eq!(config["availability_topic"], format!("{HOME}/available"));
    assert_eq!(config["state_topic"], format!("{HOME}/state"));
    assert_eq!(config["components"]["watchpost_yard_gate-1_north_event"]["device_class"], "motion");
    board.link.stop();
}

#[test]
fn a_broker_that_retains_nothing_still_gets_records_and_words() {
    let Some(broker) = Broker::configured(|_| "allow_anonymous true\nretain_available false\n".to_owned())
    else {
        return;
    };
    let listener = Listener::start(broker.port);
    let board = Board::start(broker.port);
    listener.await_on("it is online", &format!("{HOME}/available"), |h| h.payload == b"online");
    board.desk.raise(common::drill).unwrap();
    eventually("the record goes out", || board.link.stats().published() >= 1);
    listener.await_on("the outbox", &format!("{HOME}/state"), |h| h.json()["outbox_depth"] == 1);
    assert_eq!(board.link.stats().connections(), 1);
    board.link.stop();
}

#[test]
fn what_is_too_large_for_the_broker_is_left_out_and_costs_nothing() {
    let Some(broker) = Broker::configured(|_| "allow_anonymous true\nmax_packet_size 600\n".to_owned())
    else {
        return;
    };
    let listener = Listener::start(broker.port);
    let board = Board::start(broker.port);
    listener.await_on("it is online", &format!("{HOME}/available"), |h| h.payload == b"online");
    listener.await_on("a state", &format!("{HOME}/state"), |_| true);
    board.desk.raise(common::drill).unwrap();
    eventually("the record goes out", || board.link.stats().published() >= 1);
    assert!(listener.on("homeassistant/device/watchpost_yard_gate-1/config").is_empty());
    assert_eq!(board.link.stats().connections(), 1);
    board.link.stop();
}
