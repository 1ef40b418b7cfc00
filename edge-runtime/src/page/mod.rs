//! The board's page: live pictures, scores, events and health for people with a browser, and `/metrics` for Prometheus.
//!
//! ```text
//! camera's thread -> Screen (bounded, latest alone) <- page's thread <- browsers
//! ```
//!
//! `docs/reference/page.md` is normative for addresses and shapes.
//!
//! # Invariants
//! - Nothing is shown to who has no token but the empty page that asks for it (and `/metrics`, where that is configured to be open).
//! - Nothing is shown live that a mask hides; evidence has the masks of its own time.
//! - A board never waits for its page: who looks costs the camera's thread a copy of a picture now and then, and connections,
//!   heads, bodies, answers and their times are bounded.

mod access;
mod events;
mod journal;
mod live;
mod look;
mod metrics;
mod process;
mod routes;
mod screen;
mod server;
mod state;
mod tls;
mod trace;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use self::access::Access;
use self::routes::{EvidenceShown, Shared, router};
use self::server::bind;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::command::{Clerk, Trust};
use crate::config::PageConfig;
use crate::desk::AlarmDesk;
use crate::evidence::Listing;
use crate::health::Health;
use crate::link::LinkStats;
use crate::orders::Orders;
use crate::shutdown::Stop;

pub use access::Token;
pub use routes::About;
pub use screen::Screen;
pub use tls::PageTls;

/// An address that is taken is tried again.
const RETRY_MS: u64 = 5_000;
const DEFECT: &str = "the page cannot be served";
/// For the page's thread to end.
const FINISH_MS: u64 = 1_000;

/// What the page shows.
pub struct Shown {
    /// The board.
    pub about: About,
    /// Its health.
    pub health: Arc<Health>,
    /// Its records.
    pub desk: Arc<AlarmDesk>,
    /// Its link, if it has one.
    pub link: Option<Arc<LinkStats>>,
    /// Its cameras.
    pub screens: Vec<Arc<Screen>>,
    /// Folder of its evidence, if it keeps any.
    pub evidence: Option<PathBuf>,
    /// Where commands go.
    pub orders: Arc<Orders>,
}

/// A page that is served.
pub struct Page {
    stop: Stop,
    thread: JoinHandle<()>,
    clock: Arc<dyn Clock>,
    address: Option<SocketAddr>,
}

impl Page {
    /// Starts its thread. An address that cannot be had now is a defect of the board, and tried again.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(config: &PageConfig, shown: Shown, clock: &Arc<dyn Clock>) -> io::Result<Self> {
        let Shown { about, health, desk, link, screens, evidence, orders } = shown;
        let clerk = config.commands.then(|| {
            let name = format!("{}/{}", about.site, about.board);
            // Whoever gets as far has shown the token: as with a broker, the door is elsewhere.
            Mutex::new(Clerk::new(name, Trust::Broker, PathBuf::new(), orders, Arc::clone(clock)))
        });
        let cookie = format!("watchpost_{}_{}", about.site, about.board);
        let access = Access::new(config.token.clone(), cookie, config.tls.is_some(), Arc::clone(clock));
        let shared = Shared {
            about,
            access,
            clock: Arc::clone(clock),
            health: Arc::clone(&health),
            desk,
            link,
            screens,
            evidence: evidence.map(|folder| {
                let listing = Mutex::new(Listing::new(folder.clone()));
                EvidenceShown { folder, listing }
            }),
            clerk,
            metrics: config.metrics,
            places: Arc::new(Semaphore::new(server::BLOCKING_THREADS)),
        };
        let (stop, bound) = (Stop::default(), bind(config.listen));
        let address = bound.as_ref().ok().and_then(|listener| listener.local_addr().ok());
        let server = Server {
            config: config.clone(),
            shared: Arc::new(shared),
            health,
            clock: Arc::clone(clock),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("page".to_owned()).spawn(move || server.run(bound))?;
        Ok(Self { stop, thread, clock: Arc::clone(clock), address })
    }

    /// Where it listens, if it did from the beginning.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Ends it.
    pub fn finish(self) {
        self.stop.set();
        let until_ms = self.clock.monotonic_ms() + FINISH_MS;
        while !self.thread.is_finished() && self.clock.monotonic_ms() < until_ms {
            self.clock.sleep_ms(10);
        }
    }
}

/// The page's thread.
struct Server {
    config: PageConfig,
    shared: Arc<Shared>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl Server {
    fn run(&self, first: io::Result<TcpListener>) {
        let (mut bound, mut told) = (first, None);
        // Without an error it was asked to end.
        while let Err(error) = bound.and_then(|listener| self.serve(listener)) {
            let reason = error.to_string();
            if told.as_ref() != Some(&reason) {
                tracing::error!(listen = %self.config.listen, %reason, "the page cannot be served; it is tried again");
            }
            told = Some(reason);
            self.health.degrade(DEFECT);
            self.stop.wait(self.clock.as_ref(), RETRY_MS);
            if self.stop.is_set() {
                return;
            }
            bound = bind(self.config.listen);
        }
    }

    fn serve(&self, listener: TcpListener) -> io::Result<()> {
        self.health.restore(DEFECT);
        let scheme = if self.config.tls.is_some() { "https" } else { "http" };
        tracing::info!("page at {scheme}://{}/", listener.local_addr()?);
        let router = router(Arc::clone(&self.shared));
        let serve = || server::serve(listener, self.config.tls.as_ref(), &router, &self.stop);
        catch_unwind(AssertUnwindSafe(serve))
            .unwrap_or_else(|_| Err(io::Error::other("its thread failed inside")))
    }
}
