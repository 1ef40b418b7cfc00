//! Writes a set: one mp4 per scene, and the label file when every video is there.

use std::fs;
use std::io::Write;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use vad_core::RgbFrame;
use vad_video::VideoWriter;

use crate::scene::Scene;
use crate::set::{Plan, SetError, SetSpec};
use crate::spec::AnomalyKind;

/// Name of the label file of a set.
pub const LABELS_FILE: &str = "labels.csv";
/// Most videos rendered at the same time.
const MAX_WORKERS: usize = 8;

/// How far a set has come; reported after every frame.
#[derive(Clone, Copy, Debug)]
pub struct SetProgress<'a> {
    /// Videos finished.
    pub videos_done: u32,
    /// Videos of the set.
    pub videos: u32,
    /// The video at work.
    pub name: &'a str,
    /// Frames of it that are written.
    pub frames_done: u64,
    /// Frames of it.
    pub frames: u64,
}

/// A video that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Name without extension, as in the label file.
    pub name: String,
    /// The video file.
    pub path: PathBuf,
    /// What happens in it.
    pub kind: Option<AnomalyKind>,
    /// First to last abnormal frame, from 0.
    pub abnormal: Option<RangeInclusive<u64>>,
    /// Frames in the file.
    pub frames: u64,
}

/// Writes the videos of a set as `NAME.mp4` into a folder (which is created), then [`LABELS_FILE`] with the columns
/// `video,label,n_frames,first_abnormal,last_abnormal,class` (frames from 0, both ends inclusive; the class is the kind of
/// anomaly; the last three are empty for normal videos).
///
/// `progress` is called from several threads, after every frame; it may stop the work by
/// [`ControlFlow::Break`]. The label file appears as the last one and whole: a folder without it holds no set.
/// With `replace`, an older label file is removed first.
///
/// # Errors
/// [`SetError`] where the spec is out of range, the folder already holds a set and `replace` is not given, a
/// file cannot be written, or `progress` asked to stop.
pub fn write_set(
    dir: &Path,
    spec: &SetSpec,
    replace: bool,
    progress: &(dyn Fn(SetProgress<'_>) -> ControlFlow<()> + Sync),
) -> Result<Vec<Written>, SetError> {
    let plans = spec.plan()?;
    fs::create_dir_all(dir).map_err(io_error(dir, "cannot create the folder"))?;
    let labels = dir.join(LABELS_FILE);
    if labels.exists() {
        if !replace {
            return Err(SetError::Exists { path: labels });
        }
        fs::remove_file(&labels).map_err(io_error(&labels, "cannot remove the older label file"))?;
    }
    let written = Crew::new(dir, &plans, progress).work()?;
    write_labels(&labels, &written)?;
    Ok(written)
}

/// Threads that render the videos of a set.
struct Crew<'a> {
    dir: &'a Path,
    plans: &'a [Plan],
    progress: &'a (dyn Fn(SetProgress<'_>) -> ControlFlow<()> + Sync),
    next: AtomicUsize,
    done: AtomicU32,
    stopped: AtomicBool,
    results: Mutex<Vec<(usize, Result<Written, SetError>)>>,
}

impl<'a> Crew<'a> {
    fn new(
        dir: &'a Path,
        plans: &'a [Plan],
        progress: &'a (dyn Fn(SetProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Self {
        Self {
            dir,
            plans,
            progress,
            next: AtomicUsize::new(0),
            done: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
            results: Mutex::new(Vec::new()),
        }
    }

    /// The first error in the order of names, or everything that was written in that order.
    fn work(self) -> Result<Vec<Written>, SetError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(self.plans.len()) {
                scope.spawn(|| self.run_one_worker());
            }
        });
        let mut results = self.results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        results.sort_by_key(|(index, _)| *index);
        // A real failure tells more than the stop that it caused elsewhere.
        let failure =
            results.iter().position(|(_, r)| matches!(r, Err(e) if !matches!(e, SetError::Stopped { .. })));
        if let Some((_, Err(error))) = failure.map(|at| results.swap_remove(at)) {
            return Err(error);
        }
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn run_one_worker(&self) {
        while !self.stopped.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(plan) = self.plans.get(index) else {
                return;
            };
            let result = self.write_video(plan);
            match &result {
                Ok(_) => self.done.fetch_add(1, Ordering::Relaxed),
                Err(_) => u32::from(self.stopped.swap(true, Ordering::Relaxed)),
            };
            self.results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, result));
        }
    }

    fn write_video(&self, plan: &Plan) -> Result<Written, SetError> {
        let (width_px, height_px, frames) = (plan.scene.width_px, plan.scene.height_px, plan.scene.frames);
        let mut scene = Scene::new(plan.scene.clone())?;
        let path = self.dir.join(format!("{}.mp4", plan.name));
        let mut writer = VideoWriter::create(&path, width_px, height_px, plan.scene.frame_rate_hz)?;
        let mut rgb = Vec::new();
        for frame in 0..frames {
            self.report(plan, frame)?;
            scene.render(frame, &mut rgb)?;
            let picture = RgbFrame::new(width_px, height_px, &rgb);
            let picture =
                picture.map_err(|source| SetError::Frame { name: plan.name.clone(), frame, source })?;
            writer.push(picture)?;
        }
        writer.finish()?;
        self.report(plan, frames)?;
        let kind = plan.scene.anomaly.map(|anomaly| anomaly.kind);
        Ok(Written { name: plan.name.clone(), path, kind, abnormal: scene.truth(), frames })
    }

    fn report(&self, plan: &Plan, frames_done: u64) -> Result<(), SetError> {
        let (videos_done, videos) = (self.done.load(Ordering::Relaxed), self.plans.len() as u32);
        let progress =
            SetProgress { videos_done, videos, name: &plan.name, frames_done, frames: plan.scene.frames };
        if self.stopped.load(Ordering::Relaxed) || (self.progress)(progress).is_break() {
            return Err(SetError::Stopped { dir: self.dir.to_owned(), done: videos_done, videos });
        }
        Ok(())
    }
}

fn write_labels(path: &Path, written: &[Written]) -> Result<(), SetError> {
    let mut text = String::from("video,label,n_frames,first_abnormal,last_abnormal,class\n");
    for video in written {
        let class = video.kind.map_or_else(String::new, |kind| kind.to_string());
        let row = match &video.abnormal {
            Some(range) => {
                format!(
                    "{},abnormal,{},{},{},{class}\n",
                    video.name,
                    video.frames,
                    range.start(),
                    range.end()
                )
            }
            None => format!("{},normal,{},,,\n", video.name, video.frames),
        };
        text.push_str(&row);
    }
    let partial = path.with_extension("csv.partial");
    let mut file = fs::File::create(&partial).map_err(io_error(&partial, "cannot create the label file"))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(io_error(&partial, "cannot write the label file"))?;
    fs::rename(&partial, path).map_err(io_error(path, "cannot rename the finished label file"))
}

fn io_error<'a>(path: &'a Path, action: &'static str) -> impl FnOnce(std::io::Error) -> SetError + use<'a> {
    move |source| SetError::Io { path: path.to_owned(), action, source }
}
