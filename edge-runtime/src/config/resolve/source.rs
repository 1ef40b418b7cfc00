//! Where a camera's frames come from: each kind with its own keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Check;
use crate::capture::Setting;
use crate::config::schema::{Pace, SourceKind, SourceSection};
use crate::config::{CameraUrl, GstPipeline, GstSource, RtspSource, Source};

const DEFAULT_FRAME_RATE_HZ: f64 = 10.0;

const OF_V4L: &str = "kind = \"v4l\"";
const OF_RTSP: &str = "kind = \"rtsp\"";
const OF_GST: &str = "kind = \"gst\"";
const OF_FILES: &str = "kind = \"file\" or \"images\"";

/// Keys, and whether they are given.
type Keys<const N: usize> = [(&'static str, bool); N];

fn of_v4l(raw: &SourceSection) -> Keys<4> {
    [
        ("device", raw.device.is_some()),
        ("width_px", raw.width_px.is_some()),
        ("height_px", raw.height_px.is_some()),
        ("controls", raw.controls.is_some()),
    ]
}

fn of_rtsp(raw: &SourceSection) -> Keys<4> {
    [
        ("url", raw.url.is_some()),
        ("username", raw.username.is_some()),
        ("password_file", raw.password_file.is_some()),
        ("transport", raw.transport.is_some()),
    ]
}

fn of_gst(raw: &SourceSection) -> Keys<1> {
    [("pipeline", raw.pipeline.is_some())]
}

fn of_files(raw: &SourceSection) -> Keys<3> {
    [("path", raw.path.is_some()), ("loop", raw.repeat.is_some()), ("pace", raw.pace.is_some())]
}

impl Check<'_> {
    pub(super) fn source(&mut self, path: &str, raw: SourceSection) -> Option<Source> {
        match raw.kind {
            SourceKind::V4l => Some(self.v4l(path, raw)),
            SourceKind::Rtsp => self.rtsp(path, raw),
            SourceKind::Gst => self.gst(path, raw),
            SourceKind::File | SourceKind::Images => self.video(path, raw),
        }
    }

    fn v4l(&mut self, path: &str, raw: SourceSection) -> Source {
        self.refuse_foreign(path, of_files(&raw), OF_FILES);
        self.refuse_foreign(path, of_rtsp(&raw), OF_RTSP);
        self.refuse_foreign(path, of_gst(&raw), OF_GST);
        let width_px = raw.width_px.unwrap_or(640);
        let height_px = raw.height_px.unwrap_or(480);
        let frame_rate_hz = self.frame_rate(path, raw.frame_rate_hz);
        self.range(&format!("{path}.width_px"), width_px, 16..=8192);
        self.range(&format!("{path}.height_px"), height_px, 16..=8192);
        let device = raw.device.unwrap_or_else(|| PathBuf::from("/dev/video0"));
        let settings = self.controls(path, raw.controls.unwrap_or_default());
        Source::V4l { device: self.path(device), width_px, height_px, frame_rate_hz, settings }
    }

    fn rtsp(&mut self, path: &str, raw: SourceSection) -> Option<Source> {
        self.refuse_foreign(path, of_v4l(&raw), OF_V4L);
        self.refuse_foreign(path, of_gst(&raw), OF_GST);
        self.refuse_foreign(path, of_files(&raw), OF_FILES);
        let frame_rate_hz = self.frame_rate(path, raw.frame_rate_hz);
        if let Some(username) = &raw.username
            && !username.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        {
            self.wrong(
                &format!("{path}.username"),
                "has characters that RTSP cannot carry: use letters of ASCII",
            );
        }
        let credentials = self.credentials(path, raw.username, raw.password_file);
        let Some(url) = raw.url else {
            self.wrong(path, "needs `url`, the camera's address such as rtsp://camera.local/stream1");
            return None;
        };
        let url = CameraUrl::parse(&url).map_err(|reason| self.wrong(&format!("{path}.url"), reason)).ok()?;
        let transport = raw.transport.unwrap_or_default();
        Some(Source::Rtsp(RtspSource { url, credentials, transport, frame_rate_hz }))
    }

    fn gst(&mut self, path: &str, raw: SourceSection) -> Option<Source> {
        self.refuse_foreign(path, of_v4l(&raw), OF_V4L);
        self.refuse_foreign(path, of_rtsp(&raw), OF_RTSP);
        self.refuse_foreign(path, of_files(&raw), OF_FILES);
        let frame_rate_hz = self.frame_rate(path, raw.frame_rate_hz);
        let Some(text) = raw.pipeline else {
            self.wrong(path, "needs `pipeline`, elements of GStreamer such as \"v4l2src ! video/x-raw,width=640,height=480\"");
            return None;
        };
        let pipeline = GstPipeline::parse(&text);
        let pipeline = pipeline.map_err(|reason| self.wrong(&format!("{path}.pipeline"), reason)).ok()?;
        Some(Source::Gst(GstSource { pipeline, frame_rate_hz }))
    }

    fn controls(&mut self, path: &str, raw: BTreeMap<String, i64>) -> Vec<Setting> {
        let mut settings = Vec::with_capacity(raw.len());
        for (name, value) in raw {
            match Setting::new(&name, value) {
                Some(setting) => settings.push(setting),
                None => {
                    let known: Vec<&str> = Setting::names().collect();
                    self.wrong(
                        &format!("{path}.controls.{name}"),
                        format!("no such control; there are {}", known.join(", ")),
                    );
                }
            }
        }
        settings
    }

    fn video(&mut self, path: &str, raw: SourceSection) -> Option<Source> {
        self.refuse_foreign(path, of_v4l(&raw), OF_V4L);
        self.refuse_foreign(path, of_rtsp(&raw), OF_RTSP);
        self.refuse_foreign(path, of_gst(&raw), OF_GST);
        let has_rate = raw.frame_rate_hz.is_some() && raw.kind == SourceKind::File;
        self.refuse_foreign(path, [("frame_rate_hz", has_rate)], "another kind: a file has its own");
        let image_rate_hz = self.frame_rate(path, raw.frame_rate_hz);
        let Some(file) = raw.path else {
            self.wrong(path, "needs `path`, the video file or folder of images");
            return None;
        };
        Some(Source::Video {
            path: self.path(file),
            repeat: raw.repeat.unwrap_or(false),
            pace: raw.pace.unwrap_or(Pace::RealTime),
            image_rate_hz,
        })
    }

    fn frame_rate(&mut self, path: &str, given_hz: Option<f64>) -> f64 {
        let rate_hz = given_hz.unwrap_or(DEFAULT_FRAME_RATE_HZ);
        self.range(&format!("{path}.frame_rate_hz"), rate_hz, 0.1..=240.0);
        rate_hz
    }
}
