//! What a child says. All of it is read, so that the child never waits for a reader; only the reason of its end is kept, and shown without
//! what its pipeline may hold of secrets.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::secrets::Secrets;
use crate::health::lock;

/// Longest line that is kept, bytes. It has room for a whole pipeline, so that no secret is cut in two before it is hidden.
const MAX_LINE: usize = 8 << 10;
/// Longest reason, bytes.
const MAX_REASON: usize = 400;
/// Lines of an error after its first: a title, a place in the source, and what the matter is.
const LINES_OF_DETAIL: u8 = 3;

/// A listener to one child.
pub(super) struct Said {
    words: Arc<Mutex<Words>>,
    secrets: Secrets,
    thread: JoinHandle<()>,
}

impl Said {
    /// Listens in a thread of its own, which ends when nobody can say anything any more.
    pub(super) fn listen(pipe: impl Read + Send + 'static, secrets: Secrets) -> std::io::Result<Self> {
        let words = Arc::<Mutex<Words>>::default();
        let heard = Arc::clone(&words);
        let thread =
            std::thread::Builder::new().name("gst says".to_owned()).spawn(move || listen(pipe, &heard))?;
        Ok(Self { words, secrets, thread })
    }

    /// Whether everything has been heard.
    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Its first error, or else its last word.
    pub(super) fn reason(&self) -> Option<String> {
        let reason = lock(&self.words).reason();
        reason.map(|reason| shown(&reason, &self.secrets))
    }
}

fn shown(reason: &str, secrets: &Secrets) -> String {
    let mut shown = secrets.hide(reason);
    shown.truncate(shown.floor_char_boundary(MAX_REASON));
    shown
}

fn listen(mut pipe: impl Read, words: &Mutex<Words>) {
    let (mut chunk, mut line) = ([0; 4_096], Vec::with_capacity(MAX_LINE));
    loop {
        let length = match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for &byte in &chunk[..length] {
            if byte == b'\n' {
                lock(words).hear(&line);
                line.clear();
            } else if line.len() < MAX_LINE {
                line.push(byte);
            }
        }
    }
    lock(words).hear(&line);
}

#[derive(Default)]
struct Words {
    error: Option<String>,
    detail: Option<String>,
    last: Option<String>,
    /// Lines that still belong to the error.
    awaited: u8,
}

impl Words {
    fn hear(&mut self, line: &[u8]) {
        let line: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).collect();
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        let is_error = line.starts_with("ERROR");
        if self.error.is_none()
            && let Some(reason) = error_in(line)
        {
            self.error = Some(reason.to_owned());
            self.awaited = if is_error { LINES_OF_DETAIL } else { 0 };
        } else if self.awaited > 0 {
            self.awaited = if is_error { 0 } else { self.awaited - 1 };
            if self.awaited == 0 && !is_error {
                self.detail = Some(line.to_owned());
            }
        }
        self.last = Some(line.to_owned());
    }

    fn reason(&self) -> Option<String> {
        match (&self.error, &self.detail) {
            (Some(error), Some(detail)) => Some(format!("{error} {detail}")),
            (Some(error), None) => Some(error.clone()),
            (None, _) => self.last.clone(),
        }
    }
}

fn error_in(line: &str) -> Option<&str> {
    line.strip_prefix("ERROR: ").or_else(|| line.split_once("erroneous pipeline: ").map(|(_, reason)| reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason_of(text: &str) -> Option<String> {
        let words = Mutex::default();
        listen(text.as_bytes(), &words);
        lock(&words).reason()
    }

    #[test]
    fn the_first_error_and_its_detail_are_the_reason() {
        let missing = "GST_ARGUS: hello\n\
             ERROR: from element /GstPipeline:pipeline0/GstFileSrc:filesrc0: Resource not found.\n\
             Additional debug info:\n\
             ../gstfilesrc.c(553): gst_file_src_start (): /GstPipeline:pipeline0/GstFileSrc:filesrc0:\n\
             No such file \"/x\"\n\
             ERROR: pipeline doesn't want to preroll.\n";
        let reason = "from element /GstPipeline:pipeline0/GstFileSrc:filesrc0: Resource not found. No such file \"/x\"";
        assert_eq!(reason_of(missing).unwrap(), reason);
        let unknown = "WARNING: erroneous pipeline: no element \"nosuch\"\n";
        assert_eq!(reason_of(unknown).unwrap(), "no element \"nosuch\"");
        assert_eq!(reason_of("ERROR: a\nERROR: b\nc\n").unwrap(), "a");
        assert_eq!(reason_of("one\n\x1b[31mtwo").unwrap(), "[31mtwo");
        assert_eq!(reason_of("\n\n"), None);
    }

    #[test]
    fn an_address_is_not_shown_however_it_is_said() {
        let pipeline = ["rtsp://u:hunter2@camera/x".to_owned(), "!".to_owned(), "decodebin".to_owned()];
        let secrets = Secrets::of(&pipeline);
        for text in [
            "WARNING: erroneous pipeline: no source element for URI \"rtsp://u:hunter2@camera/x\"\n",
            "ERROR: from element /x: Not found\nAdditional debug info:\nx.c(1): f (): /x\n404 for rtsp://u:hunter2@camera/x\n",
            "tried with hunter2\n",
            &format!("{}rtsp://u:hunter2@camera/x", "x".repeat(MAX_REASON - 12)),
        ] {
            let reason = shown(&reason_of(text).unwrap(), &secrets);
            assert!(!reason.contains("hunter") && reason.len() <= MAX_REASON, "{reason}");
        }
    }

    #[test]
    fn endless_lines_and_endless_talk_are_kept_short() {
        let reason = reason_of(&"x".repeat(1 << 20)).unwrap();
        assert_eq!(reason.len(), MAX_LINE);
        assert_eq!(reason_of(&"line\n".repeat(100_000)).unwrap(), "line");
    }
}
