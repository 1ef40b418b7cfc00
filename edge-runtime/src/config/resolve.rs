//! From the file's keys to checked values. Collects every problem, so that one run of `check` shows them all.

mod areas;
mod arming;
mod evidence;
mod local;
mod network;
mod page;
mod source;

use std::fmt::Display;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use alarm_proto::{BoardId, CameraId, SiteId};
use vad_infer::Pulse;

use self::arming::Armings;
use super::schema::{CameraSection, ConfigFile, ScoreOverride};
use super::{CameraConfig, Config, OutboxConfig};

const DAY_MS: u32 = 86_400_000;
const MAX_CAMERAS: usize = 16;
/// Beside the outbox.
const COUNTER_FILE: &str = "command-counter";

/// Key path and message of each wrong value.
type Problems = Vec<(String, String)>;

pub(super) fn resolve(raw: ConfigFile, file: &Path) -> Result<Config, Problems> {
    let mut check = Check { folder: file.parent().unwrap_or(Path::new("")), problems: Vec::new() };
    let board = check.name::<BoardId>("board.id", &raw.board.id);
    let site = check.name::<SiteId>("board.site", &raw.board.site);
    if let Some(pulse) = raw.model.pulse {
        check.range("model.pulse", pulse, 1..=Pulse::MOST);
    }
    let outbox_path = check.path(raw.outbox.path.clone());
    let network = raw.network.map(|n| check.network(n, outbox_path.with_file_name(COUNTER_FILE)));
    check.range("outbox.max_bytes", raw.outbox.max_bytes, 65_536..=4 << 30);
    let evidence = raw.evidence.map(|e| check.evidence(e));
    let page = raw.page.map(|page| check.page(page));
    check.score("score", &raw.score);
    let outputs = check.outputs(raw.output);
    let inputs = check.inputs(raw.input, &outputs);
    let armings = check.armings(&raw.board, raw.schedule);
    let cameras = check.cameras(raw.camera, &armings);
    match (board, site, network) {
        (Some(board), Some(site), network) if check.problems.is_empty() => Ok(Config {
            file: file.to_owned(),
            board,
            site,
            hardware: raw.board.hardware.unwrap_or_else(default_hardware),
            bundle: check.path(raw.model.bundle),
            pulse: raw.model.pulse,
            network: network.flatten(),
            outbox: OutboxConfig { path: outbox_path, max_bytes: raw.outbox.max_bytes },
            evidence,
            page: page.flatten(),
            score: raw.score,
            outputs,
            inputs,
            cameras,
        }),
        _ => Err(check.problems),
    }
}

fn default_hardware() -> String {
    match std::env::consts::ARCH {
        "aarch64" => "generic-arm64".to_owned(),
        "x86_64" => "generic-amd64".to_owned(),
        other => format!("generic-{other}"),
    }
}

/// What is wrong stands among the problems.
struct Noted;

/// The first and only line of a file of which at most `max_bytes` are read.
fn only_line(file: &Path, max_bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(max_bytes).read_to_end(&mut bytes)?;
    Ok(bytes.trim_ascii_end().to_vec())
}

struct Check<'a> {
    folder: &'a Path,
    problems: Problems,
}

impl Check<'_> {
    fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push((key.to_owned(), message.into()));
    }

    fn path(&self, path: PathBuf) -> PathBuf {
        self.folder.join(path)
    }

    /// Both files of a certificate in the section at `path`, or neither; an error where one is missing, which is noted.
    fn identity(
        &mut self,
        path: &str,
        certificate: Option<PathBuf>,
        key: Option<PathBuf>,
    ) -> Result<Option<(PathBuf, PathBuf)>, Noted> {
        let (alone, other) = match (certificate, key) {
            (Some(certificate), Some(key)) => return Ok(Some((self.path(certificate), self.path(key)))),
            (None, None) => return Ok(None),
            (Some(_), None) => ("certificate_file", "key_file"),
            (None, Some(_)) => ("key_file", "certificate_file"),
        };
        self.wrong(&format!("{path}.{alone}"), format!("needs `{other}` beside it"));
        Err(Noted)
    }

    fn range<T: PartialOrd + Display>(&mut self, key: &str, value: T, allowed: RangeInclusive<T>) {
        if !allowed.contains(&value) {
            self.wrong(key, format!("{value} is outside {} to {}", allowed.start(), allowed.end()));
        }
    }

    fn name<T: for<'s> TryFrom<&'s str>>(&mut self, key: &str, text: &str) -> Option<T> {
        let name = T::try_from(text).ok();
        if name.is_none() {
            self.wrong(key, format!("`{text}` is not a name: use 1 to 32 of a-z, 0-9, `-` and `_`"));
        }
        name
    }

    fn score(&mut self, path: &str, score: &ScoreOverride) {
        let key = |name: &str| format!("{path}.{name}");
        if let Some(raise) = score.raise_threshold {
            self.range(&key("raise_threshold"), raise, 0.0..=1.0);
        }
        if let Some(clear) = score.clear_threshold {
            self.range(&key("clear_threshold"), clear, 0.0..=1.0);
        }
        if let (Some(raise), Some(clear)) = (score.raise_threshold, score.clear_threshold)
            && clear > raise
        {
            self.wrong(&key("clear_threshold"), format!("{clear} is above raise_threshold {raise}"));
        }
        if let Some(critical) = score.critical_threshold {
            self.range(&key("critical_threshold"), critical, score.raise_threshold.unwrap_or(0.0)..=1.0);
        }
        let durations = [
            ("min_duration_ms", score.min_duration_ms),
            ("cool_down_ms", score.cool_down_ms),
            ("update_interval_ms", score.update_interval_ms),
        ];
        for (name, ms) in durations {
            self.range(&key(name), ms.unwrap_or(0), 0..=DAY_MS);
        }
    }

    fn cameras(&mut self, raw: Vec<CameraSection>, armings: &Armings) -> Vec<CameraConfig> {
        if raw.len() > MAX_CAMERAS {
            self.wrong(
                "camera",
                format!("{} cameras are more than the {MAX_CAMERAS} one board serves", raw.len()),
            );
            return Vec::new();
        }
        let mut cameras: Vec<CameraConfig> = Vec::with_capacity(raw.len());
        for (index, mut camera) in raw.into_iter().enumerate() {
            let path = format!("camera[{index}]");
            let id = self.name::<CameraId>(&format!("{path}.id"), &camera.id);
            self.score(&format!("{path}.score"), &camera.score);
            let view = self.view(&path, &mut camera);
            let armed = camera.armed.as_deref();
            let arming = armed
                .map_or_else(|| armings.board(), |name| self.arming(&format!("{path}.armed"), name, armings));
            let source = self.source(&format!("{path}.source"), camera.source);
            let (Some(id), Some(source)) = (id, source) else {
                continue;
            };
            if cameras.iter().any(|c| c.id == id) {
                self.wrong(&format!("{path}.id"), format!("`{}` names two cameras", camera.id));
            }
            cameras.push(CameraConfig {
                id,
                source,
                score: camera.score,
                view,
                arming,
                tolerated: camera.tolerate,
            });
        }
        cameras
    }

    fn refuse_foreign<const N: usize>(&mut self, path: &str, keys: [(&str, bool); N], needed: &str) {
        for (name, _) in keys.iter().filter(|(_, given)| *given) {
            self.wrong(&format!("{path}.{name}"), format!("needs {needed}"));
        }
    }
}
