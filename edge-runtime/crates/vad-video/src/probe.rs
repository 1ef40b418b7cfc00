//! What `ffprobe` says of a file before it is decoded.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::VideoError;
use crate::info::check_size;
use crate::program::{Running, ffprobe, file_url, input_limits};

const MAX_ANSWER_BYTES: u64 = 64 * 1024;
const MAX_RATE_HZ: f64 = 1000.0;

/// The container's word on its first video stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Probe {
    pub(crate) frame_rate_hz: f64,
    pub(crate) frames_claimed: Option<u64>,
}

/// Asks `ffprobe`, which reads little more than the file's head.
///
/// # Errors
/// Not a video, no video stream, frames too large, no frame rate, or the program is missing.
pub(crate) fn probe(path: &Path) -> Result<Probe, VideoError> {
    let mut command = ffprobe();
    command.args(input_limits()).args(["-select_streams", "V:0", "-of", "json", "-show_entries"]);
    command.arg("stream=width,height,avg_frame_rate,r_frame_rate,nb_frames,duration:format=format_name");
    command.arg(file_url(path));
    let mut running = Running::start("ffprobe", command, false)?;
    let mut answer = Vec::new();
    if let Some(stdout) = running.take_stdout() {
        stdout
            .take(MAX_ANSWER_BYTES)
            .read_to_end(&mut answer)
            .map_err(|source| VideoError::io(path, "read ffprobe's answer", source))?;
    }
    let (status, log) = running.wait().map_err(|source| VideoError::io(path, "wait for ffprobe", source))?;
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    if !status.success() || answer.get("format").is_none() {
        return Err(not_a_video(path, &log.reason()));
    }
    parse(path, &answer)
}

fn parse(path: &Path, answer: &Value) -> Result<Probe, VideoError> {
    let stream = &answer["streams"][0];
    if stream.is_null() {
        return Err(VideoError::NoVideoStream { path: path.to_owned() });
    }
    let side = |key: &str| stream[key].as_u64().and_then(|px| u32::try_from(px).ok()).unwrap_or(0);
    check_size(path, side("width"), side("height"))?;
    let frame_rate_hz =
        rate(stream, "avg_frame_rate").or_else(|| rate(stream, "r_frame_rate")).ok_or_else(|| {
            VideoError::FrameRate {
                path: path.to_owned(),
                given: format!("average {}, base {}", stream["avg_frame_rate"], stream["r_frame_rate"]),
            }
        })?;
    let is_mov = answer["format"]["format_name"].as_str().is_some_and(|name| name.starts_with("mov"));
    Ok(Probe { frame_rate_hz, frames_claimed: frames_claimed(stream, is_mov.then_some(frame_rate_hz)) })
}

/// The claim is the container's count of samples. An mp4's edit list may hide some of them from the viewer; its
/// duration then covers fewer, and a rounding of one frame is allowed.
fn frames_claimed(stream: &Value, mov_rate_hz: Option<f64>) -> Option<u64> {
    let counted: u64 = stream["nb_frames"].as_str()?.parse().ok().filter(|&count| count > 0)?;
    let Some(rate_hz) = mov_rate_hz else {
        return Some(counted);
    };
    let duration_s: f64 = stream["duration"].as_str()?.parse().ok()?;
    let shown = duration_s * rate_hz;
    if shown + 0.5 >= counted as f64 {
        return Some(counted);
    }
    // The cast saturates, and a negative or undefined duration becomes 0.
    Some((shown.floor() - 1.0) as u64).filter(|&count| count > 0)
}

/// `"30000/1001"` as frames per second; `None` unless it is a plausible rate.
fn rate(stream: &Value, key: &str) -> Option<f64> {
    let (numerator, denominator) = stream[key].as_str()?.split_once('/')?;
    let rate_hz = numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?;
    (rate_hz > 0.0 && rate_hz <= MAX_RATE_HZ).then_some(rate_hz)
}

fn not_a_video(path: &Path, reason: &str) -> VideoError {
    let reason = match reason {
        reason if reason.contains("not on whitelist") => {
            "a picture, text or playlist, not a video container".to_owned()
        }
        "" => "ffprobe gave no reason".to_owned(),
        reason => reason.to_owned(),
    };
    VideoError::NotAVideo { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stream(count: &str, duration_s: &str) -> Value {
        json!({"nb_frames": count, "duration": duration_s})
    }

    #[test]
    fn claims_follow_the_edit_list_of_an_mp4_alone() {
        assert_eq!(frames_claimed(&stream("180", "18.0"), Some(10.0)), Some(180));
        assert_eq!(frames_claimed(&stream("180", "14.7"), Some(10.0)), Some(146));
        assert_eq!(frames_claimed(&stream("180", "10.0"), None), Some(180));
        assert_eq!(frames_claimed(&stream("0", "10.0"), None), None);
        assert_eq!(frames_claimed(&stream("N/A", "10.0"), None), None);
        assert_eq!(frames_claimed(&stream("180", "-5"), Some(10.0)), None);
    }

    #[test]
    fn implausible_rates_are_no_rates() {
        let of = |text: &str| rate(&json!({ "r": text }), "r");
        assert_eq!(of("25/1"), Some(25.0));
        assert_eq!(of("30000/1001").map(|hz| (hz * 1000.0).round()), Some(29970.0));
        for text in ["0/0", "0/1", "1/0", "-25/1", "90000/1", "25", "", "a/b", "inf/1"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
