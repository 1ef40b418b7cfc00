//! The hub over real sockets with its embedded broker, against a board that misbehaves in every way the protocol allows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use alarm_proto::Message;
use hub::run::{BrokerChoice, Hub, HubConfig};
use hub::store::{AlarmQuery, StoreReader};
use rumqttc::v5::mqttbytes::QoS;
use support::board::TestBoard;
use support::{Heard, alarm, frame, prefix};

struct Running {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Hub<Heard>>,
}

impl Running {
    fn start(store: &Path, address: &str) -> Self {
        let config = HubConfig {
            broker: BrokerChoice::Embedded(address.parse().unwrap()),
            store: store.to_owned(),
            prefix: prefix(),
        };
        let mut hub = Hub::start(&config, Heard::default()).unwrap();
        let address = hub.address().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            hub.run(&stopped).unwrap();
            hub
        });
        Self { address, stop, thread }
    }

    fn stop(self) -> Hub<Heard> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn stored_seqs(store: &Path) -> Vec<i64> {
    let query = AlarmQuery { limit: 1_000_000, ..AlarmQuery::default() };
    let mut seqs: Vec<_> =
        StoreReader::open(store).unwrap().alarms(&query).unwrap().iter().map(|row| row.seq).collect();
    seqs.sort_unstable();
    seqs
}

/// The hub may still be subscribing when the board's first publish arrives: publish until it is acknowledged, as boards do.
fn publish_until_acked(board: &mut TestBoard, seq: u64) {
    for _ in 0..600 {
        board.publish(frame(&Message::Alarm(alarm("b1", 1, seq))));
        board.poll_for(Duration::from_millis(100));
        if board.acked.contains(&seq) {
            return;
        }
    }
    panic!("{seq} never acknowledged");
}

#[test]
fn a_board_that_repeats_reorders_and_stammers_has_each_alarm_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("hub.sqlite");
    let hub = Running::start(&store, "127.0.0.1:0");
    let mut board = TestBoard::connect(hub.address, "board-b1", "b1");
    publish_until_acked(&mut board, 1);
    for seq in (2..=100).rev() {
        board.publish(frame(&Message::Alarm(alarm("b1", 1, seq))));
        board.publish(vec![seq as u8; seq as usize]);
        board.publish(frame(&Message::Alarm(alarm("b1", 1, (seq * 7) % 100 + 1))));
        board.client.publish("watchpost/yard/b1/nonsense", QoS::AtLeastOnce, false, "x").unwrap();
        board
            .client
            .publish(
                "watchpost/yard/b9/alarm/bin",
                QoS::AtLeastOnce,
                false,
                frame(&Message::Alarm(alarm("b1", 1, seq))),
            )
            .unwrap();
    }
    board.wait_for(1..=100);
    let hub = hub.stop();
    assert_eq!(stored_seqs(&store), (1..=100).collect::<Vec<_>>());
    assert_eq!(hub.core().counters().stored, 100);
    assert_eq!(hub.core().counters().conflicts, 0);
    assert_eq!(hub.core().refusals().counts().get("board"), Some(&99));
}

#[test]
fn a_backlog_of_thousands_drains_and_a_second_connection_under_the_same_name_takes_over() {
    const BACKLOG: u64 = 5_000;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("hub.sqlite");
    let hub = Running::start(&store, "127.0.0.1:0");
    let mut board = TestBoard::connect(hub.address, "board-b1", "b1");
    publish_until_acked(&mut board, 1);
    for seq in 2..=BACKLOG {
        board.publish(frame(&Message::Alarm(alarm("b1", 1, seq))));
    }
    board.wait_for(1..=BACKLOG);
    // The same client id again, as after a reset: the first connection is still open.
    let mut again = TestBoard::connect(hub.address, "board-b1", "b1");
    publish_until_acked(&mut again, BACKLOG + 1);
    again.wait_for([BACKLOG + 1]);
    drop(board);
    hub.stop();
    assert_eq!(stored_seqs(&store).len() as u64, BACKLOG + 1);
}

#[test]
fn a_restarted_hub_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("hub.sqlite");
    let first = Running::start(&store, "127.0.0.1:0");
    let address = first.address;
    let mut board = TestBoard::connect(address, "board-b1", "b1");
    publish_until_acked(&mut board, 1);
    first.stop();
    drop(board);
    let second = Running::start(&store, &address.to_string());
    let mut board = TestBoard::connect(address, "board-b1", "b1");
    publish_until_acked(&mut board, 1);
    publish_until_acked(&mut board, 2);
    let hub = second.stop();
    assert_eq!(stored_seqs(&store), [1, 2]);
    assert_eq!(hub.core().counters().stored, 1);
}

#[test]
fn clients_that_vanish_at_every_stage_leave_the_broker_serving() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let hub = Running::start(&folder.path().join("hub.sqlite"), "127.0.0.1:0");
    // An MQTT 5 CONNECT of client "x", whole and cut at every length; closed at once, answered by a reset.
    let connect = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x05\x00\x00\x01x";
    for _ in 0..5 {
        for length in 0..=connect.len() {
            let mut stream = std::net::TcpStream::connect(hub.address).unwrap();
            stream.write_all(&connect[..length]).unwrap();
        }
        // A client id that brokers have stumbled over.
        let mut stream = std::net::TcpStream::connect(hub.address).unwrap();
        stream.write_all(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x05\x00\x00\x03a/#").unwrap();
    }
    let mut board = TestBoard::connect(hub.address, "x", "b1");
    publish_until_acked(&mut board, 1);
    hub.stop();
}
