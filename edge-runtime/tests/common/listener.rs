//! An ordinary MQTT client that keeps all it hears, and may speak.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Event, MqttOptions};
use serde_json::Value;

use super::eventually;

#[derive(Debug, Clone)]
pub struct Heard {
    pub topic: String,
    pub payload: Vec<u8>,
    pub retained: bool,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).expect("JSON")
    }
}

pub struct Listener {
    heard: Arc<Mutex<Vec<Heard>>>,
    client: Client,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Listener {
    /// Subscribed to everything when it returns.
    pub fn start(port: u16) -> Self {
        static LISTENERS: AtomicU32 = AtomicU32::new(0);
        let id = format!("listener-{port}-{}", LISTENERS.fetch_add(1, Ordering::SeqCst));
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(5));
        // What is larger the broker keeps to itself, its own voice included.
        options.set_max_packet_size(Some(32_768));
        let (client, mut connection) = Client::new(options, 256);
        client.subscribe("#", QoS::AtLeastOnce).unwrap();
        let (heard, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let ready = Arc::new(AtomicBool::new(false));
        let (ear, end, is_ready) = (Arc::clone(&heard), Arc::clone(&stop), Arc::clone(&ready));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::SeqCst) {
                match connection.recv_timeout(Duration::from_millis(50)) {
                    Ok(Ok(Event::Incoming(Packet::SubAck(_)))) => is_ready.store(true, Ordering::SeqCst),
                    Ok(Ok(Event::Incoming(Packet::Publish(p)))) => ear.lock().unwrap().push(Heard {
                        topic: String::from_utf8(p.topic.to_vec()).unwrap(),
                        payload: p.payload.to_vec(),
                        retained: p.retain,
                    }),
                    _ => {}
                }
            }
        });
        let listener = Self { heard, client, stop, thread: Some(thread) };
        eventually("the listener is subscribed", || ready.load(Ordering::SeqCst));
        listener
    }

    pub fn on(&self, topic: &str) -> Vec<Heard> {
        self.heard.lock().unwrap().iter().filter(|h| h.topic == topic).cloned().collect()
    }

    /// Waits for a message on `topic` that `fits`.
    pub fn await_on(&self, what: &str, topic: &str, fits: impl Fn(&Heard) -> bool) -> Heard {
        eventually(what, || self.on(topic).iter().any(&fits));
        self.on(topic).into_iter().find(|heard| fits(heard)).unwrap()
    }

    pub fn say(&self, topic: &str, payload: impl Into<Vec<u8>>, retain: bool) {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload.into()).unwrap();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
