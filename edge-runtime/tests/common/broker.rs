//! mosquitto on a free loopback port, with a memory that can be switched off.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::eventually;

pub struct Broker {
    child: Child,
    pub port: u16,
    program: &'static str,
    folder: tempfile::TempDir,
}

impl Broker {
    /// A running broker, or `None` (said loudly) where mosquitto is not installed.
    pub fn start() -> Option<Self> {
        Self::configured(|_| "allow_anonymous true\n".to_owned())
    }

    /// The same with more lines of configuration, made from the folder that it runs in.
    pub fn configured(lines: impl FnOnce(&Path) -> String) -> Option<Self> {
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"]
            .into_iter()
            .find(|p| Path::new(p).exists());
        let Some(program) = program else {
            eprintln!("SKIPPED: mosquitto is not installed; apt-get install mosquitto");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let config = format!("listener {port} 127.0.0.1\npersistence false\n{}", lines(folder.path()));
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let child = spawn(program, folder.path());
        let broker = Self { child, port, program, folder };
        broker.await_port();
        Some(broker)
    }

    /// Kills it without warning and starts it again; it remembers nothing.
    pub fn restart(&mut self) {
        self.stop();
        self.resume();
    }

    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn resume(&mut self) {
        self.child = spawn(self.program, self.folder.path());
        self.await_port();
    }

    /// Writes one of its files anew; it reads them when it starts.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn await_port(&self) {
        eventually("the broker listens", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }
}

fn spawn(program: &str, folder: &Path) -> Child {
    Command::new(program)
        .arg("-c")
        .arg(folder.join("mosquitto.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
