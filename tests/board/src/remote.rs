//! A board at the other end of `ssh`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Where a board is and how to log in there. Log-ins share one connection, which ends with this value.
pub struct Remote {
    host: String,
    port: u16,
    identity: Option<PathBuf>,
    /// Holds the socket of the shared connection.
    sockets: tempfile::TempDir,
}

impl Remote {
    /// A board at `host`, such as `root@10.0.0.7`.
    ///
    /// # Errors
    /// When no folder for the shared connection can be made.
    pub fn new(host: &str, port: u16, identity: Option<PathBuf>) -> Result<Self> {
        let sockets = tempfile::Builder::new().prefix("ssh").tempdir()?;
        Ok(Self { host: host.to_owned(), port, identity, sockets })
    }

    /// The command that runs a line of shell there.
    #[must_use]
    pub fn shell(&self, line: &str) -> Command {
        let mut command = self.ssh();
        command.arg(line).stdin(Stdio::null());
        command
    }

    /// Runs a line of shell and returns what it printed.
    ///
    /// # Errors
    /// With everything it printed, when it ends with another exit code than 0 or the board does not answer.
    pub fn run(&self, line: &str) -> Result<String> {
        self.finish(line, self.shell(line).output()?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When the board does not give it.
    pub fn get(&self, path: &str) -> Result<Vec<u8>> {
        let line = format!("cat {path}");
        let output = self.shell(&line).output()?;
        let bytes = output.stdout.clone();
        self.finish(&line, output)?;
        Ok(bytes)
    }

    /// Writes a file that can be executed.
    ///
    /// # Errors
    /// When the board does not take it.
    pub fn put(&self, bytes: &[u8], path: &str) -> Result<()> {
        let line = format!("cat > {path} && chmod 755 {path}");
        let mut command = self.ssh();
        command.arg(&line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut input = child.stdin.take().context("no pipe to ssh")?;
        let written = input.write_all(bytes);
        drop(input);
        self.finish(&line, child.wait_with_output()?)?;
        written.with_context(|| line)
    }

    /// Writes every file of a folder, which has no folders in it.
    ///
    /// # Errors
    /// When one cannot be read, or the board does not take it.
    pub fn put_folder(&self, from: &Path, to: &str) -> Result<()> {
        self.run(&format!("mkdir -p {to}"))?;
        for file in std::fs::read_dir(from)? {
            let path = file?.path();
            let name = path.file_name().context("a file without a name")?.to_string_lossy().into_owned();
            self.put(&std::fs::read(&path)?, &format!("{to}/{name}"))?;
        }
        Ok(())
    }

    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        let socket = self.sockets.path().join("s").display().to_string();
        let options = [
            "BatchMode=yes",
            "ConnectTimeout=5",
            "LogLevel=ERROR",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "ControlMaster=auto",
            "ControlPersist=60",
            &format!("ControlPath={socket}"),
        ];
        for option in options {
            command.args(["-o", option]);
        }
        if let Some(identity) = &self.identity {
            command.arg("-i").arg(identity).args(["-o", "IdentitiesOnly=yes"]);
        }
        command.args(["-p", &self.port.to_string()]).arg(&self.host);
        command
    }

    fn finish(&self, line: &str, output: Output) -> Result<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !output.status.success() {
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            bail!("{}: `{line}`: {}\n{out}{err}", self.host, output.status);
        }
        Ok(text(&output.stdout))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.ssh().args(["-O", "exit"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
