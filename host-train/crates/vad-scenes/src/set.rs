//! A set of videos from one camera, normal and abnormal.

use std::path::PathBuf;

use crate::dice::{Dice, Purpose};
use crate::spec::{Anomaly, AnomalyKind, SceneError, SceneSpec};

/// Most videos in a set, so that names stay of one length.
const MAX_VIDEOS: u32 = 1000;
/// Fewest frames with room for a normal beginning and an anomaly.
const MIN_FRAMES: u64 = 48;
/// Share of an abnormal video that is abnormal.
const ABNORMAL_SHARE: (f32, f32) = (0.38, 0.56);
/// Share of the video before which nothing happens.
const QUIET_SHARE: f32 = 0.22;

/// A set of videos: equal specs give equal videos and labels.
#[derive(Clone, Debug, PartialEq)]
pub struct SetSpec {
    /// Decides everything about the set.
    pub seed: u64,
    /// Videos in all, 1 to 1000.
    pub videos: u32,
    /// How many of them are abnormal.
    pub abnormal: u32,
    /// The kinds of anomaly, dealt out in turn; not empty if any video is abnormal.
    pub kinds: Vec<AnomalyKind>,
    /// Number of cameras over which the videos are spread, at least 1.
    pub places: u32,
    /// Frames per video, 48 to 36,000.
    pub frames: u64,
    /// Even, 64 to 2048.
    pub width_px: u32,
    /// Even, 64 to 2048.
    pub height_px: u32,
    /// 1 to 60.
    pub frame_rate_hz: f64,
}

impl Default for SetSpec {
    /// 20 videos of 16 seconds, half of them abnormal, from one camera.
    fn default() -> Self {
        Self {
            seed: 1,
            videos: 20,
            abnormal: 10,
            kinds: AnomalyKind::ALL.to_vec(),
            places: 1,
            frames: 160,
            width_px: 320,
            height_px: 240,
            frame_rate_hz: 10.0,
        }
    }
}

/// One video of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// For example `scene-003`: the name says nothing about the label.
    pub name: String,
    /// What the video shows.
    pub scene: SceneSpec,
}

impl SetSpec {
    /// What every video of the set shows, in the order of names.
    ///
    /// # Errors
    /// [`SetError`] names the value that is out of range.
    pub fn plan(&self) -> Result<Vec<Plan>, SetError> {
        self.validate()?;
        let mut dice = Dice::new(self.seed, Purpose::Set);
        let places: Vec<u64> = (0..self.places).map(|_| dice.bits()).collect();
        let is_abnormal = self.shuffled_labels(&mut dice);
        let mut dealt = 0;
        let mut plans = Vec::with_capacity(is_abnormal.len());
        for (index, abnormal) in is_abnormal.into_iter().enumerate() {
            let seed = dice.bits();
            let anomaly = abnormal.then(|| self.anomaly(&mut dealt, &mut dice)).flatten();
            let place_seed = places.get(index % places.len().max(1)).copied().unwrap_or(self.seed);
            let scene = SceneSpec {
                seed,
                place_seed,
                width_px: self.width_px,
                height_px: self.height_px,
                frame_rate_hz: self.frame_rate_hz,
                frames: self.frames,
                walkers: None,
                anomaly,
            };
            scene.validate()?;
            plans.push(Plan { name: format!("scene-{index:03}"), scene });
        }
        Ok(plans)
    }

    fn validate(&self) -> Result<(), SetError> {
        if self.videos == 0 || self.videos > MAX_VIDEOS {
            return Err(SetError::Videos { videos: self.videos });
        }
        if self.abnormal > self.videos {
            return Err(SetError::Abnormal { abnormal: self.abnormal, videos: self.videos });
        }
        if self.abnormal > 0 && self.kinds.is_empty() {
            return Err(SetError::NoKinds { abnormal: self.abnormal });
        }
        if self.places == 0 || self.places > self.videos {
            return Err(SetError::Places { places: self.places, videos: self.videos });
        }
        if self.abnormal > 0 && self.frames < MIN_FRAMES {
            return Err(SetError::Short { frames: self.frames });
        }
        Ok(())
    }

    /// Which videos are abnormal, in random order.
    fn shuffled_labels(&self, dice: &mut Dice) -> Vec<bool> {
        let mut labels: Vec<bool> = (0..self.videos).map(|index| index < self.abnormal).collect();
        for last in (1..labels.len()).rev() {
            labels.swap(last, dice.below(last + 1));
        }
        labels
    }

    fn anomaly(&self, dealt: &mut usize, dice: &mut Dice) -> Option<Anomaly> {
        let kind = self.kinds.get(*dealt % self.kinds.len().max(1)).copied()?;
        *dealt += 1;
        let frames = self.frames as f32;
        let span = (frames * dice.range(ABNORMAL_SHARE.0, ABNORMAL_SHARE.1)) as u64;
        let latest = self.frames - span;
        let earliest = (frames * QUIET_SHARE) as u64;
        let drawn = dice.range(earliest as f32, latest as f32) as u64;
        let first_frame = if kind.stays() { latest } else { drawn };
        Some(Anomaly { kind, first_frame, last_frame: first_frame + span - 1 })
    }
}

/// Why a set cannot be made or written.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// No videos, or too many.
    #[error("videos = {videos}: give 1 to 1000")]
    Videos {
        /// The value given.
        videos: u32,
    },
    /// More abnormal videos than videos.
    #[error("abnormal = {abnormal} of {videos} videos: give at most {videos}")]
    Abnormal {
        /// Abnormal videos asked for.
        abnormal: u32,
        /// Videos asked for.
        videos: u32,
    },
    /// Abnormal videos without a kind of anomaly.
    #[error("{abnormal} abnormal videos but no kind of anomaly: name at least one")]
    NoKinds {
        /// Abnormal videos asked for.
        abnormal: u32,
    },
    /// No camera, or more cameras than videos.
    #[error("places = {places} for {videos} videos: give 1 to {videos}")]
    Places {
        /// Cameras asked for.
        places: u32,
        /// Videos asked for.
        videos: u32,
    },
    /// Too short for an anomaly after a normal beginning.
    #[error("frames = {frames}: an abnormal video needs at least 48")]
    Short {
        /// The value given.
        frames: u64,
    },
    /// A scene of the set cannot be made.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// A video could not be written.
    #[error(transparent)]
    Video(#[from] vad_video::VideoError),
    /// A file or folder could not be written.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// The folder already holds a set.
    #[error("{} exists: choose another folder, or allow the set in it to be replaced", path.display())]
    Exists {
        /// The label file found.
        path: PathBuf,
    },
    /// The caller's progress function asked to stop.
    #[error("stopped after {done} of {videos} videos; no labels.csv was written to {}", dir.display())]
    Stopped {
        /// The folder.
        dir: PathBuf,
        /// Videos finished.
        done: u32,
        /// Videos asked for.
        videos: u32,
    },
    /// A frame did not have the size of its scene (a defect of this crate).
    #[error("{name}: frame {frame}: {source}")]
    Frame {
        /// The video.
        name: String,
        /// The frame, from 0.
        frame: u64,
        /// The reason.
        source: vad_core::FrameError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_the_videos_asked_for() {
        let spec = SetSpec { videos: 30, abnormal: 15, ..SetSpec::default() };
        let plans = spec.plan().unwrap();
        assert_eq!(plans, spec.plan().unwrap());
        let anomalies: Vec<Anomaly> = plans.iter().filter_map(|plan| plan.scene.anomaly).collect();
        assert_eq!((plans.len(), anomalies.len()), (30, 15));
        for kind in AnomalyKind::ALL {
            assert_eq!(anomalies.iter().filter(|a| a.kind == kind).count(), 3, "{kind}");
        }
        for anomaly in &anomalies {
            let share = (anomaly.last_frame - anomaly.first_frame + 1) as f32 / 160.0;
            assert!((0.35..0.6).contains(&share), "{anomaly:?}");
            assert!(anomaly.first_frame >= 35 && anomaly.last_frame < 160, "{anomaly:?}");
        }
        let first: std::collections::BTreeSet<u64> = anomalies.iter().map(|a| a.first_frame).collect();
        assert!(first.len() > 8, "starts vary: {first:?}");
    }

    #[test]
    fn labels_do_not_follow_the_order_of_names() {
        let plans = SetSpec::default().plan().unwrap();
        let labels: Vec<bool> = plans.iter().map(|plan| plan.scene.anomaly.is_some()).collect();
        let changes = labels.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes >= 4, "{labels:?}");
    }

    #[test]
    fn one_camera_is_the_default() {
        let cameras = |places: u32| {
            let plans = SetSpec { places, ..SetSpec::default() }.plan().unwrap();
            plans.iter().map(|plan| plan.scene.place_seed).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!((cameras(1), cameras(3)), (1, 3));
    }

    #[test]
    fn bad_sets_are_refused_with_the_value() {
        let base = SetSpec::default;
        let cases = [
            (SetSpec { videos: 0, abnormal: 0, ..base() }, "videos = 0"),
            (SetSpec { abnormal: 21, ..base() }, "abnormal = 21 of 20"),
            (SetSpec { kinds: Vec::new(), ..base() }, "no kind of anomaly"),
            (SetSpec { places: 0, ..base() }, "places = 0"),
            (SetSpec { frames: 20, ..base() }, "frames = 20"),
            (SetSpec { width_px: 321, ..base() }, "width_px = 321"),
            (SetSpec { frame_rate_hz: f64::NAN, ..base() }, "frame_rate_hz = NaN"),
        ];
        for (spec, says) in cases {
            let error = spec.plan().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
