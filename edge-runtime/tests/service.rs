//! What a service manager hears: a real socket, the real program, and a camera that goes on and on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{tiny, watchpostd, write_config};

const CONFIG: &str = r#"
[board]
id = "gate-1"
site = "yard"

[model]
bundle = "bundle"

[[camera]]
id = "north"
source = { kind = "file", path = "street.mp4", loop = true }

[[camera]]
id = "south"
source = { kind = "v4l", device = "/nonexistent/video9" }
"#;

/// The service manager's end.
struct Manager(UnixDatagram);

impl Manager {
    /// The next message.
    fn hear(&self) -> String {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    /// Everything up to a message with this line.
    fn hear_until(&self, wanted: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while !heard.last().is_some_and(|message: &String| message.lines().any(|line| line == wanted)) {
            heard.push(self.hear());
        }
        heard
    }
}

#[test]
fn the_program_says_that_it_watches_that_it_goes_on_and_that_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::event_video(&folder.path().join("street.mp4"), 6, 2, 2);
    write_config(folder.path(), CONFIG);
    let socket = folder.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&socket).unwrap());
    manager.0.set_read_timeout(Some(Duration::from_secs(60))).unwrap();

    let mut command = watchpostd();
    command.args(["run", "--config", "board.toml"]).current_dir(folder.path()).stderr(Stdio::null());
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "600000");
    let mut child = command.spawn().unwrap();

    assert_eq!(manager.hear_until("READY=1").len(), 1, "nothing comes before");
    // One camera is gone, and is tried again: that is no reason to start anew.
    let pets: Vec<Vec<String>> = (0..5).map(|_| manager.hear_until("WATCHDOG=1")).collect();
    let last = pets.last().unwrap().last().unwrap();
    assert!(last.contains("STATUS=1 of 2 cameras watched"), "{last}");

    let terminated = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(terminated.success());
    let end = manager.hear_until("STOPPING=1");
    assert_eq!(end.last().unwrap().trim(), "STOPPING=1");
    child.wait().unwrap();
}
