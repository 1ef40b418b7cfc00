//! What somebody sends to the board's page: whole connections, since that is what a browser or an intruder has.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use alarm_proto::{BoardId, BootId, CameraId, SiteId};
use watchpostd::clock::{Clock, SystemClock};
use watchpostd::config::{MetricsAccess, PageConfig};
use watchpostd::desk::AlarmDesk;
use watchpostd::health::Health;
use watchpostd::orders::Orders;
use watchpostd::outbox::UnavailableStore;
use watchpostd::page::{About, Page, Screen, Shown, Token};
use watchpostd::view::View;

/// What inputs of the corpus show, so that changed ones get past the door too.
const TOKEN: &[u8] = b"0123456789abcdef";

/// A thread of the page's own does not end the program when it panics.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// The page answers, or hangs up, and stays.
pub fn http(bytes: &[u8]) {
    static PAGE: OnceLock<SocketAddr> = OnceLock::new();
    let mut stream = TcpStream::connect(PAGE.get_or_init(page)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // Who is refused early may find the connection closed.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    if let Err(e) = stream.read_to_end(&mut answer) {
        assert_ne!(e.kind(), std::io::ErrorKind::WouldBlock, "neither an answer nor an end");
    }
    let is_http = answer.is_empty() || answer.starts_with(b"HTTP/1.");
    assert!(is_http && !answer.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&answer));
    assert!(!HAS_PANICKED.load(Ordering::SeqCst), "a thread of the page panicked");
}

fn page() -> SocketAddr {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        HAS_PANICKED.store(true, Ordering::SeqCst);
        told(info);
    }));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (health, board) = (Arc::new(Health::default()), BoardId::try_from("gate-1").unwrap());
    let camera = CameraId::try_from("north").unwrap();
    health.add_camera(camera.clone());
    let store = Box::new(UnavailableStore::new("no disk".to_owned()).unwrap());
    let shown = Shown {
        about: About {
            site: SiteId::try_from("yard").unwrap(),
            board: board.clone(),
            model: "tiny version 1".to_owned(),
            short_id: [7; 8],
            boot: BootId { counter: 1, random: 2 },
        },
        desk: Arc::new(AlarmDesk::new(board, store, Arc::clone(&health)).unwrap()),
        health,
        link: None,
        screens: vec![Arc::new(Screen::new(camera.clone(), View::default(), None))],
        evidence: Some(std::env::temp_dir().join("watchpost-fuzz-no-evidence")),
        orders: Arc::new(Orders::new(&[camera])),
    };
    let config = PageConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        token: Token::new(TOKEN).unwrap(),
        token_file: std::path::PathBuf::new(),
        tls: None,
        metrics: MetricsAccess::Open,
        commands: true,
    };
    let page = Page::start(&config, shown, &clock).unwrap();
    let address = page.address().unwrap();
    // It serves until the program ends.
    std::mem::forget(page);
    address
}
