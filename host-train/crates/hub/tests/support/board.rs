//! A board's side of the protocol, for tests: publishes frames, collects acknowledgements.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use alarm_proto::Message;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Connection, Event, MqttOptions};

/// How long a test waits for something that must happen; only reached on failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct TestBoard {
    pub client: Client,
    connection: Connection,
    name: String,
    pub acked: BTreeSet<u64>,
    pub acks: usize,
}

impl TestBoard {
    /// Connects under `client_id`, subscribed to the board's acknowledgements.
    pub fn connect(address: SocketAddr, client_id: &str, name: &str) -> Self {
        let mut options = MqttOptions::new(client_id, address.ip().to_string(), address.port());
        options.set_keep_alive(Duration::from_secs(5)).set_clean_start(true);
        let (client, connection) = Client::new(options, 10_000);
        let mut board = Self { client, connection, name: name.to_owned(), acked: BTreeSet::new(), acks: 0 };
        board.poll_until("the subscription", |packet| matches!(packet, Packet::SubAck(_)));
        board
    }

    pub fn publish(&self, frame: Vec<u8>) {
        let topic = format!("{}/{}/{}/alarm/bin", super::PREFIX, super::SITE, self.name);
        self.client.publish(topic, QoS::AtLeastOnce, false, frame).unwrap();
    }

    /// Works until every one of `seqs` is acknowledged.
    pub fn wait_for(&mut self, seqs: impl IntoIterator<Item = u64>) {
        let wanted: BTreeSet<u64> = seqs.into_iter().collect();
        let started = Instant::now();
        while !wanted.is_subset(&self.acked) {
            let missing = wanted.difference(&self.acked).count();
            assert!(started.elapsed() < PATIENCE, "{missing} of {} records never acknowledged", wanted.len());
            self.poll_for(Duration::from_millis(100));
        }
    }

    /// Works for a while, whatever happens.
    pub fn poll_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match self.connection.recv_timeout(left) {
                Ok(Ok(Event::Incoming(packet))) => self.note(&packet),
                Ok(Ok(Event::Outgoing(_))) => {}
                Ok(Err(_)) => std::thread::sleep(Duration::from_millis(50)),
                Err(_) => return,
            }
        }
    }

    fn poll_until(&mut self, what: &str, done: impl Fn(&Packet) -> bool) {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            match self.connection.recv_timeout(Duration::from_secs(1)) {
                Ok(Ok(Event::Incoming(packet))) => {
                    self.note(&packet);
                    if done(&packet) {
                        return;
                    }
                }
                Ok(Ok(Event::Outgoing(_))) | Err(_) => {}
                Ok(Err(_)) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        panic!("{what} never came");
    }

    fn note(&mut self, packet: &Packet) {
        if let Packet::ConnAck(_) = packet {
            // On every connection: the library forgets its requests when a connection ends.
            let topic = format!("{}/{}/{}/ack/bin", super::PREFIX, super::SITE, self.name);
            self.client.try_subscribe(topic, QoS::AtLeastOnce).unwrap();
        }
        if let Packet::Publish(publish) = packet {
            let Ok(Message::Ack(ack)) = alarm_proto::decode(&publish.payload) else {
                panic!("something else than an acknowledgement: {publish:?}");
            };
            assert_eq!(ack.board.as_str(), self.name, "another board's acknowledgement");
            self.acks += 1;
            self.acked.insert(ack.seq);
        }
    }
}
