//! Commands on their way: from the connection to the clerk's own thread, so that no command holds up a record, and its
//! answers back.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use alarm_proto::topics::{Plain, Prefix, plain};

use super::Identity;
use super::session::LinkEvent;
use crate::clock::Clock;
use crate::command::{Answer, Clerk, Trust};
use crate::config::Commands;
use crate::orders::Orders;
use crate::told::CommandsTold;

/// Commands that wait; beyond it they are dropped.
const QUEUE: usize = 16;

/// See the module's documentation.
pub(super) struct CommandDesk {
    pub topic: String,
    pub reply_topic: String,
    /// A level with the camera's name follows.
    pub snapshot_topic: String,
    trust: &'static str,
    inbox: SyncSender<Vec<u8>>,
}

impl CommandDesk {
    /// Starts the clerk's thread; it ends with the desk.
    pub fn start(
        commands: &Commands,
        (prefix, identity): (&Prefix, &Identity),
        orders: &Arc<Orders>,
        clock: &Arc<dyn Clock>,
        answers: SyncSender<LinkEvent>,
    ) -> std::io::Result<Self> {
        let topic = |channel| plain(prefix, &identity.site, &identity.board, channel).as_str().to_owned();
        let name = format!("{}/{}", identity.site, identity.board);
        let (orders, clock) = (Arc::clone(orders), Arc::clone(clock));
        let mut clerk =
            Clerk::new(name, commands.trust.clone(), commands.counter_file.clone(), orders, clock);
        let (inbox, waiting) = sync_channel::<Vec<u8>>(QUEUE);
        std::thread::Builder::new().name("commands".to_owned()).spawn(move || {
            for payload in waiting {
                let Some(Answer { reply, picture }) = clerk.answer(&payload) else { continue };
                // An answer that finds no room is lost; the state shows what holds.
                if let Some((camera, jpeg)) = picture {
                    drop(answers.try_send(LinkEvent::Snapshot(camera, jpeg)));
                }
                if let Ok(reply) = serde_json::to_vec(&reply) {
                    drop(answers.try_send(LinkEvent::Reply(reply)));
                }
            }
        })?;
        let trust = match commands.trust {
            Trust::Broker => "broker",
            Trust::Key(_) => "key",
        };
        let [topic, reply_topic, snapshot_topic] = [Plain::Command, Plain::Reply, Plain::Snapshot].map(topic);
        Ok(Self { topic, reply_topic, snapshot_topic, trust, inbox })
    }

    /// Takes a command, unless it was said long ago or too many wait.
    pub fn take(&self, payload: Vec<u8>, is_retained: bool) {
        if is_retained {
            tracing::warn!("a retained command is ignored; publish commands without retain");
            return;
        }
        if self.inbox.try_send(payload).is_err() {
            tracing::debug!("a command dropped: too many wait");
        }
    }

    /// What is told of it.
    pub fn told(&self) -> CommandsTold {
        CommandsTold { trust: self.trust, hold_until: "restart" }
    }
}
