//! The link against a real broker: nothing is lost and, after deduplication, nothing comes twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use alarm_proto::{Ack, BoardId, BootId, Message, RecordId, SiteId};
use common::broker::Broker;
use common::hub::FakeHub;
use common::{board, drill, eventually};
use watchpostd::clock::{Clock, SystemClock};
use watchpostd::config::{Config, Network};
use watchpostd::desk::{AlarmDesk, Shelf};
use watchpostd::health::Health;
use watchpostd::link::{Identity, Link};
use watchpostd::outbox::{Outbox, RecordStore, UnavailableStore};

fn network(port: u16) -> Network {
    let text = format!(
        "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"b\"\n[network]\nbroker = \"mqtt://127.0.0.1:{port}\"\nkeep_alive_s = 5\nheartbeat_interval_ms = 100\nresend_after_ms = 300\nwindow = 64\n"
    );
    Config::parse(&text, Path::new("board.toml")).unwrap().network.unwrap()
}

struct Board {
    desk: Arc<AlarmDesk>,
    link: Link,
    raised: BTreeSet<RecordId>,
}

impl Board {
    fn start(store: Box<dyn RecordStore>, port: u16) -> Self {
        let health = Arc::new(Health::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let desk = Arc::new(AlarmDesk::new(board(), store, Arc::clone(&health)).unwrap());
        let identity = Identity { site: SiteId::try_from("yard").unwrap(), board: board(), model: [7; 8] };
        let link = Link::start(&network(port), identity, Arc::clone(&desk), health, clock, None).unwrap();
        Self { desk, link, raised: BTreeSet::new() }
    }

    fn with_outbox(folder: &Path, port: u16) -> Self {
        let (outbox, _) = Outbox::open(&folder.join("o.db"), &board(), 1 << 20).unwrap();
        Self::start(Box::new(outbox), port)
    }

    fn raise(&mut self, count: usize) {
        for _ in 0..count {
            let raised = self.desk.raise(drill).unwrap();
            assert!(self.raised.insert(raised.id), "an identity twice");
        }
    }

    fn await_empty(&self) {
        eventually("the outbox is empty", || self.desk.depth() == 0);
    }
}

fn assert_delivered(hub: &FakeHub, raised: &BTreeSet<RecordId>) {
    let order = hub.seen.order.lock().unwrap();
    let unique: BTreeSet<RecordId> = order.iter().cloned().collect();
    assert_eq!(&unique, raised, "delivered = raised after deduplication");
}

#[test]
fn a_healthy_link_delivers_each_alarm_once() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(broker.port);
    let mut board = Board::with_outbox(folder.path(), broker.port);
    board.raise(100);
    board.await_empty();
    board.raise(100);
    board.await_empty();
    assert_delivered(&hub, &board.raised);
    board.link.stop();
}

#[test]
fn a_broker_that_forgets_everything_loses_nothing() {
    let Some(mut broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(broker.port);
    hub.seen.unreliable_every.store(5, Ordering::SeqCst);
    let mut board = Board::with_outbox(folder.path(), broker.port);
    for _ in 0..4 {
        board.raise(150);
        broker.restart();
    }
    broker.stop();
    board.raise(50);
    broker.resume();
    board.await_empty();
    assert_delivered(&hub, &board.raised);
    assert!(board.link.stats().connections() >= 2);
    board.link.stop();
}

#[test]
fn a_brokers_puback_removes_nothing() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(broker.port);
    hub.seen.deaf.store(true, Ordering::SeqCst);
    let mut board = Board::with_outbox(folder.path(), broker.port);
    board.raise(10);
    eventually("the hub has seen a repetition of each", || {
        let copies = hub.seen.copies.lock().unwrap();
        copies.len() == 10 && copies.values().all(|c| *c >= 2)
    });
    assert_eq!(board.desk.depth(), 10, "taken by the broker, seen by the hub, and still in the outbox");
    hub.seen.deaf.store(false, Ordering::SeqCst);
    board.await_empty();
    assert_delivered(&hub, &board.raised);
    board.link.stop();
}

#[test]
fn a_restart_of_the_board_sends_what_is_left() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut first = Board::with_outbox(folder.path(), broker.port);
    first.raise(300);
    let Board { desk, link, mut raised } = first;
    link.stop();
    drop(desk);
    let hub = FakeHub::start(broker.port);
    let mut second = Board::with_outbox(folder.path(), broker.port);
    second.raise(5);
    raised.extend(second.raised.iter().cloned());
    second.await_empty();
    assert_delivered(&hub, &raised);
    second.link.stop();
}

#[test]
fn a_new_alarm_overtakes_the_backlog() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut before = Board::with_outbox(folder.path(), 1);
    before.raise(2_000);
    let Board { desk, link, .. } = before;
    link.stop();
    drop(desk);
    let hub = FakeHub::start(broker.port);
    let mut board = Board::with_outbox(folder.path(), broker.port);
    eventually("the backlog begins to drain", || hub.seen.unique() > 100);
    board.raise(1);
    let newest = board.raised.last().unwrap().clone();
    board.await_empty();
    let order = hub.seen.order.lock().unwrap();
    let place = order.iter().position(|id| *id == newest).unwrap();
    assert!(place < 1_500, "the new alarm came as number {place} of {}", order.len());
    drop(order);
    board.link.stop();
}

#[test]
fn hostile_acks_remove_nothing_and_are_counted() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(broker.port);
    hub.seen.deaf.store(true, Ordering::SeqCst);
    let mut board = Board::with_outbox(folder.path(), broker.port);
    board.raise(3);
    eventually("connected", || board.link.stats().is_connected());
    let boot = board.desk.boot();
    let ack = |board: &str, boot: BootId, seq: u64| {
        let mut buf = [0; alarm_proto::MAX_FRAME_LEN];
        let board = BoardId::try_from(board).unwrap();
        alarm_proto::encode(&Message::Ack(Ack { board, boot, seq }), &mut buf).unwrap().to_vec()
    };
    let mut damaged = ack("gate-1", boot, 1);
    *damaged.last_mut().unwrap() ^= 1;
    let heartbeat_as_ack = b"WP\x01\x01".to_vec();
    hub.inject(&[
        Vec::new(),
        vec![0xFF; 2_000],
        damaged,
        heartbeat_as_ack,
        ack("gate-2", boot, 1),
        ack("gate-1", BootId { counter: boot.counter, random: boot.random ^ 1 }, 1),
        ack("gate-1", boot, u64::MAX),
    ]);
    eventually("all seven are counted", || {
        board.link.stats().malformed_acks() == 4 && board.link.stats().foreign_acks() == 3
    });
    assert_eq!(board.desk.depth(), 3);
    hub.seen.deaf.store(false, Ordering::SeqCst);
    board.await_empty();
    board.link.stop();
}

#[test]
fn heartbeats_tell_of_the_outbox_and_of_missing_progress() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(broker.port);
    hub.seen.deaf.store(true, Ordering::SeqCst);
    let mut board = Board::with_outbox(folder.path(), broker.port);
    board.raise(2);
    eventually("a heartbeat reports both alarms", || {
        let beats = hub.seen.heartbeats.lock().unwrap();
        beats.iter().any(|b| {
            b.outbox_depth == 2 && b.last_seq == 2 && b.last_frame_age_ms.is_none() && b.model == [7; 8]
        })
    });
    board.link.stop();
}

#[test]
fn without_a_disk_alarms_still_go_out() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let hub = FakeHub::start(broker.port);
    let mut board =
        Board::start(Box::new(UnavailableStore::new("read-only".to_owned()).unwrap()), broker.port);
    board.raise(20);
    assert_eq!(board.desk.status(Shelf::Durable).depth, 0);
    board.await_empty();
    assert_delivered(&hub, &board.raised);
    board.link.stop();
}
