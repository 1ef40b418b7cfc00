//! What somebody publishes to a board to command it.

use std::path::Path;
use std::sync::Arc;

use alarm_proto::CameraId;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use watchpostd::clock::ManualClock;
use watchpostd::command::{Clerk, Reply, Secret, Trust};
use watchpostd::orders::Orders;

/// A key that a board and its operator have.
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// What stands before a body: 64 digits and a space.
const CODE_BYTES: usize = 65;

/// From whoever the broker lets publish.
pub fn command(bytes: &[u8]) {
    let mut clerk = clerk(Trust::Broker, Path::new("/nowhere/counter"));
    is_bounded(&clerk.answer(bytes).expect("the first command has an answer").reply);
}

/// Without the key nothing is done; with it no body breaks anything, and none is done twice.
pub fn with_key(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let mut clerk = clerk(Trust::Key(Secret::new(KEY).unwrap()), &folder.path().join("counter"));
    let is_signed = bytes.get(CODE_BYTES..).is_some_and(|body| signed(body).eq_ignore_ascii_case(bytes));
    assert!(is_signed || !clerk.answer(bytes).expect("an answer").reply.ok, "nobody signed it");
    let signed = signed(bytes);
    let first = clerk.answer(&signed).expect("an answer").reply;
    is_bounded(&first);
    let second = clerk.answer(&signed).expect("an answer").reply;
    assert!(!second.ok, "the same command was done twice");
}

/// A file that counts commands, as somebody with the disk left it.
pub fn counter(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counter");
    std::fs::write(&file, bytes).unwrap();
    let mut clerk = clerk(Trust::Key(Secret::new(KEY).unwrap()), &file);
    let body = r#"{"board":"yard/gate-1","counter":17,"valid_until_ms":1,"command":"arm"}"#;
    let reply = clerk.answer(&signed(body.as_bytes())).expect("an answer").reply;
    let last = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse::<u64>().ok());
    assert_eq!(reply.ok, bytes.len() <= 64 && last.is_some_and(|last| last < 17), "{reply:?}");
}

fn clerk(trust: Trust, counter: &Path) -> Clerk {
    let orders = Orders::new(&[CameraId::try_from("north").unwrap()]);
    let clock = Arc::new(ManualClock::default());
    Clerk::new("yard/gate-1".to_owned(), trust, counter.to_owned(), Arc::new(orders), clock)
}

/// A body behind its code.
#[must_use]
pub fn signed(body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(body);
    let code: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    [code.as_bytes(), b" ", body].concat()
}

fn is_bounded(reply: &Reply) {
    assert_eq!(reply.ok, reply.error.is_none());
    assert!(reply.error.iter().all(|error| error.chars().count() <= 200));
    assert!(reply.id.iter().all(|id| id.len() <= 64));
}
