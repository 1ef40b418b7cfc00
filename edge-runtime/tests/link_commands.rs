//! Commands through a real broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;

use alarm_proto::{CameraId, SiteId};
use common::broker::Broker;
use common::listener::Listener;
use common::{board, eventually};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use watchpostd::clock::{Clock, SystemClock};
use watchpostd::config::Config;
use watchpostd::desk::AlarmDesk;
use watchpostd::health::Health;
use watchpostd::link::{Identity, Link};
use watchpostd::orders::Orders;
use watchpostd::outbox::Outbox;
use watchpostd::told::Voice;

const COMMAND: &str = "watchpost/yard/gate-1/command";
const REPLY: &str = "watchpost/yard/gate-1/command/reply";
const STATE: &str = "watchpost/yard/gate-1/state";
const KEY: &str = "0123456789abcdef0123456789abcdef";

struct Board {
    link: Link,
    desk: Arc<AlarmDesk>,
    orders: Arc<Orders>,
}

impl Board {
    fn start(folder: &Path, port: u16, commands: &str) -> Self {
        std::fs::write(folder.join("command.key"), format!("{KEY}\n")).unwrap();
        let text = format!(
            "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"b\"\n[network]\nbroker = \"mqtt://127.0.0.1:{port}\"\n{commands}"
        );
        let network = Config::parse(&text, &folder.join("board.toml")).unwrap().network.unwrap();
        let (outbox, _) = Outbox::open(&folder.join("outbox.db"), &board(), 1 << 20).unwrap();
        let health = Arc::new(Health::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let desk = Arc::new(AlarmDesk::new(board(), Box::new(outbox), Arc::clone(&health)).unwrap());
        let identity = Identity { site: SiteId::try_from("yard").unwrap(), board: board(), model: [0xAB; 8] };
        let cameras = vec![north()];
        let orders = Arc::new(Orders::new(&cameras));
        let voice = Voice { cameras, orders: Arc::clone(&orders), keeps_evidence: false };
        let link = Link::start(&network, identity, Arc::clone(&desk), health, clock, Some(&voice)).unwrap();
        eventually("connected", || link.stats().is_connected());
        Self { link, desk, orders }
    }
}

fn north() -> CameraId {
    CameraId::try_from("north").unwrap()
}

/// Says it until the board, which subscribes a moment after it is connected, has answered.
fn ask(listener: &Listener, payload: &str) -> Value {
    let before = listener.on(REPLY).len();
    listener.say(COMMAND, payload, false);
    eventually("an answer", || listener.on(REPLY).len() > before);
    listener.on(REPLY)[before].json()
}

fn signed(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let code: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{code} {body}")
}

/// Waits until the board listens to commands.
fn await_ear(listener: &Listener) {
    eventually("the board answers", || {
        listener.say(COMMAND, "{}", false);
        std::thread::sleep(std::time::Duration::from_millis(200));
        !listener.on(REPLY).is_empty()
    });
}

#[test]
fn whom_the_broker_lets_publish_commands_and_is_answered() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::start(broker.port);
    // Said long ago, to nobody.
    listener.say(COMMAND, r#"{"command":"disarm"}"#, true);
    let board = Board::start(folder.path(), broker.port, "[network.commands]\ntrust = \"broker\"\n");
    await_ear(&listener);
    assert!(!board.orders.of(&north()).is_disarmed, "a retained command is ignored");
    let reply = ask(&listener, r#"{"command":"disarm","camera":"north","id":"a"}"#);
    assert_eq!(reply, json!({ "id": "a", "ok": true }));
    assert!(board.orders.of(&north()).is_disarmed);
    let told = listener.await_on("it is told", STATE, |h| h.json()["commands"]["trust"] == "broker").json();
    assert_eq!(told["commands"]["hold_until"], "restart");
    let refused = ask(&listener, r#"{"command":"arm","camera":"west","id":"b"}"#);
    assert_eq!((&refused["id"], &refused["ok"]), (&json!("b"), &json!(false)));
    assert!(refused["error"].as_str().unwrap().contains("no camera `west`"));
    let long = format!(r#"{{"command":"arm","id":"{}"}}"#, "x".repeat(3_000));
    assert_eq!(ask(&listener, &long)["ok"], false);
    // Larger than the board takes at all: the broker keeps it.
    listener.say(COMMAND, vec![b' '; 100_000], false);
    assert_eq!(ask(&listener, r#"{"command":"arm"}"#)["ok"], true);
    assert!(!board.orders.of(&north()).is_disarmed);
    assert_eq!(board.link.stats().malformed_acks(), 0, "a command is no Ack");
    board.link.stop();
}

#[test]
fn with_a_key_only_its_holder_commands_and_only_once() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::start(broker.port);
    let commands = "[network.commands]\nkey_file = \"command.key\"\n";
    let first = Board::start(folder.path(), broker.port, commands);
    await_ear(&listener);
    let refused = ask(&listener, r#"{"command":"disarm"}"#);
    assert_eq!(refused["error"], "the code does not fit the body");
    let until_ms = SystemClock::new().wall_ms().unwrap() + 600_000;
    let signed = signed(&format!(
        r#"{{"board":"yard/gate-1","counter":1,"valid_until_ms":{until_ms},"command":"disarm"}}"#
    ));
    assert_eq!(ask(&listener, &signed)["ok"], true);
    assert!(first.orders.of(&north()).is_disarmed);
    first.link.stop();
    drop(first.desk);
    let second = Board::start(folder.path(), broker.port, commands);
    assert!(!second.orders.of(&north()).is_disarmed, "a restart arms");
    let answered = listener.on(REPLY).len();
    eventually("a replay is answered", || {
        listener.say(COMMAND, signed.clone(), false);
        std::thread::sleep(std::time::Duration::from_millis(200));
        listener.on(REPLY).len() > answered
    });
    let error = listener.on(REPLY)[answered].json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("is not above 1"), "{error}");
    assert!(!second.orders.of(&north()).is_disarmed);
    second.link.stop();
}

#[test]
fn without_the_section_nobody_listens() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::start(broker.port);
    let board = Board::start(folder.path(), broker.port, "");
    listener.await_on("a state", STATE, |h| h.json()["commands"].is_null());
    listener.say(COMMAND, r#"{"command":"disarm"}"#, false);
    // The next state comes after the command would have.
    board.desk.raise(common::drill).unwrap();
    listener.await_on("a later state", STATE, |h| h.json()["outbox_depth"] == 1);
    assert!(!board.orders.of(&north()).is_disarmed && listener.on(REPLY).is_empty());
    board.link.stop();
}

/// Where Debian's mosquitto has what refuses subscriptions; its lists of access alone accept all of them.
const DYNAMIC_SECURITY: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so",
    "/usr/lib/aarch64-linux-gnu/mosquitto_dynamic_security.so",
];

#[test]
fn a_subscription_that_the_broker_refuses_is_told_as_a_defect() {
    let Some(plugin) = DYNAMIC_SECURITY.into_iter().find(|plugin| Path::new(plugin).exists()) else {
        eprintln!(
            "SKIPPED: mosquitto's plugin for dynamic security is not installed; apt-get install mosquitto"
        );
        return;
    };
    let rules = json!({
        "defaultACLAccess": {
            "publishClientSend": true, "publishClientReceive": true, "subscribe": true, "unsubscribe": true
        },
        "anonymousGroup": "all",
        "groups": [{ "groupname": "all", "roles": [{ "rolename": "no-commands" }] }],
        "roles": [{
            "rolename": "no-commands",
            "acls": [{ "acltype": "subscribeLiteral", "topic": COMMAND, "priority": 1, "allow": false }]
        }]
    });
    let Some(broker) = Broker::configured(|folder| {
        let file = folder.join("rules.json");
        std::fs::write(&file, rules.to_string()).unwrap();
        format!("allow_anonymous true\nplugin {plugin}\nplugin_opt_config_file {}\n", file.display())
    }) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::start(broker.port);
    let board = Board::start(folder.path(), broker.port, "[network.commands]\nkey_file = \"command.key\"\n");
    let refused = |text: &Value| text.as_str().unwrap().contains("refuses the subscription to commands");
    let told = listener.await_on("a state with the defect", STATE, |heard| {
        heard.json()["degraded"].as_array().unwrap().iter().any(refused)
    });
    // Acks come all the same.
    assert_eq!(told.json()["degraded"].as_array().unwrap().len(), 1);
    board.link.stop();
}
