//! The link over TLS against a real broker that asks for certificates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;

use alarm_proto::SiteId;
use common::broker::Broker;
use common::certificates::{Authority, Pair};
use common::{board, drill, eventually};
use watchpostd::clock::{Clock, SystemClock};
use watchpostd::config::Config;
use watchpostd::desk::AlarmDesk;
use watchpostd::health::Health;
use watchpostd::link::{Identity, Link};
use watchpostd::outbox::Outbox;

/// mosquitto over TLS alone, for clients with a certificate of `clients`.
fn broker(broker: &Pair, clients: &Authority) -> Option<Broker> {
    Broker::configured(|folder| {
        let files =
            [("broker.crt", &broker.certificate), ("broker.key", &broker.key), ("ca.crt", &clients.pem)];
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let at = |name: &str| folder.join(name).display().to_string();
        format!(
            "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nallow_anonymous true\nuser root\n",
            at("ca.crt"),
            at("broker.crt"),
            at("broker.key")
        )
    })
}

struct Board {
    desk: Arc<AlarmDesk>,
    link: Link,
    _folder: tempfile::TempDir,
}

impl Board {
    fn start(host: &str, port: u16, ca: &Authority, identity: Option<&Pair>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), &ca.pem).unwrap();
        let mut keys = "ca_file = \"ca.crt\"\n".to_owned();
        if let Some(pair) = identity {
            std::fs::write(folder.path().join("board.crt"), &pair.certificate).unwrap();
            std::fs::write(folder.path().join("board.key"), &pair.key).unwrap();
            keys += "certificate_file = \"board.crt\"\nkey_file = \"board.key\"\n";
        }
        let text = format!(
            "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"b\"\n[network]\nbroker = \"mqtts://{host}:{port}\"\nresend_after_ms = 300\n{keys}"
        );
        let network = Config::parse(&text, &folder.path().join("board.toml")).unwrap().network.unwrap();
        let (outbox, _) = Outbox::open(&folder.path().join("o.db"), &board(), 1 << 20).unwrap();
        let health = Arc::new(Health::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let desk = Arc::new(AlarmDesk::new(board(), Box::new(outbox), Arc::clone(&health)).unwrap());
        let identity = Identity { site: SiteId::try_from("yard").unwrap(), board: board(), model: [7; 8] };
        let link = Link::start(&network, identity, Arc::clone(&desk), health, clock, None).unwrap();
        Self { desk, link, _folder: folder }
    }

    fn connects(&self) {
        eventually("connected", || self.link.stats().is_connected());
    }

    /// Waits for a refusal and gives it.
    fn refused(&self) -> String {
        eventually("refused", || self.link.stats().last_failure().is_some());
        assert!(!self.link.stats().is_connected());
        self.link.stats().last_failure().unwrap()
    }
}

#[test]
fn a_board_with_the_right_certificates_connects_and_delivers() {
    let ca = Authority::new("site");
    let Some(mut broker) = broker(&ca.sign("localhost"), &ca) else {
        return;
    };
    let own = ca.sign("gate-1");
    let board = Board::start("localhost", broker.port, &ca, Some(&own));
    board.connects();
    board.desk.raise(drill).unwrap();
    eventually("published", || board.link.stats().published() >= 1);
    // And again after the broker was away.
    let before = board.link.stats().connections();
    broker.restart();
    eventually("connected again", || board.link.stats().connections() > before);
    assert_eq!(board.desk.depth(), 1, "nobody acknowledged it");
    board.link.stop();
}

#[test]
fn a_broker_of_another_authority_is_refused_until_the_right_one_comes_back() {
    let (ca, foreign) = (Authority::new("site"), Authority::new("foreign"));
    let Some(mut broker) = broker(&foreign.sign("localhost"), &ca) else {
        return;
    };
    let board = Board::start("localhost", broker.port, &ca, Some(&ca.sign("gate-1")));
    board.desk.raise(drill).unwrap();
    assert!(board.refused().contains("not in ca_file"), "{}", board.refused());
    assert_eq!(board.link.stats().published(), 0);
    broker.stop();
    let right = ca.sign("localhost");
    broker.write("broker.crt", &right.certificate);
    broker.write("broker.key", &right.key);
    broker.resume();
    board.connects();
    eventually("published", || board.link.stats().published() >= 1);
    board.link.stop();
}

#[test]
fn a_board_without_a_certificate_or_with_a_foreign_one_is_refused() {
    let (ca, foreign) = (Authority::new("site"), Authority::new("foreign"));
    let Some(broker) = broker(&ca.sign("localhost"), &ca) else {
        return;
    };
    for identity in [None, Some(foreign.sign("gate-1"))] {
        let board = Board::start("localhost", broker.port, &ca, identity.as_ref());
        board.desk.raise(drill).unwrap();
        let reason = board.refused();
        assert_eq!(board.link.stats().published(), 0, "{reason}");
        assert_eq!(board.link.stats().connections(), 0, "{reason}");
        board.link.stop();
    }
}

#[test]
fn a_certificate_for_another_name_or_of_the_past_is_refused_in_plain_words() {
    let ca = Authority::new("site");
    for (pair, says) in [
        (ca.sign("hub.other"), "not for the name localhost"),
        (ca.sign_until("localhost", 2_021), "has expired"),
    ] {
        let Some(broker) = broker(&pair, &ca) else {
            return;
        };
        let board = Board::start("localhost", broker.port, &ca, Some(&ca.sign("gate-1")));
        assert!(board.refused().contains(says), "{}", board.refused());
        board.link.stop();
    }
}

#[test]
fn check_tries_the_handshake_and_looks_at_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let (ca, foreign) = (Authority::new("site"), Authority::new("foreign"));
    let Some(broker) = broker(&ca.sign("localhost"), &ca) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let own = ca.sign("gate-1");
    let key = folder.path().join("board.key");
    for (name, text) in [("ca.crt", &ca.pem), ("board.crt", &own.certificate), ("board.key", &own.key)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let text = format!(
        "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"b\"\n[network]\nbroker = \"mqtts://localhost:{}\"\nca_file = \"ca.crt\"\ncertificate_file = \"board.crt\"\nkey_file = \"board.key\"\n",
        broker.port
    );
    let config = common::write_config(folder.path(), &text);
    let check = || {
        let mut command = common::watchpostd();
        common::stdout(&command.args(["check", "--config"]).arg(&config).output().unwrap())
    };
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let found = check();
    assert!(found.contains("the broker's certificate is accepted"), "{found}");
    assert!(found.contains("ok    tls       authorities: 1 in"), "{found}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(check().contains("others may read this key"), "{found}");
    std::fs::write(folder.path().join("ca.crt"), &foreign.pem).unwrap();
    let found = check();
    assert!(found.contains("warn  network") && found.contains("not in ca_file"), "{found}");
}

#[test]
fn an_address_can_be_named_too() {
    let ca = Authority::new("site");
    let Some(broker) = broker(&ca.sign("127.0.0.1"), &ca) else {
        return;
    };
    let board = Board::start("127.0.0.1", broker.port, &ca, Some(&ca.sign("gate-1")));
    board.connects();
    board.link.stop();
}

#[test]
fn what_does_not_speak_tls_is_named() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let board = Board::start("localhost", broker.port, &Authority::new("site"), None);
    let reason = board.refused();
    assert!(
        reason.contains("closed the connection")
            || reason.contains("does not speak TLS")
            || reason.contains("reset"),
        "{reason}"
    );
    board.link.stop();
}

#[test]
fn tls_files_are_read_with_the_configuration() {
    let text = "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"b\"\n[network]\nbroker = \"mqtts://hub\"\nca_file = \"none.crt\"\n";
    let error = Config::parse(text, Path::new("/nowhere/board.toml")).unwrap_err();
    assert_eq!(error.problems()[0].key, "network.ca_file");
    assert!(error.to_string().contains("/nowhere/none.crt: cannot be read"), "{error}");
}
