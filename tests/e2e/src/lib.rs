//! Starting the real programs, and the footage they are tried on.
//!
//! Programs are taken from the folder that holds the running test, so that a test never mixes builds.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test support: a broken set-up must stop the test"
)]

pub mod bundles;

use std::path::PathBuf;
use std::process::{Command, Output};

/// A program of this workspace, built beside the running test.
///
/// # Panics
/// With the command that builds it, when it is not there.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.ancestors().nth(2).expect("tests lie in <profile>/deps");
    let path = profile.join(name);
    assert!(
        path.is_file(),
        "{} is missing: build it with `cargo build --workspace --all-targets`",
        path.display()
    );
    path
}

/// What a program printed and how it ended.
pub struct Run {
    pub command: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The run, if it ended with exit code 0.
    ///
    /// # Panics
    /// With everything the program printed, otherwise.
    pub fn expect_success(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}\n{}", self.command, self.stdout, self.stderr);
        self
    }

    /// Checks that the program refused its input, and that its error contains every one of `parts`.
    ///
    /// # Panics
    /// With everything the program printed, otherwise.
    pub fn expect_refusal(&self, parts: &[&str]) {
        let shown = format!("{}\n{}\n{}", self.command, self.stdout, self.stderr);
        assert!(matches!(self.code, Some(1 | 2)), "exit code {:?}\n{shown}", self.code);
        assert!(!self.stderr.contains("panicked"), "a panic is no error message\n{shown}");
        for part in parts {
            assert!(self.stderr.contains(part), "the error does not name {part:?}\n{shown}");
        }
    }
}

/// Runs `name` with `args` to its end.
///
/// # Panics
/// When the program cannot be started.
pub fn run<S: AsRef<std::ffi::OsStr>>(name: &str, args: &[S]) -> Run {
    let mut command = Command::new(program(name));
    command.args(args);
    finish(&mut command)
}

/// Runs a prepared command to its end.
///
/// # Panics
/// When the program cannot be started.
pub fn finish(command: &mut Command) -> Run {
    let shown = format!("{command:?}");
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{shown}: {error}"));
    Run {
        command: shown,
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
