//! From a camera's thread to the one that records it. The camera never waits: what finds no room is left out and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Pictures that may wait. At most these, so that a camera costs little memory.
const MAX_PICTURES: usize = 4;
/// Everything else that may wait is small.
const MAX_MESSAGES: usize = 64;

/// Something that may be a picture.
pub(super) trait Message: Send {
    /// Whether it is one, and large.
    fn is_picture(&self) -> bool;
}

/// The camera's end.
pub(super) struct Sender<M> {
    messages: SyncSender<M>,
    shared: Arc<Shared>,
    /// A camera that is a file to be read as fast as possible waits instead.
    waits: bool,
}

/// The recording thread's end.
pub(super) struct Inbox<M> {
    messages: Receiver<M>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    pictures: AtomicUsize,
    missed: AtomicU64,
}

/// Both ends of a new queue.
pub(super) fn queue<M: Message>(waits: bool) -> (Sender<M>, Inbox<M>) {
    let (sender, receiver) = sync_channel(if waits { MAX_PICTURES } else { MAX_MESSAGES });
    let shared = Arc::new(Shared::default());
    (Sender { messages: sender, shared: Arc::clone(&shared), waits }, Inbox { messages: receiver, shared })
}

impl<M: Message> Sender<M> {
    /// Whether a picture would find room now: copying one for nothing costs time.
    pub(super) fn has_room(&self) -> bool {
        self.waits || self.shared.pictures.load(Ordering::Acquire) < MAX_PICTURES
    }

    /// Counts a picture for which there was no room.
    pub(super) fn missed(&self) {
        self.shared.missed.fetch_add(1, Ordering::Relaxed);
    }

    /// Hands over a message; false where there was no room, or nobody records any more.
    pub(super) fn send(&self, message: M) -> bool {
        let is_picture = message.is_picture();
        if is_picture {
            self.shared.pictures.fetch_add(1, Ordering::AcqRel);
        }
        let sent = if self.waits {
            self.messages.send(message).is_ok()
        } else {
            match self.messages.try_send(message) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            }
        };
        if is_picture && !sent {
            self.shared.pictures.fetch_sub(1, Ordering::AcqRel);
            self.missed();
        }
        sent
    }
}

impl<M: Message> Inbox<M> {
    /// Waits for the next message; `None` when the camera's end is gone.
    pub(super) fn next(&self) -> Option<M> {
        let message = self.messages.recv().ok()?;
        if message.is_picture() {
            self.shared.pictures.fetch_sub(1, Ordering::AcqRel);
        }
        Some(message)
    }

    /// Pictures that were left out since the beginning.
    pub(super) fn missed(&self) -> u64 {
        self.shared.missed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Picture(bool);

    impl Message for Picture {
        fn is_picture(&self) -> bool {
            self.0
        }
    }

    #[test]
    fn pictures_leave_room_for_what_is_small_and_are_counted_when_they_find_none() {
        let (sender, inbox) = queue(false);
        while sender.has_room() {
            assert!(sender.send(Picture(true)));
        }
        sender.missed();
        let small = (0..MAX_MESSAGES).filter(|_| sender.send(Picture(false))).count();
        assert_eq!(small, MAX_MESSAGES - MAX_PICTURES);
        assert!(!sender.send(Picture(true)), "full");
        assert_eq!(inbox.missed(), 2);
        assert!(inbox.next().unwrap().0 && sender.has_room(), "taken, there is room again");
    }

    #[test]
    fn a_file_waits_and_an_end_that_is_gone_is_noticed() {
        let (sender, inbox) = queue(true);
        let all = std::thread::scope(|scope| {
            let reader = scope.spawn(move || std::iter::from_fn(|| inbox.next()).count());
            (0..500).for_each(|_| assert!(sender.send(Picture(true))));
            drop(sender);
            reader.join().unwrap()
        });
        assert_eq!(all, 500);
        let (sender, inbox) = queue(false);
        drop(inbox);
        assert!(!sender.send(Picture(false)));
    }
}
