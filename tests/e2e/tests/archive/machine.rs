//! One machine of several: a work folder of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use e2e_tests::{Run, finish, program};
use tempfile::TempDir;

use crate::footage::{footage, weights};

pub struct Machine {
    work: TempDir,
}

/// A command of the program, not yet started.
pub struct Prepared(Command);

/// A running program. It dies with the test.
pub struct Running(Option<Child>);

impl Machine {
    /// Indexes the footage, as every machine would.
    pub fn new() -> Self {
        let machine = Self { work: tempfile::tempdir().unwrap() };
        let (videos, labels) = (footage(), footage().join("labels.csv"));
        let mut index = machine.command(&["index", "--val", "0"]);
        index.0.arg("--videos").arg(videos).arg("--labels").arg(labels);
        index.run().expect_success();
        machine
    }

    pub fn features(&self) -> PathBuf {
        self.work.path().join("features")
    }

    pub fn forget_features(&self) {
        std::fs::remove_dir_all(self.features()).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Prepared {
        let mut command = Command::new(program("watchpost"));
        command.args(args).arg("--work").arg(self.work.path());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        Prepared(command)
    }

    pub fn run(&self, args: &[&str]) -> Run {
        self.command(args).run()
    }

    pub fn extract(&self, args: &[&str]) -> Prepared {
        let mut prepared = self.command(&[&["extract"], args].concat());
        if let Some(weights) = weights() {
            prepared.0.arg("--weights").arg(weights);
        }
        prepared
    }
}

impl Prepared {
    pub fn with_env(mut self, environment: &[(&str, String)]) -> Self {
        self.0.envs(environment.iter().map(|(name, value)| (*name, value)));
        self
    }

    pub fn run(mut self) -> Run {
        finish(&mut self.0)
    }

    pub fn start(mut self) -> Running {
        Running(Some(self.0.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }
}

impl Running {
    /// SIGKILL.
    pub fn kill(&mut self) {
        let child = self.0.as_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn finish(mut self) -> Run {
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        Run {
            command: "a shard".to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
