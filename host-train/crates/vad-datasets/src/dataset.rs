//! The data sets, and what is known of each beforehand.

use std::fmt;

use serde::{Deserialize, Serialize};
use vad_eval::{Alignment, Convention, FrameCounts, GroundTruth};

use crate::lists::Part;

/// A published data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dataset {
    /// UCF-Crime (Sultani et al., CVPR 2018).
    UcfCrime,
    /// ShanghaiTech Campus in the weakly supervised split of Zhong et al. (CVPR 2019).
    #[serde(rename = "shanghaitech")]
    ShanghaiTech,
    /// XD-Violence, pictures without sound (Wu et al., ECCV 2020).
    XdViolence,
    /// TAD, traffic (Lv et al., TIP 2021).
    Tad,
    /// UCSD Ped2 (Mahadevan et al., CVPR 2010).
    UcsdPed2,
}

/// Videos by label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Abnormal videos.
    pub abnormal: usize,
    /// Normal videos.
    pub normal: usize,
}

impl fmt::Display for LabelCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} + {}", self.abnormal, self.normal)
    }
}

const fn counts(abnormal: usize, normal: usize) -> LabelCounts {
    LabelCounts { abnormal, normal }
}

/// The released scripts on UCF-Crime. CU's pads MIST's labels where features have a clip for the rest of a video.
const UCF_CRIME: [Convention; 3] = [
    Convention {
        name: "RTFM",
        about: "padded to 16 frames, end frame abnormal",
        truth: GroundTruth::PaddedInclusive,
        alignment: Alignment::PadNormal,
        published: Some(FrameCounts { frames: 1_114_144, abnormal: 84_343 }),
    },
    Convention {
        name: "MIST, CU",
        about: "cut to 16 frames, end frame normal",
        truth: GroundTruth::TruncatedExclusive,
        alignment: Alignment::Truncate,
        published: Some(FrameCounts { frames: 1_109_824, abnormal: 84_160 }),
    },
    Convention {
        name: "CU's script",
        about: "the same, and the last clip of a padded feature normal",
        truth: GroundTruth::TruncatedExclusive,
        alignment: Alignment::PadNormal,
        published: Some(FrameCounts { frames: 1_114_144, abnormal: 84_160 }),
    },
];

const SHANGHAITECH: [Convention; 2] = [
    Convention {
        name: "RTFM",
        about: "masks, padded to 16 frames by their last value",
        truth: GroundTruth::Frames,
        alignment: Alignment::PadLast,
        published: None,
    },
    Convention {
        name: "MIST",
        about: "masks, cut to the frames that have a score",
        truth: GroundTruth::Frames,
        alignment: Alignment::Truncate,
        published: None,
    },
];

const XD_VIOLENCE: [Convention; 1] = [Convention {
    name: "XD-Violence",
    about: "cut to 16 frames; ranges end before their last number",
    truth: GroundTruth::TruncatedInclusive,
    alignment: Alignment::Truncate,
    published: None,
}];

impl Dataset {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::UcfCrime, Self::ShanghaiTech, Self::XdViolence, Self::Tad, Self::UcsdPed2];

    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UcfCrime => "ucf-crime",
            Self::ShanghaiTech => "shanghaitech",
            Self::XdViolence => "xd-violence",
            Self::Tad => "tad",
            Self::UcsdPed2 => "ucsd-ped2",
        }
    }

    /// The name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::UcfCrime => "UCF-Crime",
            Self::ShanghaiTech => "ShanghaiTech, weak split",
            Self::XdViolence => "XD-Violence, pictures",
            Self::Tad => "TAD",
            Self::UcsdPed2 => "UCSD Ped2",
        }
    }

    /// Frames per second of its videos. No figure on frames depends on it; the time between alarms does. Features do not say
    /// it, and for TAD it follows from the authors' 25 hours and 537,500 frames.
    #[must_use]
    pub fn frame_rate_hz(self) -> f64 {
        match self {
            Self::UcfCrime => 30.0,
            Self::ShanghaiTech | Self::XdViolence => 24.0,
            Self::Tad => 6.0,
            Self::UcsdPed2 => 10.0,
        }
    }

    /// The ways in which the authors of papers on it count frames.
    #[must_use]
    pub fn conventions(self) -> &'static [Convention] {
        match self {
            Self::UcfCrime => &UCF_CRIME,
            Self::ShanghaiTech => &SHANGHAITECH,
            Self::XdViolence => &XD_VIOLENCE,
            Self::Tad | Self::UcsdPed2 => &[],
        }
    }

    /// Videos of the original.
    pub(crate) fn original(self, part: Part) -> LabelCounts {
        match (self, part) {
            (Self::UcfCrime, Part::Train) => counts(810, 800),
            (Self::UcfCrime, Part::Test) => counts(140, 150),
            (Self::ShanghaiTech, Part::Train) => counts(63, 175),
            (Self::ShanghaiTech, Part::Test) => counts(44, 155),
            (Self::XdViolence, Part::Train) => counts(1905, 2049),
            (Self::XdViolence, Part::Test) => counts(500, 300),
            (Self::Tad, Part::Train) => counts(190, 210),
            (Self::Tad, Part::Test) => counts(60, 40),
            (Self::UcsdPed2, Part::Train) => counts(0, 16),
            (Self::UcsdPed2, Part::Test) => counts(12, 0),
        }
    }
}
