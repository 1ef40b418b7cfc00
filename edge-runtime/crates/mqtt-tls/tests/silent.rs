//! A broker that takes a connection and then says and closes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mqtt_tls::{Files, Pipe, Tls};
use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// More than the pipe has for an end that the other side does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

fn pipe_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim() == "mqtt-tls").count()
}

#[test]
fn it_costs_no_thread_once_the_client_has_gone() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, certificate.pem()).unwrap();
    let der = CertificateDer::from(certificate.der().to_vec());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![der], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (hold, held) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            while tls.conn.is_handshaking() {
                tls.conn.complete_io(&mut tls.sock).unwrap();
            }
            // Open as long as the test.
            hold.send(tls).unwrap();
        }
    });
    let tls = Tls::load(&Files { ca, identity: None }).unwrap();
    for _ in 0..3 {
        let pipe = Pipe::open(&tls, "localhost", port).unwrap();
        pipe.ready().unwrap();
        let name = pipe.address().trim_start_matches('\0').to_owned();
        let client = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!((&client).read(&mut [0; 1]).is_err(), "the broker says nothing");
    }
    let begun = Instant::now();
    while pipe_threads() > 0 {
        assert!(begun.elapsed() < PATIENCE, "{} threads wait for a broker that never closes", pipe_threads());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(held.try_iter().count(), 3, "and the broker has not");
}
