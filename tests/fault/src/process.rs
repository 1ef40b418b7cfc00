//! A child process that is killed with SIGKILL, through its own handle, and whose output is read from outside.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Lines that a process printed, complete ones only: a torn last line was not said.
pub type Lines = Arc<Mutex<Vec<String>>>;

/// A running child process; it is killed when this value ends.
pub struct Process {
    name: String,
    child: Child,
    reader: Option<JoinHandle<()>>,
    lines: Lines,
    /// Length of `lines` when this process started.
    said_before: usize,
}

impl Process {
    /// Starts a process whose stdout lines go to `lines` and whose stderr is appended to a file.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(name: &str, command: &mut Command, lines: &Lines, stderr: &Path) -> Self {
        let errors = File::options().create(true).append(true).open(stderr).expect("a file for stderr");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("a piped stdout");
        let here = Arc::clone(lines);
        let said_before = lines.lock().expect("lines").len();
        let reader = std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut line = String::new();
            while stdout.read_line(&mut line).is_ok_and(|length| length > 0) {
                if let Some(whole) = line.strip_suffix('\n') {
                    here.lock().expect("lines").push(whole.to_owned());
                }
                line.clear();
            }
        });
        Self { name: name.to_owned(), child, reader: Some(reader), lines: Arc::clone(lines), said_before }
    }

    /// Whether it has printed a line since it started.
    pub fn has_spoken(&self) -> bool {
        self.lines.lock().expect("lines").len() > self.said_before
    }

    /// Whether it has ended by itself.
    ///
    /// # Panics
    /// When the system does not tell.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_some()
    }

    /// Waits until it has printed a line; a process that ends first is a failure.
    ///
    /// # Panics
    /// When it ends or stays silent.
    pub fn wait_until_it_speaks(&mut self, patience: Duration) {
        let started = Instant::now();
        while !self.has_spoken() {
            if let Some(status) = self.child.try_wait().expect("its status") {
                panic!("{} ended by itself: {status}", self.name);
            }
            assert!(started.elapsed() < patience, "{} printed nothing within {patience:?}", self.name);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGKILL, and everything it had printed is read. `false` when it had ended by itself.
    pub fn kill(mut self) -> bool {
        let was_running = self.child.try_wait().expect("its status").is_none();
        self.end();
        was_running
    }

    /// Waits for its own end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(mut self, patience: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                self.end();
                return status;
            }
            assert!(started.elapsed() < patience, "{} did not end within {patience:?}", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
