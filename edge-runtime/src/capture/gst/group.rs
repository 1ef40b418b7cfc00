//! A process with all that it starts: GStreamer runs a scanner of plugins beside itself, and plugins of vendors run what they like.
//!
//! # Invariants
//! - The group is killed before its leader is reaped, also when that ended by itself: nothing of the group lives on, and until then its number
//!   is nobody else's.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::capture::descriptors;

/// A process that leads a group of its own.
pub(super) struct Group {
    leader: Child,
    id: Pid,
    /// Once it is reaped.
    status: Option<ExitStatus>,
}

impl Group {
    /// Starts it.
    ///
    /// # Errors
    /// Those of [`Command::spawn`].
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let leader = descriptors::spawn(command.process_group(0))?;
        let id = i32::try_from(leader.id()).map_err(io::Error::other)?;
        Ok(Self { leader, id: Pid::from_raw(id), status: None })
    }

    /// Asks the leader to end in good order.
    pub(super) fn ask_to_end(&self) {
        if self.status.is_none() {
            // It fails for one that has ended.
            let _ = kill(self.id, Signal::SIGINT);
        }
    }

    /// Kills all of it.
    pub(super) fn kill(&self) {
        if self.status.is_none() {
            let _ = killpg(self.id, Signal::SIGKILL);
        }
    }

    /// How the leader ended, if it has; the rest is killed then.
    pub(super) fn try_wait(&mut self) -> Option<ExitStatus> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        // An error is an end of a kind that has no name.
        if self.status.is_none() && !matches!(waitid(Id::Pid(self.id), look), Ok(WaitStatus::StillAlive)) {
            self.kill();
            self.status = self.leader.try_wait().ok().flatten();
        }
        self.status
    }

    /// Waits until the leader has ended, and kills the rest.
    pub(super) fn wait(&mut self) {
        if self.status.is_none() {
            let _ = waitid(Id::Pid(self.id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
            self.kill();
            self.status = self.leader.wait().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, pipe};
    use std::time::Duration;

    /// A leader that starts something which holds the pipe, and then does this.
    fn with_companion(then: &str) -> (Group, io::PipeReader) {
        let (words, say) = pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("sleep 600 & echo started; {then}")]).stdout(say);
        let group = Group::start(&mut command).unwrap();
        drop(command);
        (group, words)
    }

    #[test]
    fn what_a_leader_that_ended_by_itself_has_started_is_killed() {
        let (mut group, mut words) = with_companion("exit 3");
        let status = loop {
            if let Some(status) = group.try_wait() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_eq!((status.code(), group.try_wait()), (Some(3), Some(status)));
        let mut said = String::new();
        words.read_to_string(&mut said).unwrap();
        assert_eq!(said, "started\n", "and nobody holds the pipe any more");
    }

    #[test]
    fn killing_ends_all_of_it() {
        let (mut group, mut words) = with_companion("sleep 600");
        let mut started = [0; 8];
        words.read_exact(&mut started).unwrap();
        group.kill();
        group.wait();
        assert_eq!(words.read(&mut started).unwrap(), 0);
        assert!(group.try_wait().is_some_and(|status| !status.success()));
    }
}
