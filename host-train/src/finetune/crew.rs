//! The devices that a fine-tuning runs on: the first has the encoder that learns, the others have copies of it.
//!
//! ```text
//!                   -- group 0 --> first device: encoder ------------------------ lesson 0 --\
//! a round of groups -- group 1 --> thread of the second device: copy -- gradients to first --> in the order of groups
//!                   -- group 2 --> thread of the third device: copy --- gradients to first --/
//! ```
//!
//! Gradients come back group by group and not summed up by device. So they are summed in the same order whatever the number
//! of devices, and where devices compute alike, the result is the same bit for bit.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use burn::module::Module;
use burn::tensor::Device;

use super::error::TuneError;
use super::lesson::{Group, Lesson, Teacher};
use crate::model::sga::encoder::SgaEncoder;

/// What a copy is sent before it answers: an encoder and a group.
const QUEUED: usize = 2;

/// The devices, each with autodiff.
pub struct Crew {
    teacher: Teacher,
    first: Device,
    others: Vec<Helper>,
}

/// A further device with a copy of the encoder and a thread of its own, which lasts as long as the training does: on graphics
/// cards, each thread has memory pools of its own.
struct Helper {
    /// From 1, for messages: the first device has the encoder itself.
    number: usize,
    device: Device,
    /// `None` when the thread is to end.
    tasks: Option<SyncSender<Task>>,
    thread: Option<JoinHandle<()>>,
}

enum Task {
    /// Work with this encoder from now on.
    Copy(Box<SgaEncoder>),
    /// Give a lesson.
    Group { group: Box<Group>, answer: SyncSender<Answer> },
}

type Answer = Result<Lesson, TuneError>;

impl Crew {
    /// Takes plain devices, and starts a thread for each but the first.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        teacher: Teacher,
        first: &Device,
        others: &[Device],
        encoder: &SgaEncoder,
    ) -> Result<Self, TuneError> {
        let helper = |(index, device): (usize, &Device)| {
            Helper::start(index + 1, teacher.clone(), device, first, encoder.clone())
        };
        let others = others.iter().enumerate().map(helper).collect::<Result<_, _>>()?;
        Ok(Self { teacher, first: first.clone().autodiff(), others })
    }

    /// The devices, with autodiff, in the order in which a round's groups go to them.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        std::iter::once(&self.first).chain(self.others.iter().map(|helper| &helper.device))
    }

    /// Gives the copies what the encoder has learnt.
    ///
    /// # Errors
    /// When a device has failed.
    pub fn update(&self, encoder: &SgaEncoder) -> Result<(), TuneError> {
        self.others.iter().try_for_each(|helper| helper.send(Task::Copy(Box::new(encoder.clone()))))
    }

    /// The lessons of at most as many groups as there are devices, in order, with their gradients on the first device. All
    /// groups are worked on at the same time. `encoder` is the one of the last [`Crew::update`].
    ///
    /// # Errors
    /// When the clips do not fit the encoder, or a device has failed.
    pub fn lessons(&self, encoder: &SgaEncoder, round: Vec<Group>) -> Result<Vec<Lesson>, TuneError> {
        let mut groups = round.into_iter();
        let Some(own) = groups.next() else { return Ok(Vec::new()) };
        let asked: Vec<(&Helper, Receiver<Answer>)> = self
            .others
            .iter()
            .zip(groups)
            .map(|(helper, group)| Ok((helper, helper.ask(group)?)))
            .collect::<Result<_, TuneError>>()?;
        let mut lessons = vec![self.teacher.lesson(encoder, own, &self.first)?];
        for (helper, answer) in asked {
            lessons.push(answer.recv().map_err(|_| helper.failed())??);
        }
        Ok(lessons)
    }
}

impl Helper {
    fn start(
        number: usize,
        teacher: Teacher,
        device: &Device,
        first: &Device,
        encoder: SgaEncoder,
    ) -> Result<Self, TuneError> {
        let (tasks, queue) = sync_channel(QUEUED);
        let (device, first) = (device.clone().autodiff(), first.clone());
        let own = device.clone();
        let thread = thread::Builder::new()
            .name(format!("device {number}"))
            .spawn(move || work(&teacher, &own, &first, encoder, &queue))
            .map_err(|error| TuneError::Device { number, reason: format!("no thread: {error}") })?;
        Ok(Self { number, device, tasks: Some(tasks), thread: Some(thread) })
    }

    fn ask(&self, group: Group) -> Result<Receiver<Answer>, TuneError> {
        let (answer, lesson) = sync_channel(1);
        self.send(Task::Group { group: Box::new(group), answer })?;
        Ok(lesson)
    }

    fn send(&self, task: Task) -> Result<(), TuneError> {
        let tasks = self.tasks.as_ref().ok_or_else(|| self.failed())?;
        tasks.send(task).map_err(|_| self.failed())
    }

    fn failed(&self) -> TuneError {
        let reason = "its thread has ended; what it said stands above".to_owned();
        TuneError::Device { number: self.number, reason }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// Gives lessons until nobody asks any more.
fn work(teacher: &Teacher, own: &Device, first: &Device, encoder: SgaEncoder, tasks: &Receiver<Task>) {
    let mut copy = encoder.fork(own);
    for task in tasks {
        match task {
            Task::Copy(encoder) => copy = encoder.fork(own),
            Task::Group { group, answer } => {
                let lesson = teacher
                    .lesson(&copy, *group, own)
                    .map(|Lesson { sums, grads }| Lesson { sums, grads: grads.to_device(first, &copy) });
                // Nobody waits when the training has failed elsewhere.
                let _ = answer.send(lesson);
            }
        }
    }
}
