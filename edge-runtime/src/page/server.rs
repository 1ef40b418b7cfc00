//! Connections: few, short, and none that can hold up the board.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::tls::PageTls;
use crate::health::lock;
use crate::shutdown::Stop;

/// Connections at a time; further ones wait in the kernel.
const MAX_CONNECTIONS: usize = 64;
/// For a TLS handshake, and for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Of them from one address: a host that sits on its share leaves the others theirs.
const MAX_PER_ADDRESS: usize = 16;
/// After this time a connection takes no further request, and after as long again it ends, whatever it is doing.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// How often the wish to end is looked at.
const SLICE: Duration = Duration::from_millis(50);
/// Out of descriptors, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Bytes of a request's head.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// What is worked on at a time, beside the connections.
pub(super) const BLOCKING_THREADS: usize = 2;
/// Files are read by others than those who draw and list.
const FILE_THREADS: usize = 2;
/// They stay, so that the number of threads does.
const THREADS_STAY: Duration = Duration::from_hours(24);

/// Binds an address.
///
/// # Errors
/// The system's: it is taken, not ours, or not allowed.
pub(super) fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until the wish to end.
///
/// # Errors
/// The system gives no event loop, or takes the listener away.
pub(super) fn serve(
    listener: TcpListener,
    tls: Option<&PageTls>,
    router: &Router,
    stop: &Stop,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(BLOCKING_THREADS + FILE_THREADS)
        .thread_keep_alive(THREADS_STAY)
        .thread_name("page files")
        .build()?;
    let acceptor = tls.map(PageTls::acceptor);
    let served = runtime.block_on(accept(listener, acceptor.as_ref(), router, stop));
    // What is under way on a slow disk must not hold up the end.
    runtime.shutdown_background();
    served
}

async fn accept(
    listener: TcpListener,
    tls: Option<&TlsAcceptor>,
    router: &Router,
    stop: &Stop,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut place: Option<OwnedSemaphorePermit> = None;
    let shares = Shares::default();
    while !stop.is_set() {
        if place.is_none() {
            let free = timeout(SLICE, Arc::clone(&places).acquire_owned()).await;
            place = free.ok().and_then(Result::ok);
            if place.is_none() {
                continue;
            }
        }
        match timeout(SLICE, listener.accept()).await {
            Err(_) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "a connection to the page failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Ok(Ok((stream, peer))) => {
                let Some(share) = Share::take(&shares, peer.ip()) else { continue };
                let connection = connection(stream, tls.cloned(), router.clone());
                let place = place.take();
                tokio::spawn(async move {
                    connection.await;
                    drop((place, share));
                });
            }
        }
    }
    Ok(())
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
    let Some(tls) = tls else {
        return speak(stream, router).await;
    };
    if let Ok(Ok(stream)) = timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        speak(stream, router).await;
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    if timeout(CONNECTION_TIMEOUT, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        // A browser that stays too long, or goes away, is nobody's fault.
        let _ = timeout(CONNECTION_TIMEOUT, connection).await;
    }
}

/// Connections of each address.
type Shares = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// One of an address' connections, given back at its end.
struct Share {
    shares: Shares,
    address: IpAddr,
}

impl Share {
    fn take(shares: &Shares, address: IpAddr) -> Option<Self> {
        let mut taken = lock(shares);
        let count = taken.entry(address).or_default();
        if *count >= MAX_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Self { shares: Arc::clone(shares), address })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = lock(&self.shares);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}
