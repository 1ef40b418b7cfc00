//! What can stop the hub, each with the place and the remedy.

use std::net::SocketAddr;

use crate::store::StoreError;

/// Errors that end the hub or refuse to start it.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The alarm store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The embedded broker failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The broker's address could not be understood.
    #[error(transparent)]
    Url(#[from] crate::url::UrlError),
    /// TLS to an external broker cannot be used as it was asked for.
    #[error("{0}")]
    Tls(String),
    /// A thread could not be started, or a source of randomness or signals is missing.
    #[error("the system refused {what}: {reason}")]
    System {
        /// What was asked of the system.
        what: &'static str,
        /// Its answer.
        reason: String,
    },
}

/// Errors of the embedded broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another process listens there.
    #[error(
        "{address} is already in use: another hub or MQTT broker is running there. Stop it, choose another address with \
         --listen, or use that broker with --broker mqtt://{address}"
    )]
    AddressInUse {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {reason}. Check --listen: the address must belong to this machine, and ports below 1024 need privileges"
    )]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's reason.
        reason: String,
    },
    /// The broker's thread could not start, or it stopped by itself.
    #[error(
        "the embedded MQTT broker stopped: {reason}. Start the hub again; boards keep their alarms until it is back"
    )]
    Stopped {
        /// What it said last.
        reason: String,
    },
}
