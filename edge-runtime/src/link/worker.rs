//! The control loop of the link: one connection after another, and what is handed to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use alarm_proto::topics::{Channel, Prefix, Topic};
use alarm_proto::{BootId, Heartbeat, Message};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::LastWill;

use super::Identity;
use super::commands::CommandDesk;
use super::session::{LinkEvent, Session, SessionEvent};
use super::stats::{LinkStats, count};
use super::voice::{OFFLINE, Speaker};
use super::window::SendWindow;
use crate::clock::Clock;
use crate::config::Network;
use crate::desk::{AlarmDesk, Shelf};
use crate::health::{Health, lock};
use crate::told::StateTold;

const ACK_BATCH: usize = 256;
const RECONNECT_FIRST_MS: u64 = 200;
const RECONNECT_MOST_MS: u64 = 5_000;
/// A broker that never answers the subscription still gets the alarms after this time.
const SUBSCRIBE_PATIENCE_MS: u64 = 5_000;
/// The loop looks around at least this often.
const IDLE_MS: u64 = 1_000;
/// Wait before offering a record again to a full queue.
const QUEUE_FULL_MS: u64 = 20;
const REMOVE_FAILED: &str = "the outbox cannot remove delivered alarms";
const READ_FAILED: &str = "the outbox cannot be read";
const ACKS_REFUSED: &str = "the broker refuses the subscription to the hub's Acks, so alarms stay in the outbox: allow it in the broker's access list";
const COMMANDS_REFUSED: &str =
    "the broker refuses the subscription to commands, so none arrives: allow it in the broker's access list";
/// How the client begins what it says of a broker that refuses.
const REFUSED: &str = "Connection refused, return code";
const DISCONNECT_GRACE_MS: u64 = 500;

#[derive(Debug)]
pub(super) struct Topics {
    alarm: String,
    ack: String,
    heartbeat: String,
}

impl Topics {
    pub fn new(prefix: &Prefix, identity: &Identity) -> Self {
        let topic = |channel| {
            let (site, board) = (identity.site.clone(), identity.board.clone());
            Topic { prefix: prefix.clone(), site, board, channel }.to_string()
        };
        Self { alarm: topic(Channel::Alarm), ack: topic(Channel::Ack), heartbeat: topic(Channel::Heartbeat) }
    }
}

pub(super) struct Worker {
    pub network: Network,
    pub identity: Identity,
    pub topics: Topics,
    pub window: SendWindow,
    pub desk: Arc<AlarmDesk>,
    pub health: Arc<Health>,
    pub clock: Arc<dyn Clock>,
    pub stats: Arc<LinkStats>,
    pub events: SyncSender<LinkEvent>,
    pub inbox: Receiver<LinkEvent>,
    pub generation: u64,
    pub next_heartbeat_ms: u64,
    /// Of a board that watches.
    pub speaker: Option<Speaker>,
    /// Of a board that takes commands.
    pub commands: Option<CommandDesk>,
    /// The latest attempt was refused with a will: the next one is made without.
    pub is_will_refused: bool,
    /// Subscriptions of this connection that were answered.
    pub answered_subscriptions: usize,
}

/// Why a connection's loop ended.
enum End {
    Stop,
    Down(String),
}

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    /// Subscribed is expected until this time.
    Subscribing {
        until_ms: u64,
    },
    Ready,
}

impl Worker {
    pub fn run(mut self) {
        let mut wait_ms = RECONNECT_FIRST_MS;
        loop {
            let connections = self.stats.connections();
            let reason = match self.serve() {
                End::Stop => return,
                End::Down(reason) => reason,
            };
            if self.stats.connections() > connections {
                wait_ms = RECONNECT_FIRST_MS;
            }
            tracing::warn!(broker = %self.network.host, port = self.network.port, %reason, retry_ms = wait_ms, "no connection to the broker");
            // Some brokers take no retained will. A refusal for another reason meets the next attempt too.
            self.is_will_refused = !self.is_will_refused && reason.starts_with(REFUSED);
            *lock(&self.stats.last_failure) = Some(reason);
            if self.pause(wait_ms) {
                return;
            }
            wait_ms = (wait_ms * 2).min(RECONNECT_MOST_MS);
        }
    }

    /// Waits out `ms`; true when the program ends.
    fn pause(&self, ms: u64) -> bool {
        let until_ms = self.clock.monotonic_ms() + ms;
        loop {
            let left_ms = until_ms.saturating_sub(self.clock.monotonic_ms());
            match self.inbox.recv_timeout(Duration::from_millis(left_ms)) {
                Ok(LinkEvent::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
                Ok(_) if left_ms > 0 => {}
                Ok(_) | Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    /// One connection from start to end.
    fn serve(&mut self) -> End {
        self.generation += 1;
        let client_id = format!("watchpost-{}-{}", self.identity.site.as_str(), self.identity.board.as_str());
        let session = match Session::start(
            &self.network,
            &client_id,
            self.will(),
            self.generation,
            self.events.clone(),
        ) {
            Ok(session) => session,
            Err(reason) => return End::Down(reason),
        };
        let end = self.converse(&session);
        self.stats.connected.store(false, Ordering::Relaxed);
        if let (End::Stop, Some(speaker)) = (&end, &self.speaker) {
            speaker.take_leave(&session);
        }
        session.disconnect();
        if let End::Stop = end {
            self.await_close(session.generation);
        }
        end
    }

    /// What the broker says for us when we are gone without a word.
    fn will(&self) -> Option<LastWill> {
        let topic = self.speaker.as_ref().filter(|_| !self.is_will_refused)?.available_topic();
        Some(LastWill::new(topic, OFFLINE, QoS::AtLeastOnce, true, None))
    }

    fn converse(&mut self, session: &Session) -> End {
        let mut phase = Phase::Connecting;
        let mut acks = Vec::new();
        loop {
            let first = match self.inbox.recv_timeout(Duration::from_millis(self.patience_ms(phase))) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return End::Stop,
            };
            let mut next = first;
            while let Some(event) = next {
                if let Some(end) = self.react(event, session, &mut phase, &mut acks) {
                    self.remove(&mut acks);
                    return end;
                }
                next = if acks.len() < ACK_BATCH { self.inbox.try_recv().ok() } else { None };
            }
            self.remove(&mut acks);
            if let Phase::Subscribing { until_ms } = phase
                && self.clock.monotonic_ms() >= until_ms
            {
                tracing::warn!(topic = %self.topics.ack, "the broker does not answer the subscription");
                phase = self.ready();
            }
            if phase == Phase::Ready {
                self.beat(session);
                if self.pump(session) {
                    self.speak(session);
                }
            }
        }
    }

    /// How long the loop may sleep, milliseconds.
    fn patience_ms(&self, phase: Phase) -> u64 {
        let now_ms = self.clock.monotonic_ms();
        let wake_ms = match phase {
            Phase::Connecting => now_ms + IDLE_MS,
            Phase::Subscribing { until_ms } => until_ms,
            Phase::Ready => self
                .window
                .next_due_ms()
                .unwrap_or(u64::MAX)
                .min(self.speaker.as_ref().map_or(u64::MAX, Speaker::next_ms))
                .max(now_ms + QUEUE_FULL_MS)
                .min(self.next_heartbeat_ms),
        };
        wake_ms.saturating_sub(now_ms).min(IDLE_MS)
    }

    fn react(
        &mut self,
        event: LinkEvent,
        session: &Session,
        phase: &mut Phase,
        acks: &mut Vec<(BootId, u64)>,
    ) -> Option<End> {
        let event = match event {
            LinkEvent::Stop => return Some(End::Stop),
            LinkEvent::Session { generation, event } if generation == session.generation => event,
            LinkEvent::Reply(reply) => {
                if let Some(commands) = self.commands.as_ref().filter(|_| *phase == Phase::Ready)
                    && let Some(speaker) = &mut self.speaker
                {
                    speaker.reply(session, &commands.reply_topic, reply);
                }
                return None;
            }
            LinkEvent::Snapshot(camera, jpeg) => {
                if let Some(commands) = self.commands.as_ref().filter(|_| *phase == Phase::Ready)
                    && let Some(speaker) = &mut self.speaker
                {
                    speaker.show(format!("{}/{camera}", commands.snapshot_topic), jpeg);
                }
                return None;
            }
            LinkEvent::Wake | LinkEvent::Session { .. } => return None,
        };
        match event {
            SessionEvent::Connected(offer) => {
                count(&self.stats.connections, 1);
                self.answered_subscriptions = 0;
                if let Some(speaker) = &mut self.speaker {
                    speaker.connected(offer);
                }
                if let Err(reason) = session.subscribe(&self.topics.ack) {
                    return Some(End::Down(reason));
                }
                // Answered after the other, which is waited for.
                let commands =
                    self.commands.as_ref().map_or(Ok(()), |desk| session.subscribe_as_published(&desk.topic));
                if let Err(reason) = commands {
                    return Some(End::Down(reason));
                }
                *phase = Phase::Subscribing { until_ms: self.clock.monotonic_ms() + SUBSCRIBE_PATIENCE_MS };
            }
            SessionEvent::Subscribed { is_refused } => {
                self.note_subscription(is_refused);
                if *phase != Phase::Ready {
                    *phase = self.ready();
                }
            }
            SessionEvent::Received { topic, payload, .. } if topic == self.topics.ack.as_bytes() => {
                acks.extend(self.read_ack(&payload));
            }
            SessionEvent::Received { topic, payload, is_retained } => {
                if let Some(commands) = &self.commands
                    && topic == commands.topic.as_bytes()
                {
                    commands.take(payload, is_retained);
                }
            }
            SessionEvent::Progress => {}
            SessionEvent::Down(reason) => return Some(End::Down(reason)),
        }
        None
    }

    /// Acks come first. Without them the board goes on: the hub has the alarms, and the board says what is wrong.
    fn note_subscription(&mut self, is_refused: bool) {
        let defect = if self.answered_subscriptions == 0 { ACKS_REFUSED } else { COMMANDS_REFUSED };
        self.answered_subscriptions += 1;
        if is_refused { self.health.degrade(defect) } else { self.health.restore(defect) }
    }

    fn ready(&mut self) -> Phase {
        let now_ms = self.clock.monotonic_ms();
        let status = self.desk.status(Shelf::Durable);
        self.window.begin(status.last_seq, now_ms);
        self.next_heartbeat_ms = now_ms;
        self.stats.connected.store(true, Ordering::Relaxed);
        tracing::info!(broker = %self.network.host, port = self.network.port, undelivered = status.depth, "connected");
        Phase::Ready
    }

    /// An Ack for this board, or nothing and a count.
    fn read_ack(&mut self, frame: &[u8]) -> Option<(BootId, u64)> {
        match alarm_proto::decode(frame) {
            Ok(Message::Ack(ack)) if ack.board == self.identity.board => {
                let now_ms = self.clock.monotonic_ms();
                let frame = self.window.acknowledged(ack.boot, ack.seq, now_ms);
                // Another boot's uptime says nothing here.
                if let Some(frame) = frame.filter(|_| ack.boot == self.desk.boot()) {
                    lock(&self.stats.delays).note(&frame, now_ms);
                }
                Some((ack.boot, ack.seq))
            }
            Ok(Message::Ack(_)) => {
                count(&self.stats.foreign_acks, 1);
                None
            }
            _ => {
                count(&self.stats.malformed_acks, 1);
                None
            }
        }
    }

    /// Removes what was acknowledged. If the disk refuses, the Acks are kept for the next round, a bounded number of
    /// them: the hub repeats a lost one when the record comes again.
    fn remove(&self, acks: &mut Vec<(BootId, u64)>) {
        if acks.is_empty() {
            return;
        }
        match self.desk.acknowledge(acks) {
            Ok(removed) => {
                self.health.restore(REMOVE_FAILED);
                count(&self.stats.delivered, removed as u64);
                count(&self.stats.foreign_acks, (acks.len() - removed.min(acks.len())) as u64);
                acks.clear();
            }
            Err(e) => {
                tracing::debug!(error = %e, "acknowledged alarms not removed");
                self.health.degrade(REMOVE_FAILED);
                acks.truncate(ACK_BATCH);
            }
        }
    }

    /// Hands over the records that are due; false when some found no room.
    fn pump(&mut self, session: &Session) -> bool {
        let now_ms = self.clock.monotonic_ms();
        let desk = Arc::clone(&self.desk);
        let mut fetch = |shelf, after, to, limit| {
            let status = desk.status(shelf);
            if status.depth == 0 || status.last_seq <= after {
                Ok(Vec::new())
            } else {
                desk.between(shelf, after, to, limit)
            }
        };
        match self.window.fill(now_ms, &mut fetch) {
            Ok(()) => self.health.restore(READ_FAILED),
            Err(e) => {
                tracing::debug!(error = %e, "undelivered alarms not read");
                self.health.degrade(READ_FAILED);
            }
        }
        for key in self.window.due(now_ms) {
            let Some(frame) = self.window.frame(key) else {
                continue;
            };
            if !session.publish(&self.topics.alarm, frame) {
                return false;
            }
            count(&self.stats.published, 1);
            self.window.sent(key, now_ms);
        }
        true
    }

    fn speak(&mut self, session: &Session) {
        let now_ms = self.clock.monotonic_ms();
        let (identity, desk, health) = (&self.identity, &self.desk, &self.health);
        let who = (&identity.site, &identity.board, identity.model);
        let commands = self.commands.as_ref().map(CommandDesk::told);
        if let Some(speaker) = &mut self.speaker
            && now_ms >= speaker.next_ms()
        {
            speaker.speak(session, now_ms, || {
                StateTold::of(who, desk.boot(), health, commands, desk.depth(), now_ms)
            });
        }
    }

    fn beat(&mut self, session: &Session) {
        let now_ms = self.clock.monotonic_ms();
        if now_ms < self.next_heartbeat_ms {
            return;
        }
        self.next_heartbeat_ms = now_ms + self.network.heartbeat_interval_ms;
        let mut buf = [0; alarm_proto::MAX_FRAME_LEN];
        match alarm_proto::encode(&Message::Heartbeat(self.heartbeat(now_ms)), &mut buf) {
            Ok(frame) if session.publish_once(&self.topics.heartbeat, frame) => {
                count(&self.stats.heartbeats, 1)
            }
            Ok(_) => {}
            Err(e) => tracing::error!(error = %e, "heartbeat not encoded"),
        }
    }

    fn heartbeat(&self, now_ms: u64) -> Heartbeat {
        let progress = self.health.progress(self.clock.as_ref());
        Heartbeat {
            board: self.identity.board.clone(),
            boot: self.desk.boot(),
            uptime_ms: now_ms,
            last_frame_age_ms: progress.last_frame_age_ms,
            last_score_age_ms: progress.last_score_age_ms,
            outbox_depth: u32::try_from(self.desk.depth()).unwrap_or(u32::MAX),
            last_seq: self.desk.status(Shelf::Durable).last_seq,
            model: self.identity.model,
        }
    }

    /// Gives a closing connection a moment, so that the broker sees a clean end.
    fn await_close(&self, generation: u64) {
        let until_ms = self.clock.monotonic_ms() + DISCONNECT_GRACE_MS;
        loop {
            let left_ms = until_ms.saturating_sub(self.clock.monotonic_ms());
            match self.inbox.recv_timeout(Duration::from_millis(left_ms)) {
                Ok(LinkEvent::Session { generation: g, event: SessionEvent::Down(_) }) if g == generation => {
                    return;
                }
                Ok(_) if left_ms > 0 => {}
                _ => return,
            }
        }
    }
}
