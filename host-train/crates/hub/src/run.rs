//! The hub as a whole: broker, link, core and the loop between them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alarm_proto::topics::Prefix;
use mqtt_tls::Tls;

use crate::broker::EmbeddedBroker;
use crate::clock::{Clock, SystemClock};
use crate::core::Core;
use crate::error::HubError;
use crate::ingest::RawMessage;
use crate::link::{Inbound, Link, LinkConfig};
use crate::report::Reporter;
use crate::store::Store;
use crate::url::BrokerUrl;

/// Most messages of one transaction. At this size a disk that needs 100 ms for a commit still stores 2,500 alarms/s.
const BATCH_LEN: usize = 256;
/// How often supervision looks, also when messages keep coming.
const TICK: Duration = Duration::from_millis(200);

/// Which broker the hub uses.
#[derive(Debug, Clone)]
pub enum BrokerChoice {
    /// Its own, listening here (port 0 = any free port).
    Embedded(SocketAddr),
    /// Another program's.
    External(BrokerUrl, Option<Tls>),
}

/// Everything the hub needs to know.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// The broker.
    pub broker: BrokerChoice,
    /// The store's file.
    pub store: PathBuf,
    /// Topic prefix.
    pub prefix: Prefix,
}

/// A hub that is ready to run.
pub struct Hub<R> {
    core: Core<Store, R>,
    link: Link,
    broker: Option<EmbeddedBroker>,
    place: String,
    connected: bool,
}

impl<R: Reporter> Hub<R> {
    /// Opens the store, starts the broker and the connection to it.
    ///
    /// # Errors
    /// [`HubError`] names the file or address and the remedy. The store is opened first: a hub that cannot keep alarms
    /// must not accept any.
    pub fn start(config: &HubConfig, reporter: R) -> Result<Self, HubError> {
        let store = Store::open(&config.store)?;
        let core = Core::new(store, reporter, Box::new(SystemClock::new()), config.prefix.clone())?;
        let (broker, url, tls, place) = match &config.broker {
            BrokerChoice::External(url, tls) => {
                (None, url.clone(), tls.clone(), format!("using the broker {url}"))
            }
            BrokerChoice::Embedded(address) => {
                let broker = EmbeddedBroker::start(*address)?;
                let local = broker.local_address();
                let url = BrokerUrl { host: local.ip().to_string(), port: local.port(), is_tls: false };
                let place = format!("listening on {}", broker.address());
                (Some(broker), url, None, place)
            }
        };
        let link = Link::start(LinkConfig { broker: url, tls, prefix: config.prefix.clone() })?;
        Ok(Self { core, link, broker, place, connected: false })
    }

    /// Where it listens or which broker it uses, for people and for scripts that wait for it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The address of the embedded broker, when there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.broker.as_ref().map(EmbeddedBroker::address)
    }

    /// What was done so far, and by which parts.
    pub fn core(&self) -> &Core<Store, R> {
        &self.core
    }

    /// Works until `stop` is set.
    ///
    /// # Errors
    /// When the embedded broker stopped by itself. A failing store or connection is reported and tried again.
    pub fn run(&mut self, stop: &Arc<AtomicBool>) -> Result<(), HubError> {
        let clock = SystemClock::new();
        let mut batch = Vec::with_capacity(BATCH_LEN);
        let mut next_tick = TICK;
        while !stop.load(Ordering::Relaxed) {
            let wait = next_tick.saturating_sub(clock.monotonic());
            self.collect(&mut batch, wait);
            if !batch.is_empty() {
                let acks = self.core.handle(&batch);
                batch.clear();
                if !acks.is_empty() && !self.link.acknowledge(acks) {
                    tracing::warn!(
                        "acknowledgements dropped: the network is behind; boards will send those alarms again"
                    );
                }
            }
            if clock.monotonic() >= next_tick {
                next_tick = clock.monotonic() + TICK;
                self.core.tick();
                if let Some(broker) = &mut self.broker {
                    broker.check()?;
                }
            }
        }
        Ok(())
    }

    /// A summary of the work, for the last line.
    pub fn summary(&self) -> String {
        let counters = self.core.counters();
        format!(
            "stored {} records, {} repeated, {} refused, {} commits failed",
            counters.stored,
            counters.duplicates,
            self.core.refusals().total(),
            counters.failed_commits
        )
    }

    /// Waits for one message, then takes what else has arrived, bounded.
    fn collect(&mut self, batch: &mut Vec<RawMessage>, wait: Duration) {
        let mut next = self.link.inbound().recv_timeout(wait).ok();
        while let Some(inbound) = next {
            match inbound {
                Inbound::Message(message) => batch.push(message),
                Inbound::Up => self.link_changed(true, ""),
                Inbound::Down(reason) => self.link_changed(false, &reason),
            }
            if batch.len() >= BATCH_LEN {
                return;
            }
            next = self.link.inbound().try_recv().ok();
        }
    }

    fn link_changed(&mut self, up: bool, reason: &str) {
        let was = std::mem::replace(&mut self.connected, up);
        match (was, up) {
            (_, true) => self.core.notice(&format!("ready: {}, store open", self.place)),
            (true, false) => self
                .core
                .notice(&format!("broker connection lost: {reason}; trying again, boards keep their alarms")),
            (false, false) => tracing::warn!("no broker connection yet: {reason}; trying again"),
        }
    }
}

/// Wall clock for report lines.
pub(crate) fn unix_ms() -> i64 {
    SystemClock::new().unix_ms()
}
