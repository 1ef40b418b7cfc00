//! The camera in a test's hand: it is plugged in, pulled out and told how to behave, and a thread plays it.

use std::io::{BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::camera::Camera;
use super::film::Format;
use super::redir::{self, Packet};
use super::{PRODUCT, descriptors};
use crate::remote::Remote;

/// An emulator that takes nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Events on their way to the camera's thread.
const QUEUE: usize = 64;

/// How a camera gives its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// As the class has it.
    Honest,
    /// Each picture ends half-way.
    Truncated,
    /// No picture ends.
    Endless,
    /// Each picture is said to be damaged.
    Flagged,
    /// Payloads have no header.
    Headless,
    /// Each picture is noise behind its first bytes.
    Scrambled,
    /// The endpoint refuses every transfer.
    Halted,
}

/// Which camera is plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// All it offers.
    pub format: Format,
    /// How it begins.
    pub conduct: Conduct,
}

/// A webcam at the end of an emulator's cable; nothing is plugged in at first.
pub struct Webcam {
    socket: PathBuf,
    events: SyncSender<Event>,
    has_ended: Arc<AtomicBool>,
}

/// What happens to the camera's thread.
enum Event {
    /// An emulator has the other end of the cable.
    Joined(UnixStream),
    Packet(Packet),
    /// It has let go of it.
    Gone,
    Plugged(Box<Camera>),
    Unplugged,
    Behave(Conduct),
    End,
}

impl Webcam {
    /// A cable that an emulator finds in `folder`.
    ///
    /// # Errors
    /// When there is no room for a socket or a thread.
    pub fn new(folder: &Path) -> Result<Self> {
        let socket = folder.join("webcam");
        let listener = UnixListener::bind(&socket).with_context(|| socket.display().to_string())?;
        let (events, taken) = sync_channel(QUEUE);
        let has_ended = Arc::new(AtomicBool::new(false));
        let (to_camera, is_over) = (events.clone(), Arc::clone(&has_ended));
        std::thread::Builder::new().name("webcam".to_owned()).spawn(move || Cable::default().play(&taken))?;
        std::thread::Builder::new()
            .name("webcam cable".to_owned())
            .spawn(move || listen(&listener, &to_camera, &is_over))?;
        Ok(Self { socket, events, has_ended })
    }

    /// What makes an emulator look for the cable: a USB controller with one port in use.
    pub(crate) fn options(&self) -> Vec<String> {
        let socket = format!("socket,id=webcam,path={}", self.socket.display());
        ["-device", "qemu-xhci", "-chardev", &socket, "-device", "usb-redir,chardev=webcam"]
            .map(str::to_owned)
            .to_vec()
    }

    /// Plugs a camera in, in place of any other.
    ///
    /// # Errors
    /// When its pictures cannot be made, or its thread has failed.
    pub fn plug(&self, model: Model) -> Result<()> {
        self.tell(Event::Plugged(Box::new(Camera::new(model, model.format.film()?))))
    }

    /// Pulls it out.
    ///
    /// # Errors
    /// When its thread has failed.
    pub fn unplug(&self) -> Result<()> {
        self.tell(Event::Unplugged)
    }

    /// Changes how it gives pictures, in the midst of them.
    ///
    /// # Errors
    /// When its thread has failed.
    pub fn behave(&self, conduct: Conduct) -> Result<()> {
        self.tell(Event::Behave(conduct))
    }

    /// The board's node of the camera's pictures; nothing while the board has none.
    ///
    /// # Errors
    /// When the board does not answer.
    pub fn node(&self, board: &Remote) -> Result<Option<String>> {
        // Each camera has a second node, for what is no picture.
        let find = format!(
            "cd /sys/class/video4linux && for node in *; do
                 if grep -q '{PRODUCT}' $node/name && grep -qx 0 $node/index; then echo /dev/$node; fi
             done 2> /dev/null"
        );
        Ok(board.run(&find)?.lines().next().map(str::to_owned))
    }

    fn tell(&self, event: Event) -> Result<()> {
        self.events.send(event).ok().context("the webcam's thread has failed")
    }
}

impl Drop for Webcam {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::SeqCst);
        // Whoever has gone already needs no word; the connection wakes who waits for one.
        let _ = self.events.send(Event::End);
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Lets one emulator after the other have the cable.
fn listen(listener: &UnixListener, events: &SyncSender<Event>, is_over: &AtomicBool) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        if is_over.load(Ordering::SeqCst) || !serve(stream, events) {
            return;
        }
    }
}

fn greet(stream: &mut UnixStream) -> std::io::Result<BufReader<UnixStream>> {
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&redir::hello())?;
    let mut reader = BufReader::new(stream.try_clone()?);
    redir::read_hello(&mut reader)?;
    Ok(reader)
}

/// Passes on what an emulator wants, until it is gone; whether anybody still listens.
fn serve(mut stream: UnixStream, events: &SyncSender<Event>) -> bool {
    let mut reader = match greet(&mut stream) {
        Ok(reader) => reader,
        Err(e) => {
            eprintln!("webcam: {e}");
            return true;
        }
    };
    if events.send(Event::Joined(stream)).is_err() {
        return false;
    }
    while let Ok(packet) = redir::read(&mut reader) {
        if events.send(Event::Packet(packet)).is_err() {
            return false;
        }
    }
    events.send(Event::Gone).is_ok()
}

/// The camera's thread: what is at either end of the cable.
#[derive(Default)]
struct Cable {
    emulator: Option<UnixStream>,
    camera: Option<Box<Camera>>,
}

impl Cable {
    fn play(mut self, events: &Receiver<Event>) {
        loop {
            let event = match self.camera.as_ref().and_then(|camera| camera.due()) {
                Some(due) => match events.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(event) => Some(event),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                None => match events.recv() {
                    Ok(event) => Some(event),
                    Err(_) => return,
                },
            };
            match event {
                Some(Event::End) => {
                    if let Some(emulator) = &self.emulator {
                        // It may have gone by itself.
                        let _ = emulator.shutdown(std::net::Shutdown::Both);
                    }
                    return;
                }
                Some(event) => self.take(event),
                None => {}
            }
            if let Some(camera) = &mut self.camera {
                let given = camera.give(Instant::now());
                self.send(&given);
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Joined(emulator) => {
                self.emulator = Some(emulator);
                if let Some(camera) = &mut self.camera {
                    camera.forget();
                    self.send(&redir::connect(&descriptors::DEVICE));
                }
            }
            Event::Packet(packet) => {
                // Without a camera it is from before the board knew.
                if let Some(camera) = &mut self.camera {
                    let answer = camera.take(packet);
                    self.send(&answer);
                }
            }
            Event::Gone | Event::End => self.emulator = None,
            Event::Plugged(camera) => {
                if self.camera.replace(camera).is_some() {
                    self.send(&redir::disconnect());
                }
                self.send(&redir::connect(&descriptors::DEVICE));
            }
            Event::Unplugged => {
                if self.camera.take().is_some() {
                    self.send(&redir::disconnect());
                }
            }
            Event::Behave(conduct) => {
                if let Some(camera) = &mut self.camera {
                    camera.behave(conduct);
                }
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        if let Some(emulator) = &mut self.emulator
            && let Err(e) = emulator.write_all(bytes)
        {
            eprintln!("webcam: the emulator takes nothing any more: {e}");
            // It may have gone by itself.
            let _ = emulator.shutdown(std::net::Shutdown::Both);
            self.emulator = None;
        }
    }
}
