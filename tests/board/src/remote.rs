//! A board at the other end of `ssh`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Where a board is and how to log in there. Log-ins share one connection, which ends with this value.
pub struct Remote {
    host: String,
    /// Without one `ssh` decides.
    port: Option<u16>,
    identity: Option<PathBuf>,
    /// Holds the socket of the shared connection.
    sockets: tempfile::TempDir,
}

impl Remote {
    /// A board at an address: `[user@]host[:port]`, where an IPv6 address stands in brackets.
    ///
    /// With `identity` that key alone is tried, and the board's own key may be any: an emulated board has a new one at every boot. Without
    /// it everything is as `ssh` itself is set up, known hosts included.
    ///
    /// # Errors
    /// When the address is not understood, or no folder for the shared connection can be made.
    pub fn at(address: &str, identity: Option<PathBuf>) -> Result<Self> {
        let (host, port) = split(address).with_context(|| {
            format!("{address:?} is no address: write it as HOST, USER@HOST or USER@HOST:PORT")
        })?;
        let sockets = tempfile::Builder::new().prefix("ssh").tempdir()?;
        Ok(Self { host, port, identity, sockets })
    }

    /// As [`Remote::at`] takes it.
    #[must_use]
    pub fn address(&self) -> String {
        self.port.map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// The key that logs in, where one is given.
    #[must_use]
    pub fn identity(&self) -> Option<&Path> {
        self.identity.as_deref()
    }

    /// Lets the board reach a port of this machine's loopback through its own; returns the port there. It ends with this value.
    ///
    /// # Errors
    /// When the board does not answer, or its log-in server forwards no ports.
    pub fn reach_back(&self, port: u16) -> Result<u16> {
        // The connection must stand before anything is added to it.
        self.run("true")?;
        let way = format!("127.0.0.1:0:127.0.0.1:{port}");
        let said = self.finish("-O forward -R", self.ssh().args(["-O", "forward", "-R", &way]).output()?)?;
        said.trim().parse().with_context(|| format!("{}: no port was opened there: {said:?}", self.host))
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
            "ControlMaster=auto",
            "ControlPersist=60",
            &format!("ControlPath={socket}"),
        ];
        for option in options {
            command.args(["-o", option]);
        }
        if let Some(identity) = &self.identity {
            command.arg("-i").arg(identity);
            for option in ["IdentitiesOnly=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"] {
                command.args(["-o", option]);
            }
        }
        if let Some(port) = self.port {
            command.args(["-p", &port.to_string()]);
        }
        command.arg(&self.host);
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

/// Host, with the user if there is one, and port.
fn split(address: &str) -> Option<(String, Option<u16>)> {
    let (user, place) = address.rsplit_once('@').map_or(("", address), |(user, place)| (user, place));
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None if place.matches(':').count() > 1 => return None,
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    // A name that begins with a hyphen would be an option of `ssh`.
    if host.is_empty() || address.starts_with('-') || address.contains(char::is_whitespace) {
        return None;
    }
    let port =
        port.map(|port| port.parse().ok().filter(|port| *port != 0)).map_or(Some(None), |p| p.map(Some))?;
    let host = if user.is_empty() { host.to_owned() } else { format!("{user}@{host}") };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn addresses_are_taken_apart() {
        for (address, host, port) in [
            ("board", "board", None),
            ("pi@10.0.0.7", "pi@10.0.0.7", None),
            ("pi@board.local:2222", "pi@board.local", Some(2222)),
            ("root@[fe80::1]:22", "root@fe80::1", Some(22)),
            ("[fe80::1]", "fe80::1", None),
        ] {
            assert_eq!(split(address), Some((host.to_owned(), port)), "{address}");
        }
        for wrong in
            ["", "pi@", "pi@board:", "pi@board:0", "pi@board:x", "fe80::1", "-oProxyCommand=x", "a b"]
        {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
