//! The child process that plays a pipeline: started without a shell, and ended whatever it does.

use std::collections::BTreeSet;
use std::io::{ErrorKind, PipeReader, pipe};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::error::Trouble;
use super::group::Group;
use super::said::Said;
use super::secrets::Secrets;
use crate::config::GstPipeline;
use crate::health::lock;

const PROGRAM: &str = "gst-launch-1.0";
/// What follows the integrator's pipeline: pictures in the colours that [`super::super::pixels`] reads, with sides that every release of
/// `y4menc` writes without padding, to the child's standard input. Its standard output is not free: plugins of vendors print there.
const TAIL: [&str; 12] = [
    "!",
    "videoconvert",
    "!",
    "videoscale",
    "add-borders=false",
    "!",
    "video/x-raw,format=I420,colorimetry=bt601,pixel-aspect-ratio=1/1,width=[16,8192,8],height=[16,8192,2]",
    "!",
    "y4menc",
    "!",
    "fdsink",
    "fd=0",
];
/// A child that was asked to end is killed after this time.
const GRACE: Duration = Duration::from_millis(700);
/// A child that was killed is left to a thread of its own after this time.
const DEATH: Duration = Duration::from_millis(1_000);
/// Between two looks whether it has ended.
const STEP: Duration = Duration::from_millis(5);

/// Pipelines with a child that hangs in a driver: it cannot be ended, and must not be joined by another at every retry.
static STUCK: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A running child with what it started; asked to end, killed and reaped when this value is dropped.
pub(super) struct Child {
    /// `None` when somebody else waits for it.
    process: Option<Group>,
    said: Said,
    /// All of its pipeline.
    name: String,
}

impl Child {
    /// Starts the pipeline; its pictures come out of the pipe.
    pub(super) fn start(pipeline: &GstPipeline) -> Result<(Self, PipeReader), Trouble> {
        let name = pipeline.words().join(" ");
        if lock(&STUCK).contains(&name) {
            return Err(Trouble::Stuck);
        }
        let (pictures, to_us) = pipe().map_err(Trouble::Start)?;
        let (words, say) = pipe().map_err(Trouble::Start)?;
        let mut command = Command::new(PROGRAM);
        // Its handler of faults would keep a plugin that crashed alive.
        command.args(["--quiet", "--no-fault", "--"]).args(pipeline.words());
        command.args(TAIL);
        // Errors are told apart by their English words.
        command.env("LC_ALL", "C").env("GST_DEBUG_NO_COLOR", "1");
        command.stdin(to_us).stdout(say.try_clone().map_err(Trouble::Start)?).stderr(say);
        // In a group of its own: a signal from the terminal is for us, and we end it.
        let mut process = Group::start(&mut command).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Trouble::Missing,
            _ => Trouble::Start(e),
        })?;
        // Our ends of what it writes to: without this the pipes would never end.
        drop(command);
        match Said::listen(words, Secrets::of(pipeline.words())) {
            Ok(said) => Ok((Self { process: Some(process), said, name }, pictures)),
            Err(e) => {
                process.kill();
                process.wait();
                Err(Trouble::Start(e))
            }
        }
    }

    /// Why it ended, which its pictures have; waits a little for its last word.
    pub(super) fn reason(&mut self) -> String {
        let status = self.ends_within(DEATH);
        wait_until(DEATH, || self.said.is_over().then_some(()));
        match (self.said.reason(), status) {
            (Some(reason), Some(status)) if !status.success() && status.signal().is_none() => reason,
            (reason, Some(status)) => {
                let how = how_it_ended(status);
                reason.map_or(how.clone(), |reason| format!("{how}; it said: {reason}"))
            }
            (reason, None) => reason.unwrap_or_else(|| "it gives no more pictures".to_owned()),
        }
    }

    /// What it has said so far, if that is anything.
    pub(super) fn said(&self) -> Option<String> {
        self.said.reason()
    }

    fn ends_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let process = self.process.as_mut()?;
        wait_until(time, || process.try_wait())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ends_within(Duration::ZERO).is_some() {
            return;
        }
        // It lets go of its camera in good order.
        self.process.iter().for_each(Group::ask_to_end);
        if self.ends_within(GRACE).is_some() {
            return;
        }
        self.process.iter().for_each(Group::kill);
        if self.ends_within(DEATH).is_some() {
            return;
        }
        let (Some(mut process), name) = (self.process.take(), std::mem::take(&mut self.name)) else { return };
        lock(&STUCK).insert(name.clone());
        let wait = move || {
            process.wait();
            lock(&STUCK).remove(&name);
        };
        // Without a thread it stays a pipeline that is not started again.
        drop(std::thread::Builder::new().name("gst hangs".to_owned()).spawn(wait));
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("it was ended by signal {signal}"),
        (None, Some(0)) => "the pipeline came to its end, which no camera has".to_owned(),
        (None, _) => status.to_string(),
    }
}

/// Looks until there is something to see, for `time` at most.
fn wait_until<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let seen = look();
        if seen.is_some() || begun.elapsed() >= time {
            return seen;
        }
        std::thread::sleep(STEP);
    }
}
