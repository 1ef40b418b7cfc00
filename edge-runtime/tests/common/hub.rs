//! A stand-in for the hub: collects records, deduplicates, acknowledges, and misbehaves on demand.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alarm_proto::{Ack, Gap, Heartbeat, Message, RecordId};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Event, MqttOptions};

#[derive(Default)]
pub struct Seen {
    /// How often each record arrived.
    pub copies: Mutex<HashMap<RecordId, u64>>,
    /// Records in the order of their first arrival.
    pub order: Mutex<Vec<RecordId>>,
    pub gaps: Mutex<BTreeMap<u64, Gap>>,
    pub heartbeats: Mutex<Vec<Heartbeat>>,
    /// Records arrive but are not acknowledged.
    pub deaf: AtomicBool,
    /// Every n-th Ack is sent twice, every n-th is swallowed; 0: never.
    pub unreliable_every: AtomicU64,
    stop: AtomicBool,
}

impl Seen {
    pub fn unique(&self) -> usize {
        self.order.lock().unwrap().len()
    }
}

pub struct FakeHub {
    pub seen: Arc<Seen>,
    port: u16,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl FakeHub {
    pub fn start(port: u16) -> Self {
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            while !shared.stop.load(Ordering::SeqCst) {
                serve(port, &shared);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { seen, port, thread: Some(thread) }
    }

    /// Publishes raw bytes on the board's Ack topic, as an attacker would.
    pub fn inject(&self, frames: &[Vec<u8>]) {
        let (client, mut connection) = Client::new(options("attacker", self.port), frames.len() + 8);
        for frame in frames {
            client.publish("watchpost/yard/gate-1/ack/bin", QoS::AtLeastOnce, false, frame.clone()).unwrap();
        }
        let mut acked = 0;
        for event in connection.iter().flatten() {
            acked += usize::from(matches!(event, Event::Incoming(Packet::PubAck(_))));
            if acked == frames.len() {
                return;
            }
        }
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn options(id: &str, port: u16) -> MqttOptions {
    let mut options = MqttOptions::new(format!("{id}-{port}"), "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(5));
    options
}

/// One connection of the hub.
fn serve(port: u16, seen: &Seen) {
    let (client, mut connection) = Client::new(options("hub", port), 4_096);
    while !seen.stop.load(Ordering::SeqCst) {
        match connection.recv_timeout(Duration::from_millis(50)) {
            Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                client.try_subscribe("watchpost/+/+/alarm/bin", QoS::AtLeastOnce).unwrap();
                client.try_subscribe("watchpost/+/+/heartbeat/bin", QoS::AtMostOnce).unwrap();
            }
            Ok(Ok(Event::Incoming(Packet::Publish(publish)))) => receive(&client, seen, &publish.payload),
            Ok(Ok(_)) | Err(rumqttc::v5::RecvTimeoutError::Timeout) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    let _ = client.try_disconnect();
    while let Ok(Ok(_)) = connection.recv_timeout(Duration::from_millis(50)) {}
}

fn receive(client: &Client, seen: &Seen, payload: &[u8]) {
    let message = alarm_proto::decode(payload).expect("the board sends nothing but frames");
    if let Message::Heartbeat(heartbeat) = message {
        seen.heartbeats.lock().unwrap().push(heartbeat);
        return;
    }
    let id = message.record().expect("alarms and gaps are records").clone();
    let mut copies = seen.copies.lock().unwrap();
    let count = copies.entry(id.clone()).or_insert(0);
    *count += 1;
    if *count == 1 {
        seen.order.lock().unwrap().push(id.clone());
    }
    drop(copies);
    if let Message::Gap(gap) = message {
        seen.gaps.lock().unwrap().insert(gap.id.seq, gap);
    }
    if !seen.deaf.load(Ordering::SeqCst) {
        acknowledge(client, seen, &id);
    }
}

fn acknowledge(client: &Client, seen: &Seen, id: &RecordId) {
    let every = seen.unreliable_every.load(Ordering::SeqCst);
    let copies = match every {
        0 => 1,
        n if id.seq.is_multiple_of(n) && seen.copies.lock().unwrap()[id] == 1 => 0,
        n if id.seq % n == 1 => 2,
        _ => 1,
    };
    let mut buf = [0; alarm_proto::MAX_FRAME_LEN];
    let frame = alarm_proto::encode(&Message::Ack(Ack::of(id)), &mut buf).unwrap().to_vec();
    for _ in 0..copies {
        let topic = format!("watchpost/yard/{}/ack/bin", id.board);
        // A full queue is a lost Ack, which the board must survive.
        let _ = client.try_publish(topic, QoS::AtLeastOnce, false, frame.clone());
    }
}
