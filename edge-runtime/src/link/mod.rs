//! The link to the hub: takes undelivered records from the desk, publishes them over MQTT 5 and removes them when the
//! hub's own Ack arrives, never on a broker's PUBACK.
//!
//! One thread runs the control loop, a second one per connection reads events. A broken connection is replaced by a
//! fresh one, and everything without an Ack is published again; the hub drops duplicates by (board, boot, seq).

mod commands;
mod delays;
mod session;
mod stats;
mod voice;
mod window;
mod worker;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use alarm_proto::{BoardId, Message, SiteId};

use crate::clock::Clock;
use crate::config::Network;
use crate::desk::AlarmDesk;
use crate::health::Health;
use crate::told::Voice;
use commands::CommandDesk;
use session::LinkEvent;
use voice::{ReviewQueue, Speaker};
use window::SendWindow;
use worker::{Topics, Worker};

pub use delays::DelayFigures;
pub use stats::LinkStats;

const EVENT_QUEUE: usize = 1_024;

/// Who is speaking: everything that identity and topics are made of.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Site.
    pub site: SiteId,
    /// Board.
    pub board: BoardId,
    /// First bytes of the bundle's hash; zero without a model.
    pub model: [u8; 8],
}

/// A running link.
pub struct Link {
    events: SyncSender<LinkEvent>,
    thread: JoinHandle<()>,
    stats: Arc<LinkStats>,
    desk: Arc<AlarmDesk>,
}

impl Link {
    /// Starts the link's thread. With a `voice` it tells people of the board too; a drill, which watches nothing, has none.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        network: &Network,
        identity: Identity,
        desk: Arc<AlarmDesk>,
        health: Arc<Health>,
        clock: Arc<dyn Clock>,
        voice: Option<&Voice>,
    ) -> std::io::Result<Self> {
        let (events, inbox) = sync_channel(EVENT_QUEUE);
        let stats = Arc::new(LinkStats::default());
        let waker = events.clone();
        // A full queue holds something that wakes the loop anyway.
        let queue = voice.map(|_| Arc::new(ReviewQueue::default()));
        let to_tell = queue.clone();
        desk.on_raised(Box::new(move |message| {
            if let (Some(queue), Message::Alarm(alarm)) = (&to_tell, message) {
                queue.push(alarm);
            }
            drop(waker.try_send(LinkEvent::Wake));
        }));
        let speaker = voice
            .zip(queue)
            .map(|(voice, queue)| Speaker::new(network, &identity, desk.boot(), voice, queue));
        let commands = voice.zip(network.commands.as_ref()).map(|(voice, commands)| {
            let who = (&network.prefix, &identity);
            CommandDesk::start(commands, who, &voice.orders, &clock, events.clone())
        });
        let commands = commands.transpose()?;
        let topics = Topics::new(&network.prefix, &identity);
        let worker = Worker {
            window: SendWindow::new(network.window, network.resend_after_ms),
            network: network.clone(),
            identity,
            topics,
            desk: Arc::clone(&desk),
            health,
            clock,
            stats: Arc::clone(&stats),
            events: events.clone(),
            inbox,
            generation: 0,
            next_heartbeat_ms: 0,
            speaker,
            commands,
            is_will_refused: false,
            answered_subscriptions: 0,
        };
        let thread = std::thread::Builder::new().name("link".to_owned()).spawn(move || worker.run())?;
        Ok(Self { events, thread, stats, desk })
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> &Arc<LinkStats> {
        &self.stats
    }

    /// Waits until every record is delivered, at most `wait_ms`, or until `stop` says so; returns how many are left.
    pub fn drain(&self, clock: &dyn Clock, wait_ms: u64, stop: &dyn Fn() -> bool) -> u64 {
        let until_ms = clock.monotonic_ms().saturating_add(wait_ms);
        loop {
            let left = self.desk.depth();
            if left == 0 || clock.monotonic_ms() >= until_ms || stop() {
                return left;
            }
            clock.sleep_ms(10);
        }
    }

    /// Disconnects and ends the thread.
    pub fn stop(self) {
        let _ = self.events.send(LinkEvent::Stop);
        let _ = self.thread.join();
    }
}
