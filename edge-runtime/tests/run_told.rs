//! The program itself, watched and commanded through a real broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::broker::Broker;
use common::listener::Listener;
use common::running::Board;
use common::{eventually, tiny, write_config};
use serde_json::{Value, json};

const HOME: &str = "watchpost/yard/gate-1";

fn north(state: &Value) -> &Value {
    &state["cameras"]["north"]
}

#[test]
fn a_camera_is_disarmed_armed_and_tuned_from_afar() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::video(&folder.path().join("bright.mp4"), &[220; 64]);
    let network = format!(
        "[network]\nbroker = \"mqtt://127.0.0.1:{}\"\n[network.commands]\ntrust = \"broker\"\n",
        broker.port
    );
    let camera = "[[camera]]\nid = \"north\"\ntolerate = [\"covered\", \"frozen\"]\nsource = { kind = \"file\", path = \"bright.mp4\", loop = true }\nscore.cool_down_ms = 0\n";
    let board = "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n";
    write_config(folder.path(), &format!("{board}{network}{camera}"));
    let listener = Listener::start(broker.port);
    let daemon = Board::start(folder.path());
    let (state, reviews) = (format!("{HOME}/state"), format!("{HOME}/reviews"));
    let raised = || listener.on(&reviews).iter().filter(|h| h.json()["type"] == "new").count();
    let says = |body: Value| {
        let replies = format!("{HOME}/command/reply");
        let before = listener.on(&replies).len();
        listener.say(&format!("{HOME}/command"), body.to_string(), false);
        eventually("an answer", || listener.on(&replies).len() > before);
        assert_eq!(listener.on(&replies)[before].json()["ok"], true, "{body}");
    };

    eventually("an event is told", || raised() > 0);
    listener.await_on("and seen in the state", &state, |h| !north(&h.json())["event"].is_null());
    says(json!({ "command": "disarm", "camera": "north" }));
    let told = listener.await_on("it is disarmed", &state, |h| north(&h.json())["armed"] == false).json();
    assert_eq!(north(&told)["disarmed_by"], json!(["command"]));
    assert!(north(&told)["event"].is_null(), "an event does not outlive arming");

    says(json!({ "command": "snapshot", "camera": "north" }));
    let heard = listener.await_on("a picture", &format!("{HOME}/snapshot/north"), |_| true);
    let picture = image::load_from_memory(&heard.payload).unwrap();
    assert_eq!((picture.width(), picture.height()), (tiny::SIDE_PX, tiny::SIDE_PX));

    let before = raised();
    says(json!({ "command": "arm" }));
    eventually("what goes on is raised", || raised() > before);
    says(json!({ "command": "threshold", "value": 0.95 }));
    let told =
        listener.await_on("the threshold moved", &state, |h| north(&h.json())["raise_threshold"] == 0.95);
    let told = told.json();
    assert!(north(&told)["clear_threshold"].as_f64().unwrap() < 0.95);

    daemon.end();
    listener.await_on("it takes its leave", &format!("{HOME}/available"), |h| h.payload == b"offline");
}
