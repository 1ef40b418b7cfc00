//! A pipeline of GStreamer as `gst-launch-1.0` takes it. It may hold an address with a password, so what is shown of it, in logs, errors and
//! `Debug` output, is its first word, and that only where it is the name of an element.

use std::fmt;

/// Longest pipeline, bytes.
const MAX_BYTES: usize = 4_096;

/// Words of a pipeline, at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct GstPipeline(Vec<String>);

impl GstPipeline {
    /// Splits a text as a shell would, so that what was tried on a command line can be copied; nothing else of a shell is done.
    ///
    /// # Errors
    /// What is wrong and what to write instead, without the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES || text.contains('\0') {
            return Err(format!("is no pipeline: more than {MAX_BYTES} bytes, or a byte of 0"));
        }
        let words = shell_words::split(text).map_err(|_| "has a quote that is not closed")?;
        let is_pipe = |word: Option<&String>| word.is_some_and(|word| word == "!");
        match words.first().map(String::as_str) {
            None => {
                Err("is empty: give elements such as \"v4l2src ! video/x-raw,width=640,height=480\""
                    .to_owned())
            }
            Some("gst-launch-1.0") => Err("begins with gst-launch-1.0: give what follows it".to_owned()),
            Some(_) if is_pipe(words.first()) || is_pipe(words.last()) => {
                Err("begins or ends with `!`: leave that out, what takes the pictures is added".to_owned())
            }
            Some(_) => Ok(Self(words)),
        }
    }

    /// Its words, as arguments.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for GstPipeline {
    /// Its first element, or only that it is a pipeline: an address may stand there too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_name = |word: &&String| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        match self.0.first().filter(is_name) {
            Some(element) if !element.is_empty() => write!(f, "gst {element}"),
            _ => f.write_str("gst"),
        }
    }
}

impl fmt::Debug for GstPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell_and_nothing_else_of_it_is_done() {
        let words = |text: &str| GstPipeline::parse(text).unwrap().words().to_vec();
        let nvidia = "nvarguscamerasrc sensor-id=0 ! 'video/x-raw(memory:NVMM), width=1280' ! nvvidconv";
        let expected = [
            "nvarguscamerasrc",
            "sensor-id=0",
            "!",
            "video/x-raw(memory:NVMM), width=1280",
            "!",
            "nvvidconv",
        ];
        assert_eq!(words(nvidia), expected);
        assert_eq!(words("a b=$(reboot) ; c | d"), ["a", "b=$(reboot)", ";", "c", "|", "d"]);
        assert_eq!(words("a \\\n  ! b"), ["a", "!", "b"]);
    }

    #[test]
    fn what_cannot_be_a_pipeline_is_told_the_remedy_and_is_not_shown() {
        for (text, says) in [
            ("", "is empty"),
            ("  \n", "is empty"),
            ("a location='hunter2", "quote"),
            ("hunter2 !", "leave that out"),
            ("! hunter2", "leave that out"),
            ("gst-launch-1.0 hunter2", "what follows it"),
            (&"x".repeat(4_097), "4096"),
            ("a\0b", "byte of 0"),
        ] {
            let problem = GstPipeline::parse(text).unwrap_err();
            assert!(problem.contains(says) && !problem.contains("hunter2"), "{problem}");
        }
        let secret = GstPipeline::parse("rtspsrc location=rtsp://u:hunter2@camera/").unwrap();
        assert_eq!(format!("{secret} {secret:?}"), "gst rtspsrc \"gst rtspsrc\"");
        for text in ["rtsp://u:hunter2@camera/ ! decodebin", "location=hunter2 rtspsrc", "'' hunter2"] {
            let secret = GstPipeline::parse(text).unwrap();
            assert_eq!(format!("{secret} {secret:?}"), "gst \"gst\"");
        }
    }
}
