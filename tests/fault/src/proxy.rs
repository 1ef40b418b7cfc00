//! A network that lies: between boards and broker, or cameras and board, on loopback. Up is towards the server.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the network does to every connection, also to those that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    /// Passes everything.
    Honest = 0,
    /// Holds every piece back for 100 ms.
    Slow = 1,
    /// Swallows what the client sends; what the server sends arrives.
    DeafUp = 2,
    /// Swallows what the server sends; what the client sends arrives.
    DeafDown = 3,
    /// Passes one byte at a time.
    Crumbs = 4,
    /// Ends every connection as soon as anything moves.
    Reset = 5,
    /// Opens a second connection with the same first packet for every connection.
    Double = 6,
}

impl Mood {
    /// Every mood.
    pub const ALL: [Self; 7] =
        [Self::Honest, Self::Slow, Self::DeafUp, Self::DeafDown, Self::Crumbs, Self::Reset, Self::Double];

    fn of(byte: u8) -> Self {
        Self::ALL[usize::from(byte)]
    }
}

struct Shared {
    target: Mutex<SocketAddr>,
    mood: AtomicU8,
    stop: AtomicBool,
    connections: AtomicUsize,
}

impl Shared {
    fn mood(&self) -> Mood {
        Mood::of(self.mood.load(Ordering::SeqCst))
    }

    fn target(&self) -> SocketAddr {
        *self.target.lock().expect("the target")
    }
}

/// A listener that passes connections on, each in the mood of the moment.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on any free port and connects to `target` for every connection.
    ///
    /// # Panics
    /// When there is no port.
    pub fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            mood: AtomicU8::default(),
            stop: AtomicBool::default(),
            connections: AtomicUsize::default(),
        });
        let here = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if here.stop.load(Ordering::SeqCst) {
                    return;
                }
                here.connections.fetch_add(1, Ordering::SeqCst);
                let target = here.target();
                if let Ok(server) = TcpStream::connect(target) {
                    serve(client, server, target, &here);
                }
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes the mood.
    pub fn set(&self, mood: Mood) {
        self.shared.mood.store(mood as u8, Ordering::SeqCst);
    }

    /// Connects to `target` from the next connection on: a server that came back somewhere else.
    ///
    /// # Panics
    /// When a thread of the proxy panicked.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.shared.target.lock().expect("the target") = target;
    }

    /// Connections made so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(client: TcpStream, server: TcpStream, target: SocketAddr, shared: &Arc<Shared>) {
    for stream in [&client, &server] {
        drop(stream.set_read_timeout(Some(Duration::from_millis(50))));
        drop(stream.set_nodelay(true));
    }
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { return };
    let (up, down) = (Arc::clone(shared), Arc::clone(shared));
    std::thread::spawn(move || pump(client, server, &up, Mood::DeafUp, Some(target)));
    std::thread::spawn(move || pump(server_too, client_too, &down, Mood::DeafDown, None));
}

/// Moves bytes one way until either end closes. `target` is given on the way up, for a second connection.
fn pump(mut from: TcpStream, mut to: TcpStream, shared: &Shared, deaf: Mood, target: Option<SocketAddr>) {
    let mut buffer = [0; 4_096];
    let mut is_first = true;
    let mut second = None;
    while !shared.stop.load(Ordering::SeqCst) {
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        let piece = &buffer[..length];
        let passed = match shared.mood() {
            Mood::Reset => break,
            mood if mood == deaf => Ok(()),
            Mood::Slow => {
                std::thread::sleep(Duration::from_millis(100));
                to.write_all(piece)
            }
            Mood::Crumbs => piece.iter().try_for_each(|byte| to.write_all(std::slice::from_ref(byte))),
            Mood::Double if is_first && target.is_some() => {
                second = target.and_then(|target| TcpStream::connect(target).ok());
                if let Some(second) = &mut second {
                    drop(second.write_all(piece));
                }
                to.write_all(piece)
            }
            _ => to.write_all(piece),
        };
        is_first = false;
        if passed.is_err() {
            break;
        }
    }
    for stream in [Some(&from), Some(&to), second.as_ref()].into_iter().flatten() {
        drop(stream.shutdown(Shutdown::Both));
    }
}
