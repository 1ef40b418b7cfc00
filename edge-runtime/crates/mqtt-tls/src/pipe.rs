//! One connection: a local socket on one side, TLS on the other.
//!
//! The client below opens the local socket after [`Pipe::ready`]; when either side closes, so does the other, after two seconds at the latest.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::pin::pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::Tls;
use crate::words::explain;

/// From the first packet to the end of the handshake.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// For the client to open its side.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// For one direction to end when the other has: a broker that never closes must cost nobody a thread.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// See the module's documentation. Dropping it does not end the connection; closing either side does.
pub struct Pipe {
    address: String,
    ready: Receiver<Result<(), String>>,
    reason: Arc<Mutex<Option<String>>>,
}

impl Pipe {
    /// Begins to connect to `host` (a name or an address without brackets) in a thread of its own.
    ///
    /// # Errors
    /// The system gives no socket, no randomness or no thread; `host` is neither a name nor an address.
    pub fn open(tls: &Tls, host: &str, port: u16) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| io::Error::other(format!("{host} is no name that a certificate could be for")))?;
        let random = getrandom::u64().map_err(|e| io::Error::other(format!("no random numbers: {e}")))?;
        let address = format!("watchpost-{}-{random:016x}", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&address)?)?;
        listener.set_nonblocking(true)?;
        let (answer, ready) = sync_channel(1);
        let reason = Arc::new(Mutex::new(None));
        let worker =
            Worker { tls: tls.clone(), host: host.to_owned(), port, name, reason: Arc::clone(&reason) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("mqtt-tls".to_owned())
            .spawn(move || runtime.block_on(worker.run(listener, &answer)))?;
        Ok(Self { address: format!("\0{address}"), ready, reason })
    }

    /// Name of the local socket; it begins with a zero byte, since it has no file.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits for the end of the handshake.
    ///
    /// # Errors
    /// Why there is no connection, in words.
    pub fn ready(&self) -> Result<(), String> {
        self.ready.recv().unwrap_or_else(|_| Err("the TLS connection failed inside".to_owned()))
    }

    /// Why the connection ended, if TLS or the network below it was to blame.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Worker {
    tls: Tls,
    host: String,
    port: u16,
    name: ServerName<'static>,
    reason: Arc<Mutex<Option<String>>>,
}

impl Worker {
    async fn run(self, listener: UnixListener, answer: &SyncSender<Result<(), String>>) {
        let connected = tokio::time::timeout(CONNECT_PATIENCE, self.connect()).await;
        let connected = connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        let outside = match connected {
            Ok(outside) => outside,
            Err(e) => {
                // Nobody may wait any more.
                let _ = answer.send(Err(self.explain(&e)));
                return;
            }
        };
        // The channel has room for it.
        let _ = answer.send(Ok(()));
        let accepted = tokio::time::timeout(CLIENT_PATIENCE, accept(listener)).await;
        let Ok(Ok(inside)) = accepted else {
            return;
        };
        if let Err(e) = pass(inside, outside).await {
            *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.explain(&e));
        }
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        TlsConnector::from(Arc::clone(&self.tls.config)).connect(self.name.clone(), tcp).await
    }

    fn explain(&self, error: &io::Error) -> String {
        explain(error, &self.host, self.tls.is_mutual())
    }
}

/// Passes bytes both ways until one of them ends, and what is left of the other for a moment.
async fn pass(inside: UnixStream, outside: TlsStream<TcpStream>) -> io::Result<()> {
    let (from_client, to_client) = tokio::io::split(inside);
    let (from_broker, to_broker) = tokio::io::split(outside);
    let (up, down) = (pin!(pump(from_client, to_broker)), pin!(pump(from_broker, to_client)));
    let (first, rest) = match select(up, down).await {
        Either::Left((first, down)) => (first, tokio::time::timeout(CLOSE_PATIENCE, down).await),
        Either::Right((first, up)) => (first, tokio::time::timeout(CLOSE_PATIENCE, up).await),
    };
    first.and(rest.unwrap_or(Ok(())))
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}

/// The first connection of this very process; the listener closes with it.
async fn accept(listener: UnixListener) -> io::Result<UnixStream> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let pid = stream.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
        if pid == Some(std::process::id()) {
            return Ok(stream);
        }
    }
}
