//! The hub as an ordinary MQTT 5 client: one code path for the embedded and for an external broker.
//!
//! The client library is used as a pipe only. Every connection gets a fresh event loop, a clean session and its own
//! subscriptions; nothing is carried over, because boards publish again whatever was not acknowledged.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use alarm_proto::topics::{self, Channel, Prefix, Topic};
use alarm_proto::{Ack, EncodeError, MAX_FRAME_LEN, Message, SiteId};
use mqtt_tls::{Pipe, Tls};
use rumqttc::Transport;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use tokio::sync::watch;

use crate::error::HubError;
use crate::ingest::RawMessage;
use crate::url::BrokerUrl;

/// Messages between the network and the store. When it is full the connection stops reading and the broker queues.
const INBOUND_LEN: usize = 2_048;
/// Batches of acknowledgements between the store and the network; beyond it they are dropped and boards ask again.
const ACK_BATCHES: usize = 256;
/// Requests inside the client library.
const CLIENT_QUEUE_LEN: usize = 512;
/// Unacknowledged publishes of ours.
const MAX_INFLIGHT: u16 = 256;
/// Largest packet taken from a broker, in bytes; a v5 broker withholds larger ones.
const MAX_PACKET_LEN: u32 = 16 * 1_024;
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const RECONNECT_MIN: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(5);

/// What comes from the network.
#[derive(Debug)]
pub enum Inbound {
    /// Connected and subscribed.
    Up,
    /// The connection ended; another is tried.
    Down(String),
    /// A board's message.
    Message(RawMessage),
}

/// An acknowledgement ready to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckMessage {
    /// Topic of the board that waits for it.
    pub topic: String,
    /// Encoded [`Ack`].
    pub frame: Vec<u8>,
}

impl AckMessage {
    /// Encodes `ack` for its board's topic.
    ///
    /// # Errors
    /// The encoder's reason; it has none for a valid acknowledgement.
    pub fn new(prefix: &Prefix, site: &SiteId, ack: &Ack) -> Result<Self, EncodeError> {
        let topic = Topic {
            prefix: prefix.clone(),
            site: site.clone(),
            board: ack.board.clone(),
            channel: Channel::Ack,
        };
        let mut buffer = [0; MAX_FRAME_LEN];
        let frame = alarm_proto::encode(&Message::Ack(ack.clone()), &mut buffer)?;
        Ok(Self { topic: topic.to_string(), frame: frame.to_vec() })
    }
}

/// The subscriptions that cover every board.
pub fn filters(prefix: &Prefix) -> [String; 2] {
    [Channel::Alarm, Channel::Heartbeat]
        .map(|channel| topics::filter(prefix, None, channel).as_str().to_owned())
}

/// Where to connect and what to listen for.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// The broker.
    pub broker: BrokerUrl,
    /// What TLS to it trusts and shows; `None`: no TLS.
    pub tls: Option<Tls>,
    /// Topic prefix.
    pub prefix: Prefix,
}

/// The connection, in a thread of its own; it ends when dropped.
#[derive(Debug)]
pub struct Link {
    inbound: flume::Receiver<Inbound>,
    acks: flume::Sender<Vec<AckMessage>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts connecting, and goes on for ever.
    ///
    /// # Errors
    /// When the system refuses randomness, a thread or a runtime.
    pub fn start(config: LinkConfig) -> Result<Self, HubError> {
        let client_id = client_id()?;
        let (inbound_tx, inbound) = flume::bounded(INBOUND_LEN);
        let (acks, ack_rx) = flume::bounded(ACK_BATCHES);
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| refused("a runtime", &error))?;
        let worker = Worker { config, client_id, inbound: inbound_tx, acks: ack_rx };
        let thread = std::thread::Builder::new()
            .name("mqtt-link".to_owned())
            .spawn(move || runtime.block_on(worker.run(stopped)))
            .map_err(|error| refused("a thread", &error))?;
        Ok(Self { inbound, acks, stop, thread: Some(thread) })
    }

    /// What arrives.
    pub fn inbound(&self) -> &flume::Receiver<Inbound> {
        &self.inbound
    }

    /// Queues acknowledgements; `false` when they were dropped because the network is behind. Never waits: the store's
    /// thread must go on emptying the inbound queue, or both would wait for each other.
    pub fn acknowledge(&self, acks: Vec<AckMessage>) -> bool {
        self.acks.try_send(acks).is_ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // Unblocks a worker that waits for room in the queue.
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            drop(self.inbound.recv_timeout(Duration::from_millis(10)));
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn refused(what: &'static str, reason: &dyn std::fmt::Display) -> HubError {
    HubError::System { what, reason: reason.to_string() }
}

/// Random, so that no other client can take the hub's place by knowing its name.
fn client_id() -> Result<String, HubError> {
    let random = getrandom::u64().map_err(|error| refused("random numbers", &error))?;
    Ok(format!("watchpost-hub-{random:016x}"))
}

struct Worker {
    config: LinkConfig,
    client_id: String,
    inbound: flume::Sender<Inbound>,
    acks: flume::Receiver<Vec<AckMessage>>,
}

/// Why a session ended.
enum End {
    /// Nobody listens any more.
    Stopped,
    /// The connection failed; whether it had been up.
    Failed { reason: String, was_up: bool },
}

impl Worker {
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let worker = Arc::new(self);
        let mut pause = RECONNECT_MIN;
        loop {
            // A task of its own: a panic inside the client library ends one session, not the hub.
            let here = Arc::clone(&worker);
            let mut session = tokio::spawn(async move { here.session().await });
            let end = tokio::select! {
                end = &mut session => end.unwrap_or_else(|error| End::Failed { reason: format!("the MQTT client failed inside: {error}"), was_up: false }),
                _ = stopped.wait_for(|stop| *stop) => {
                    session.abort();
                    return;
                }
            };
            let End::Failed { reason, was_up } = end else { return };
            if worker.inbound.send_async(Inbound::Down(reason)).await.is_err() {
                return;
            }
            pause = if was_up { RECONNECT_MIN } else { (pause * 2).min(RECONNECT_MAX) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One connection from its first packet to its end.
    async fn session(&self) -> End {
        let pipe = match self.pipe().await {
            Ok(pipe) => pipe,
            Err(reason) => return End::Failed { reason, was_up: false },
        };
        let options = self.options(pipe.as_ref().map(Pipe::address));
        let (client, mut event_loop) = AsyncClient::new(options, CLIENT_QUEUE_LEN);
        let (up, is_up) = watch::channel(false);
        // Both run in this task and end together: polling the event loop must never be cancelled half-way.
        let end = tokio::select! {
            end = self.receive(&client, &mut event_loop, &up) => end,
            end = self.send(&client, is_up.clone()) => end,
        };
        match end {
            Ok(()) => End::Stopped,
            Err(reason) => {
                let reason = pipe.as_ref().and_then(Pipe::reason).unwrap_or(reason);
                End::Failed { reason, was_up: *is_up.borrow() }
            }
        }
    }

    /// TLS, with its handshake done, where there is TLS.
    async fn pipe(&self) -> Result<Option<Pipe>, String> {
        let Some(tls) = &self.config.tls else {
            return Ok(None);
        };
        let broker = &self.config.broker;
        let pipe = Pipe::open(tls, &broker.host, broker.port).map_err(|error| error.to_string())?;
        let waited = tokio::task::spawn_blocking(move || pipe.ready().map(|()| pipe)).await;
        waited.map_err(|error| format!("TLS failed inside: {error}"))?.map(Some)
    }

    async fn receive(
        &self,
        client: &AsyncClient,
        event_loop: &mut EventLoop,
        up: &watch::Sender<bool>,
    ) -> Result<(), String> {
        loop {
            let message = match event_loop.poll().await.map_err(|error| describe(&error))? {
                Event::Incoming(Packet::ConnAck(_)) => {
                    let filters =
                        filters(&self.config.prefix).map(|filter| Filter::new(filter, QoS::AtLeastOnce));
                    client.try_subscribe_many(filters).map_err(|error| error.to_string())?;
                    continue;
                }
                Event::Incoming(Packet::SubAck(ack)) => {
                    check_subscribed(&ack)?;
                    up.send_replace(true);
                    Inbound::Up
                }
                Event::Incoming(Packet::Publish(publish)) => Inbound::Message(raw(publish)),
                Event::Incoming(Packet::Disconnect(packet)) => {
                    return Err(format!("the broker ended the connection: {:?}", packet.reason_code));
                }
                _ => continue,
            };
            if self.inbound.send_async(message).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Publishes acknowledgements, but none before the subscriptions stand.
    async fn send(&self, client: &AsyncClient, mut is_up: watch::Receiver<bool>) -> Result<(), String> {
        if is_up.wait_for(|up| *up).await.is_err() {
            return Ok(());
        }
        while let Ok(batch) = self.acks.recv_async().await {
            for ack in batch {
                client
                    .publish(ack.topic, QoS::AtLeastOnce, false, ack.frame)
                    .await
                    .map_err(|error| format!("cannot send an acknowledgement: {error}"))?;
            }
        }
        Ok(())
    }

    fn options(&self, pipe: Option<&str>) -> MqttOptions {
        let broker = &self.config.broker;
        // The library joins host and port with a colon.
        let host = if broker.host.contains(':') { format!("[{}]", broker.host) } else { broker.host.clone() };
        let mut options = MqttOptions::new(&self.client_id, pipe.unwrap_or(&host), broker.port);
        if pipe.is_some() {
            options.set_transport(Transport::Unix);
        }
        let mut sockets = options.network_options();
        sockets.set_tcp_nodelay(true);
        options
            .set_network_options(sockets)
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_start(true)
            .set_session_expiry_interval(Some(0))
            .set_max_packet_size(Some(MAX_PACKET_LEN))
            .set_outgoing_inflight_upper_limit(MAX_INFLIGHT);
        options
    }
}

fn raw(publish: Publish) -> RawMessage {
    RawMessage { topic: publish.topic.to_vec(), payload: publish.payload.to_vec() }
}

fn check_subscribed(ack: &SubAck) -> Result<(), String> {
    match ack.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_))) {
        None => Ok(()),
        Some(code) => Err(format!(
            "the broker refused the hub's subscriptions: {code:?}; allow them in its access list"
        )),
    }
}

fn describe(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(code) => format!("the broker refused the hub: {code:?}"),
        ConnectionError::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}
