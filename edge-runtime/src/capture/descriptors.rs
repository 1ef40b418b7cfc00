//! Descriptors that no child process gets. The library that opens V4L2 devices leaves theirs open for every child, which would keep a device open
//! after its camera was closed.
//!
//! # Invariants
//! - While such a device is opened no pipeline of GStreamer is started, so that none starts between the opening and the mark.
//! - A driver that hangs while it opens a device keeps no pipeline waiting for longer than [`LONGEST_WAIT`], and a disk that hangs while a
//!   program is started no device: one descriptor too many is better than no camera.

use std::io;
use std::os::fd::RawFd;
use std::process::{Child, Command};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::health::lock;

/// Devices take milliseconds to open.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[derive(Default)]
struct UnderWay {
    openings: usize,
    starts: usize,
}

static UNDER_WAY: Mutex<UnderWay> = Mutex::new(UnderWay { openings: 0, starts: 0 });
static ENDED: Condvar = Condvar::new();

/// Opens something, and keeps its descriptor from children.
///
/// # Errors
/// Those of `open`; the system refuses the mark.
pub(super) fn open_private<T>(
    open: impl FnOnce() -> io::Result<T>,
    descriptor: impl FnOnce(&T) -> RawFd,
) -> io::Result<T> {
    let _opening = opening();
    let opened = open()?;
    fcntl(descriptor(&opened), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(opened)
}

/// Starts a child, when nothing is being opened that it would get.
///
/// # Errors
/// Those of [`Command::spawn`].
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    let _start = Turn::begin(|under_way| under_way.openings, |under_way| &mut under_way.starts);
    command.spawn()
}

/// An opening or a start, which waits for those of the other kind, but never for long.
struct Turn(fn(&mut UnderWay) -> &mut usize);

impl Turn {
    fn begin(others: fn(&UnderWay) -> usize, mine: fn(&mut UnderWay) -> &mut usize) -> Self {
        let others_go_on = |under_way: &mut UnderWay| others(under_way) > 0;
        let waited = ENDED.wait_timeout_while(lock(&UNDER_WAY), LONGEST_WAIT, others_go_on);
        *mine(&mut waited.unwrap_or_else(PoisonError::into_inner).0) += 1;
        Self(mine)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0(&mut lock(&UNDER_WAY)) -= 1;
        ENDED.notify_all();
    }
}

/// The right to open something.
fn opening() -> Turn {
    Turn::begin(|under_way| under_way.starts, |under_way| &mut under_way.openings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::process::Stdio;
    use std::sync::mpsc::channel;

    /// Opens a file as a library does that knows nothing of children.
    fn leaky(path: &std::path::Path) -> io::Result<File> {
        let file = File::open(path)?;
        fcntl(file.as_raw_fd(), FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok(file)
    }

    fn flags(file: &File) -> FdFlag {
        FdFlag::from_bits_retain(fcntl(file.as_raw_fd(), FcntlArg::F_GETFD).unwrap())
    }

    #[test]
    fn what_is_opened_is_closed_in_children() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(flags(&leaky(file.path()).unwrap()), FdFlag::empty());
        let opened = open_private(|| leaky(file.path()), File::as_raw_fd).unwrap();
        assert_eq!(flags(&opened), FdFlag::FD_CLOEXEC);
        assert!(open_private(|| File::open("/nonexistent"), File::as_raw_fd).is_err());
    }

    #[test]
    fn a_child_that_is_started_in_the_middle_of_an_opening_gets_nothing_of_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        let (opening, is_opening) = channel();
        let (finish, finished) = channel::<()>();
        let opener = std::thread::spawn(move || {
            let open = || {
                let file = leaky(&path)?;
                opening.send(()).unwrap();
                finished.recv().unwrap();
                Ok(file)
            };
            open_private(open, File::as_raw_fd)
        });
        is_opening.recv().unwrap();
        let (start, is_started) = channel();
        let starter = std::thread::spawn(move || {
            let mut command = Command::new("ls");
            let child = spawn(command.args(["-l", "/proc/self/fd"]).stdout(Stdio::piped())).unwrap();
            start.send(()).unwrap();
            child
        });
        assert!(is_started.recv_timeout(LONGEST_WAIT / 5).is_err(), "it did not wait");
        finish.send(()).unwrap();
        let _still_open = opener.join().unwrap().unwrap();
        let said = starter.join().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains("pipe:") && !said.contains(file.path().to_str().unwrap()), "{said}");
    }

    #[test]
    fn a_driver_that_hangs_keeps_no_child_from_starting() {
        let _hangs = opening();
        assert!(spawn(&mut Command::new("true")).unwrap().wait().unwrap().success());
    }
}
