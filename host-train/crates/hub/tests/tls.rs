//! The hub as a client of a real broker over TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alarm_proto::topics::Prefix;
use hub::link::{Inbound, Link, LinkConfig};
use mqtt_tls::{Files, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

const MOSQUITTO: &str = "/usr/sbin/mosquitto";

struct Broker {
    child: Child,
    port: u16,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An authority `NAME.ca`, and a certificate of it for this machine with its key.
fn certify(folder: &Path, name: &str) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.distinguished_name.push(DnType::CommonName, name);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    for (ending, text) in [("ca", ca_pem), ("crt", own.pem()), ("key", key.serialize_pem())] {
        std::fs::write(folder.join(format!("{name}.{ending}")), text).unwrap();
    }
}

/// A broker that asks for certificates; `None` (said loudly) where mosquitto is not installed.
fn start(folder: &Path) -> Option<Broker> {
    if !Path::new(MOSQUITTO).exists() {
        eprintln!("SKIPPED: mosquitto is not installed; apt-get install mosquitto");
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = |name: &str| folder.join(name).display().to_string();
    let config = format!(
        "listener {port} 127.0.0.1\npersistence false\nallow_anonymous true\nrequire_certificate true\nuser root\ncafile {}\ncertfile {}\nkeyfile {}\n",
        at("site.ca"),
        at("site.crt"),
        at("site.key")
    );
    std::fs::write(folder.join("mosquitto.conf"), config).unwrap();
    let mut command = Command::new(MOSQUITTO);
    command.arg("-c").arg(folder.join("mosquitto.conf")).stdout(Stdio::null()).stderr(Stdio::null());
    let broker = Broker { child: command.spawn().unwrap(), port };
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the broker does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
    Some(broker)
}

fn first_news(folder: &Path, port: u16, ca: &str, identity: bool) -> Inbound {
    let identity = identity.then(|| (folder.join("site.crt"), folder.join("site.key")));
    let tls = Tls::load(&Files { ca: folder.join(ca), identity }).unwrap();
    let broker = format!("mqtts://localhost:{port}").parse().unwrap();
    let link = Link::start(LinkConfig { broker, tls: Some(tls), prefix: Prefix::default() }).unwrap();
    link.inbound().recv_timeout(Duration::from_secs(60)).unwrap()
}

#[test]
fn the_right_certificates_connect_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path(), "site");
    certify(folder.path(), "foreign");
    let Some(broker) = start(folder.path()) else {
        return;
    };
    assert!(matches!(first_news(folder.path(), broker.port, "site.ca", true), Inbound::Up));
    let foreign = first_news(folder.path(), broker.port, "foreign.ca", true);
    assert!(matches!(&foreign, Inbound::Down(reason) if reason.contains("not in ca_file")), "{foreign:?}");
    let without = first_news(folder.path(), broker.port, "site.ca", false);
    assert!(matches!(&without, Inbound::Down(_)), "{without:?}");
}
