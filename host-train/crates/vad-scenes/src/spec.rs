//! What a scene is asked to be, and why it may be refused.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Smallest and largest picture side in pixels.
const SIDE_PX: RangeInclusive<u32> = 64..=2048;
/// Most frames in one video: an hour at ten frames per second.
const MAX_FRAMES: u64 = 36_000;
const FRAME_RATE_HZ: RangeInclusive<f64> = 1.0..=60.0;
const WALKERS: RangeInclusive<f32> = 0.0..=24.0;

/// What happens in an abnormal video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnomalyKind {
    /// Somebody rides a bicycle among the walkers.
    Cyclist,
    /// A car, van or cart drives over the pavement.
    Vehicle,
    /// Somebody runs to and fro.
    Runner,
    /// A walker falls and stays on the ground.
    Fall,
    /// A walker puts a suitcase down and leaves it.
    LeftObject,
}

impl AnomalyKind {
    /// Every kind, in a fixed order.
    pub const ALL: [Self; 5] = [Self::Cyclist, Self::Vehicle, Self::Runner, Self::Fall, Self::LeftObject];

    /// The name used on command lines, for example `left-object`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cyclist => "cyclist",
            Self::Vehicle => "vehicle",
            Self::Runner => "runner",
            Self::Fall => "fall",
            Self::LeftObject => "left-object",
        }
    }

    /// Whether what happened stays in the picture up to the end of the video.
    #[must_use]
    pub const fn stays(self) -> bool {
        matches!(self, Self::Fall | Self::LeftObject)
    }
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AnomalyKind {
    type Err = SceneError;

    fn from_str(name: &str) -> Result<Self, SceneError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| SceneError::UnknownKind { name: name.to_owned() })
    }
}

/// One anomaly of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What happens.
    pub kind: AnomalyKind,
    /// First frame in which it is to be seen, counted from 0.
    pub first_frame: u64,
    /// Last frame in which it is to be seen. A kind that [stays](AnomalyKind::stays) is seen up to the end of
    /// the video whatever is said here; of the others, [`Scene::truth`](crate::Scene::truth) says what speed and
    /// geometry made of it.
    pub last_frame: u64,
}

/// A scene: equal specs give equal bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneSpec {
    /// Decides walkers, light, noise and the looks of the anomaly.
    pub seed: u64,
    /// Decides the street and the camera: scenes with the same value come from the same camera.
    pub place_seed: u64,
    /// Even, 64 to 2048.
    pub width_px: u32,
    /// Even, 64 to 2048.
    pub height_px: u32,
    /// 1 to 60.
    pub frame_rate_hz: f64,
    /// 1 to 36,000.
    pub frames: u64,
    /// Mean number of walkers in the picture, 0 to 24; `None` draws 3 to 9 from the seed.
    pub walkers: Option<f32>,
    /// `None` is a normal video.
    pub anomaly: Option<Anomaly>,
}

impl SceneSpec {
    /// A normal scene of 160 frames of 320 x 240 pixels at 10 frames per second.
    #[must_use]
    pub const fn normal(seed: u64) -> Self {
        Self {
            seed,
            place_seed: seed,
            width_px: 320,
            height_px: 240,
            frame_rate_hz: 10.0,
            frames: 160,
            walkers: None,
            anomaly: None,
        }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`SceneError`] names the value and the range allowed.
    pub fn validate(&self) -> Result<(), SceneError> {
        for (what, side) in [("width_px", self.width_px), ("height_px", self.height_px)] {
            if !SIDE_PX.contains(&side) || side % 2 != 0 {
                return Err(SceneError::Side { what, side });
            }
        }
        if !FRAME_RATE_HZ.contains(&self.frame_rate_hz) {
            return Err(SceneError::FrameRate { frame_rate_hz: self.frame_rate_hz });
        }
        if self.frames == 0 || self.frames > MAX_FRAMES {
            return Err(SceneError::Frames { frames: self.frames });
        }
        if let Some(walkers) = self.walkers.filter(|count| !WALKERS.contains(count)) {
            return Err(SceneError::Walkers { walkers });
        }
        match self.anomaly {
            Some(Anomaly { first_frame, last_frame, .. })
                if first_frame > last_frame || last_frame >= self.frames =>
            {
                Err(SceneError::AnomalyFrames { first_frame, last_frame, frames: self.frames })
            }
            _ => Ok(()),
        }
    }
}

/// Why a scene cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SceneError {
    /// A picture side is odd or out of range.
    #[error("{what} = {side}: give an even number from 64 to 2048")]
    Side {
        /// Which side.
        what: &'static str,
        /// The value given, in pixels.
        side: u32,
    },
    /// The frame rate is out of range.
    #[error("frame_rate_hz = {frame_rate_hz}: give 1 to 60")]
    FrameRate {
        /// The value given.
        frame_rate_hz: f64,
    },
    /// No frames, or too many.
    #[error("frames = {frames}: give 1 to 36000")]
    Frames {
        /// The value given.
        frames: u64,
    },
    /// Too many walkers.
    #[error("walkers = {walkers}: give 0 to 24")]
    Walkers {
        /// The value given.
        walkers: f32,
    },
    /// The anomaly does not lie within the video.
    #[error(
        "anomaly from frame {first_frame} to {last_frame}: both must lie in 0..{frames}, the first not after the last"
    )]
    AnomalyFrames {
        /// First frame asked for.
        first_frame: u64,
        /// Last frame asked for.
        last_frame: u64,
        /// Frames of the video.
        frames: u64,
    },
    /// A name that is no kind of anomaly.
    #[error("unknown kind of anomaly {name:?}: give cyclist, vehicle, runner, fall or left-object")]
    UnknownKind {
        /// The name given.
        name: String,
    },
    /// The frame asked for lies beyond the video.
    #[error("frame {frame} asked of a scene of {frames} frames")]
    NoSuchFrame {
        /// The frame asked for, from 0.
        frame: u64,
        /// Frames of the scene.
        frames: u64,
    },
    /// The anomaly never gets into the picture.
    #[error("the {kind} never comes into the picture of {width_px} x {height_px}: use a larger picture")]
    Unseen {
        /// The kind of anomaly.
        kind: AnomalyKind,
        /// Picture width.
        width_px: u32,
        /// Picture height.
        height_px: u32,
    },
}
