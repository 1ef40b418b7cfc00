//! One MQTT connection: a fresh client, a thread that reads its events, and nothing remembered afterwards.
//!
//! `rumqttc` serves as a pipe only. It drops accepted publishes when a broker has forgotten the session and has open
//! defects after session loss, so a broken connection is thrown away whole and the outbox publishes again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;

use alarm_proto::CameraId;
use mqtt_tls::Pipe;
use rumqttc::Transport;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Filter, LastWill, Packet, SubscribeReasonCode};
use rumqttc::v5::{Client, Connection, Event, MqttOptions};

use crate::config::Network;

/// Largest packet taken from the broker, bytes; an Ack is far smaller.
const MAX_PACKET_BYTES: u32 = 4_096;
const CONNECT_TIMEOUT_S: u64 = 5;

/// What the link's thread reacts to.
pub(super) enum LinkEvent {
    /// A record was raised.
    Wake,
    /// The program ends.
    Stop,
    /// A command was answered.
    Reply(Vec<u8>),
    /// A picture of a camera, which a command asked for.
    Snapshot(CameraId, Vec<u8>),
    /// Something happened on connection number `generation`.
    Session { generation: u64, event: SessionEvent },
}

/// What happened on a connection.
pub(super) enum SessionEvent {
    Connected(Offer),
    /// A subscription was answered, in the order in which they were made.
    Subscribed {
        is_refused: bool,
    },
    Received {
        topic: Vec<u8>,
        payload: Vec<u8>,
        /// It was said before this connection.
        is_retained: bool,
    },
    /// A publish was taken by the broker: there is room for more. No sign of durability.
    Progress,
    Down(String),
}

/// What a broker takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    /// Largest packet, bytes; `None`: any.
    pub packet_limit: Option<u32>,
    /// Whether it keeps retained messages.
    pub retains: bool,
}

impl Offer {
    fn of(ack: &ConnAck) -> Self {
        let properties = ack.properties.as_ref();
        Self {
            packet_limit: properties.and_then(|properties| properties.max_packet_size),
            retains: properties.and_then(|properties| properties.retain_available) != Some(0),
        }
    }
}

/// Handle of one connection.
pub(super) struct Session {
    client: Client,
    pub(super) generation: u64,
}

impl Session {
    /// Starts connecting; what follows arrives as events on `events`.
    pub(super) fn start(
        network: &Network,
        client_id: &str,
        will: Option<LastWill>,
        generation: u64,
        events: SyncSender<LinkEvent>,
    ) -> Result<Self, String> {
        let pipe = network.tls.as_ref().map(|tls| Pipe::open(tls, network.bare_host(), network.port));
        let pipe = pipe.transpose().map_err(|e| e.to_string())?;
        let mut options = options(network, pipe.as_ref(), client_id);
        if let Some(will) = will {
            options.set_last_will(will);
        }
        let queue = network.window * 2 + 32;
        let built = catch_unwind(AssertUnwindSafe(|| Client::new(options, queue)));
        let (client, connection) = built.map_err(|_| "the MQTT client cannot start".to_owned())?;
        let reader = Reader { events, generation, pipe };
        std::thread::Builder::new()
            .name(format!("mqtt-{generation}"))
            .spawn(move || reader.run(connection))
            .map_err(|e| format!("no thread for the MQTT connection: {e}"))?;
        Ok(Self { client, generation })
    }

    pub(super) fn subscribe(&self, topic: &str) -> Result<(), String> {
        self.client.try_subscribe(topic, QoS::AtLeastOnce).map_err(|e| e.to_string())
    }

    /// The same, and what is retained says so however it comes.
    pub(super) fn subscribe_as_published(&self, topic: &str) -> Result<(), String> {
        let filter = Filter { preserve_retain: true, ..Filter::new(topic, QoS::AtLeastOnce) };
        self.client.try_subscribe_many([filter]).map_err(|e| e.to_string())
    }

    /// Hands a record to the connection; false when its queue is full.
    pub(super) fn publish(&self, topic: &str, frame: &[u8]) -> bool {
        self.client.try_publish(topic, QoS::AtLeastOnce, false, frame.to_vec()).is_ok()
    }

    /// Hands over something that is worthless when late.
    pub(super) fn publish_once(&self, topic: &str, frame: &[u8]) -> bool {
        self.client.try_publish(topic, QoS::AtMostOnce, false, frame.to_vec()).is_ok()
    }

    /// Hands over something for people; false when the queue is full.
    pub(super) fn tell(&self, topic: &str, payload: Vec<u8>, retain: bool) -> bool {
        self.client.try_publish(topic, QoS::AtLeastOnce, retain, payload).is_ok()
    }

    pub(super) fn disconnect(&self) {
        // A full queue or a dead connection ends by itself.
        let _ = self.client.try_disconnect();
    }
}

fn options(network: &Network, pipe: Option<&Pipe>, client_id: &str) -> MqttOptions {
    let host = pipe.map_or(network.host.as_str(), Pipe::address);
    let mut options = MqttOptions::new(client_id, host, network.port);
    if pipe.is_some() {
        options.set_transport(Transport::Unix);
    }
    options.set_keep_alive(std::time::Duration::from_secs(network.keep_alive_s.into()));
    options.set_clean_start(true);
    options.set_max_packet_size(Some(MAX_PACKET_BYTES));
    options.set_connection_timeout(CONNECT_TIMEOUT_S);
    options.set_outgoing_inflight_upper_limit(u16::try_from(network.window).unwrap_or(u16::MAX));
    let mut sockets = options.network_options();
    sockets.set_tcp_nodelay(true);
    options.set_network_options(sockets);
    if let Some(credentials) = &network.credentials {
        options.set_credentials(credentials.username.clone(), credentials.password.clone());
    }
    options
}

/// Reports the end of the connection however it comes, a panic inside the client included.
struct Reader {
    events: SyncSender<LinkEvent>,
    generation: u64,
    /// Where there is TLS.
    pipe: Option<Pipe>,
}

impl Reader {
    fn run(&self, mut connection: Connection) {
        let reason = match self.pipe.as_ref().map_or(Ok(()), Pipe::ready) {
            Ok(()) => self.read_all(&mut connection),
            Err(reason) => reason,
        };
        self.send(SessionEvent::Down(reason));
    }

    /// Reads to the end, whose reason it gives: that of TLS, which the client knows nothing of, if there is one.
    fn read_all(&self, connection: &mut Connection) -> String {
        let reason = catch_unwind(AssertUnwindSafe(|| self.read(connection)))
            .unwrap_or_else(|_| "the MQTT client failed inside".to_owned());
        self.pipe.as_ref().and_then(Pipe::reason).unwrap_or(reason)
    }

    fn read(&self, connection: &mut Connection) -> String {
        loop {
            let event = match connection.recv() {
                Ok(Ok(Event::Incoming(packet))) => event_of(packet),
                Ok(Ok(Event::Outgoing(_))) => None,
                Ok(Err(e)) => return e.to_string(),
                Err(_) => return "closed".to_owned(),
            };
            if let Some(event) = event
                && !self.send(event)
            {
                return "the program ends".to_owned();
            }
        }
    }

    fn send(&self, event: SessionEvent) -> bool {
        self.events.send(LinkEvent::Session { generation: self.generation, event }).is_ok()
    }
}

fn event_of(packet: Packet) -> Option<SessionEvent> {
    match packet {
        Packet::ConnAck(ack) => Some(SessionEvent::Connected(Offer::of(&ack))),
        Packet::SubAck(ack) => {
            let is_granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
            Some(SessionEvent::Subscribed { is_refused: !ack.return_codes.iter().all(is_granted) })
        }
        Packet::Publish(publish) => Some(SessionEvent::Received {
            topic: publish.topic.to_vec(),
            payload: publish.payload.to_vec(),
            is_retained: publish.retain,
        }),
        Packet::PubAck(_) => Some(SessionEvent::Progress),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttc::v5::mqttbytes::v5::SubAck;

    #[test]
    fn a_subscription_that_is_not_granted_is_refused() {
        for (code, refused) in [
            (SubscribeReasonCode::Success(QoS::AtLeastOnce), false),
            (SubscribeReasonCode::NotAuthorized, true),
            (SubscribeReasonCode::TopicFilterInvalid, true),
        ] {
            let ack = SubAck { pkid: 1, return_codes: vec![code], properties: None };
            let event = event_of(Packet::SubAck(ack));
            assert!(matches!(event, Some(SessionEvent::Subscribed { is_refused }) if is_refused == refused));
        }
    }
}
