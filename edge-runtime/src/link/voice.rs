//! What the link says beside records: presence, the board's state, reviews, and the message of discovery.
//!
//! # Invariants
//! - Records go first: nothing is said while one that is due waits for room.
//! - Bounded: [`MAX_REVIEWS`] reviews wait, of the state only the latest is told, at most once a second.
//! - What is larger than the broker takes is left out; it must not cost the connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use alarm_proto::topics::{Plain, plain};
use alarm_proto::{Alarm, BootId};
use serde::Serialize;

use super::Identity;
use super::session::{Offer, Session};
use crate::command::Trust;
use crate::config::Network;
use crate::health::lock;
use crate::told::{CommandTopics, DiscoveryTopics, Reviews, StateTold, Voice, discovery};

/// Alarms that wait to be told; beyond it the oldest goes.
const MAX_REVIEWS: usize = 64;
/// Most reviews at once: an alarm's record may have to wait behind them.
const REVIEWS_AT_ONCE: usize = 8;
/// The state is told at least this often.
const STATE_EVERY_MS: u64 = 60_000;
/// What is news is told at most this often.
const NEWS_EVERY_MS: u64 = 1_000;
/// A score that changed, at most this often.
const SCORES_EVERY_MS: u64 = 10_000;
/// Before what found no room is tried again.
const RETRY_MS: u64 = 20;
/// Fixed header, length of the topic, packet number, properties.
const PACKET_OVERHEAD: usize = 16;

pub(super) const ONLINE: &[u8] = b"online";
pub(super) const OFFLINE: &[u8] = b"offline";

/// Alarms on their way to being told, pushed by whoever raises them.
#[derive(Debug, Default)]
pub(super) struct ReviewQueue(Mutex<VecDeque<Alarm>>);

impl ReviewQueue {
    pub(super) fn push(&self, alarm: &Alarm) {
        let mut queue = lock(&self.0);
        if queue.len() >= MAX_REVIEWS {
            queue.pop_front();
        }
        queue.push_back(alarm.clone());
    }

    fn first(&self) -> Option<Alarm> {
        lock(&self.0).front().cloned()
    }

    /// Removes `alarm`, unless it was pushed out meanwhile.
    fn told(&self, alarm: &Alarm) {
        let mut queue = lock(&self.0);
        if queue.front().is_some_and(|first| first.id == alarm.id) {
            queue.pop_front();
        }
    }

    fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }
}

/// Topics of the voice.
#[derive(Debug)]
struct PlainTopics {
    available: String,
    state: String,
    reviews: String,
}

/// See the module's documentation.
pub(super) struct Speaker {
    topics: PlainTopics,
    queue: Arc<ReviewQueue>,
    reviews: Reviews,
    /// Topic and payload.
    discovery: Option<(String, Vec<u8>)>,
    /// Largest packet that the broker takes, bytes.
    packet_limit: usize,
    /// Whether the broker keeps retained messages; sent to one that does not, they would end the connection.
    retains: bool,
    /// Not yet said on this connection.
    owes_greeting: bool,
    /// What was told last, and when; `None` on a new connection.
    told: Option<(StateTold, u64)>,
    /// The latest picture that was asked for, with its topic.
    picture: Option<(String, Vec<u8>)>,
    /// When there may be something to say.
    next_ms: u64,
    has_warned: bool,
}

/// Whether it went out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Yes,
    NoRoom,
}

impl Speaker {
    pub(super) fn new(
        network: &Network,
        identity: &Identity,
        boot: BootId,
        voice: &Voice,
        queue: Arc<ReviewQueue>,
    ) -> Self {
        let topic =
            |channel| plain(&network.prefix, &identity.site, &identity.board, channel).as_str().to_owned();
        let topics = PlainTopics {
            available: topic(Plain::Available),
            state: topic(Plain::State),
            reviews: topic(Plain::Reviews),
        };
        // A switch cannot compute a code: it is for boards that trust the broker.
        let commands = network.commands.as_ref().filter(|commands| matches!(commands.trust, Trust::Broker));
        let commanded = commands.map(|_| (topic(Plain::Command), topic(Plain::Snapshot)));
        let discovery = network.home_assistant.as_ref().map(|ha_prefix| {
            let for_discovery = DiscoveryTopics {
                available: &topics.available,
                state: &topics.state,
                command: commanded.as_ref().map(|(command, snapshot)| CommandTopics { command, snapshot }),
            };
            let who = (&identity.site, &identity.board);
            let (topic, payload) = discovery(ha_prefix, who, &voice.cameras, for_discovery);
            (topic, payload.to_string().into_bytes())
        });
        Self {
            topics,
            queue,
            reviews: Reviews::new(identity.site.clone(), boot, voice.keeps_evidence),
            discovery,
            packet_limit: usize::MAX,
            retains: true,
            owes_greeting: true,
            told: None,
            picture: None,
            next_ms: 0,
            has_warned: false,
        }
    }

    /// Topic of presence, which is also that of the will.
    pub(super) fn available_topic(&self) -> &str {
        &self.topics.available
    }

    /// A connection came up.
    pub(super) fn connected(&mut self, offer: Offer) {
        self.retains = offer.retains;
        self.packet_limit =
            offer.packet_limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        self.owes_greeting = true;
        self.told = None;
        self.picture = None;
        self.next_ms = 0;
        self.has_warned = false;
    }

    /// When it wants to speak next, monotonic milliseconds.
    pub(super) fn next_ms(&self) -> u64 {
        self.next_ms
    }

    /// Says what is due. `state` is asked for at most once.
    pub(super) fn speak(&mut self, session: &Session, now_ms: u64, state: impl FnOnce() -> StateTold) {
        let said = self.greet(session).and_then(|()| self.review(session));
        if said.is_none() {
            self.next_ms = now_ms + RETRY_MS;
            return;
        }
        self.next_ms = now_ms + NEWS_EVERY_MS;
        if !self.queue.is_empty() {
            self.next_ms = now_ms + RETRY_MS;
        }
        if let Some((topic, jpeg)) = self.picture.take()
            && self.fits(&topic, jpeg.len())
            && !session.publish_once(&topic, &jpeg)
        {
            self.picture = Some((topic, jpeg));
            self.next_ms = now_ms + RETRY_MS;
            return;
        }
        let at_ms = self.told.as_ref().map(|(_, at_ms)| *at_ms);
        if at_ms.is_some_and(|at_ms| now_ms < at_ms + NEWS_EVERY_MS) {
            return;
        }
        let state = state();
        if self.is_news(&state, now_ms) {
            let topic = self.topics.state.clone();
            match self.say(session, &topic, &state, true) {
                Said::Yes => self.told = Some((state, now_ms)),
                Said::NoRoom => self.next_ms = now_ms + RETRY_MS,
            }
        }
    }

    /// Says that the board goes, for good.
    pub(super) fn take_leave(&self, session: &Session) {
        session.tell(&self.topics.available, OFFLINE.to_vec(), self.retains);
    }

    /// Presence and discovery, once per connection; `None` where there is no room.
    fn greet(&mut self, session: &Session) -> Option<()> {
        if !self.owes_greeting {
            return Some(());
        }
        if let Some((topic, payload)) = self.discovery.clone()
            && self.fits(&topic, payload.len())
            && !session.tell(&topic, payload, self.retains)
        {
            return None;
        }
        if !session.tell(&self.topics.available, ONLINE.to_vec(), self.retains) {
            return None;
        }
        self.owes_greeting = false;
        Some(())
    }

    fn review(&mut self, session: &Session) -> Option<()> {
        for _ in 0..REVIEWS_AT_ONCE {
            let Some(alarm) = self.queue.first() else {
                break;
            };
            let mut followed = self.reviews.clone();
            if let Some(message) = followed.follow(&alarm) {
                let topic = self.topics.reviews.clone();
                if self.say(session, &topic, &message, false) == Said::NoRoom {
                    return None;
                }
            }
            self.reviews = followed;
            self.queue.told(&alarm);
        }
        Some(())
    }

    fn is_news(&self, state: &StateTold, now_ms: u64) -> bool {
        let Some((told, at_ms)) = &self.told else {
            return true;
        };
        let age_ms = now_ms.saturating_sub(*at_ms);
        let has_scores = || StateTold { uptime_s: told.uptime_s, ..state.clone() } != *told;
        age_ms >= STATE_EVERY_MS
            || told.essence() != state.essence()
            || age_ms >= SCORES_EVERY_MS && has_scores()
    }

    fn say(&mut self, session: &Session, topic: &str, what: &impl Serialize, retain: bool) -> Said {
        let payload = match serde_json::to_vec(what) {
            Ok(payload) => payload,
            Err(e) => {
                tracing::error!(error = %e, topic, "not told");
                return Said::Yes;
            }
        };
        if !self.fits(topic, payload.len()) || session.tell(topic, payload, retain && self.retains) {
            return Said::Yes;
        }
        Said::NoRoom
    }

    /// Keeps a picture to be said when no record is due.
    pub fn show(&mut self, topic: String, jpeg: Vec<u8>) {
        self.picture = Some((topic, jpeg));
        self.next_ms = 0;
    }

    /// Answers a command. One that finds no room is lost; the state shows what holds.
    pub fn reply(&mut self, session: &Session, topic: &str, payload: Vec<u8>) {
        if self.fits(topic, payload.len()) {
            session.tell(topic, payload, false);
        }
    }

    /// Whether the broker takes it; warns once per connection where it does not.
    fn fits(&mut self, topic: &str, payload_len: usize) -> bool {
        let fits = payload_len + topic.len() + PACKET_OVERHEAD <= self.packet_limit;
        if !fits && !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                topic,
                bytes = payload_len,
                limit = self.packet_limit,
                "larger than the broker takes; not told"
            );
        }
        fits
    }
}
