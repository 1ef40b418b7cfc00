//! The embedded MQTT 5 broker, so that a small site needs no other program.
//!
//! It holds nothing that matters: no persistence, bounded queues, small packets. Durability is the store's business.
//! There is no TLS and no authentication yet, so the default address is loopback.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;

use mqtt5::broker::{BrokerConfig, MqttBroker, StorageConfig};
use tokio::sync::oneshot;

use crate::error::BrokerError;

/// Most connections at once.
const MAX_CLIENTS: usize = 1_024;
/// Largest MQTT packet; an alarm frame is far below it.
const MAX_PACKET_LEN: usize = 4_096;
/// Most subscriptions of one connection.
const MAX_SUBSCRIPTIONS_PER_CLIENT: usize = 32;
/// Most messages waiting for one connection; beyond it the publisher waits and then the oldest goes.
const CLIENT_QUEUE_LEN: usize = 4_096;
/// Most retained messages, all topics together.
const MAX_RETAINED: usize = 4_096;
/// A session that nobody resumes is forgotten after this time.
const SESSION_EXPIRY: Duration = Duration::from_secs(3_600);
/// How long open connections may take to close when the hub stops.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(1);

/// A running broker; it stops when dropped.
pub struct EmbeddedBroker {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<String>>,
}

impl EmbeddedBroker {
    /// Listens on `address` (port 0 = any free port) and serves in its own thread.
    ///
    /// # Errors
    /// [`BrokerError`] names the address and the remedy when it cannot be listened on.
    pub fn start(address: SocketAddr) -> Result<Self, BrokerError> {
        let (ready, started) = flume::bounded(1);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("mqtt-broker".to_owned())
            .spawn(move || serve(address, &ready, stopped))
            .map_err(|error| BrokerError::Stopped { reason: error.to_string() })?;
        match started.recv() {
            Ok(Ok(address)) => Ok(Self { address, stop: Some(stop), thread: Some(thread) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(BrokerError::Stopped { reason: "its thread ended at once".to_owned() }),
        }
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address by which this machine reaches the broker, also when it listens on every interface.
    pub fn local_address(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, self.address.port())
    }

    /// Nothing while the broker serves.
    ///
    /// # Errors
    /// [`BrokerError::Stopped`] when its thread ended by itself.
    pub fn check(&mut self) -> Result<(), BrokerError> {
        if self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let reason = self.thread.take().and_then(|thread| thread.join().ok());
        Err(BrokerError::Stopped { reason: reason.unwrap_or_else(|| "its thread panicked".to_owned()) })
    }
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedBroker").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The broker logs its own end; a panic there has been printed already.
            drop(thread.join());
        }
    }
}

type Started = Result<SocketAddr, BrokerError>;

/// Runs the broker until `stopped` resolves or it ends by itself, and returns what it said last.
fn serve(address: SocketAddr, ready: &flume::Sender<Started>, stopped: oneshot::Receiver<()>) -> String {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let reason = error.to_string();
            drop(ready.send(Err(BrokerError::Stopped { reason: reason.clone() })));
            return reason;
        }
    };
    let last = runtime.block_on(async {
        let mut broker = match MqttBroker::with_config(config(address)).await {
            Ok(broker) => broker,
            Err(error) => {
                let reason = error.to_string();
                drop(ready.send(Err(why_not_listening(address, reason.clone()))));
                return reason;
            }
        };
        // The listener is bound: connections queue in the kernel until `run` accepts them.
        drop(ready.send(Ok(broker.local_addr().unwrap_or(address))));
        // Not the broker's own shutdown handle: it is deaf until `run` has begun.
        tokio::select! {
            result = broker.run() => result.map_or_else(|error| error.to_string(), |()| "it ended by itself".to_owned()),
            _ = stopped => "it was asked to".to_owned(),
        }
    });
    runtime.shutdown_timeout(SHUTDOWN_PATIENCE);
    last
}

fn config(address: SocketAddr) -> BrokerConfig {
    BrokerConfig {
        bind_addresses: vec![address],
        max_clients: MAX_CLIENTS,
        session_expiry_interval: SESSION_EXPIRY,
        max_packet_size: MAX_PACKET_LEN,
        topic_alias_maximum: 0,
        max_subscriptions_per_client: MAX_SUBSCRIPTIONS_PER_CLIENT,
        max_retained_messages: MAX_RETAINED,
        max_retained_message_size: MAX_PACKET_LEN,
        client_channel_capacity: CLIENT_QUEUE_LEN,
        sys_topics_enabled: false,
        storage_config: StorageConfig::default().with_persistence(false),
        ..BrokerConfig::default()
    }
}

/// The library reports one text for every cause; binding once more tells them apart.
fn why_not_listening(address: SocketAddr, reason: String) -> BrokerError {
    match std::net::TcpListener::bind(address) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => BrokerError::AddressInUse { address },
        Err(error) => BrokerError::Listen { address, reason: error.to_string() },
        Ok(_) => BrokerError::Listen { address, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_with_the_remedy() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = EmbeddedBroker::start(address).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
        assert!(error.contains("already in use") && error.contains("--listen"), "{error}");
    }

    #[test]
    fn a_foreign_address_is_named_with_the_remedy() {
        let error = EmbeddedBroker::start("192.0.2.1:1883".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("192.0.2.1:1883") && error.contains("--listen"), "{error}");
    }

    #[test]
    fn port_zero_is_resolved_and_the_port_is_free_again_after_the_drop() {
        let broker = EmbeddedBroker::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = broker.address();
        assert_ne!(address.port(), 0);
        drop(broker);
        EmbeddedBroker::start(address).unwrap();
    }
}
