//! Description of one model: everything but its weights.
//!
//! A [`ModelSpec`] is written by the trainer, travels in the bundle and is checked at every load.
//! Unknown, missing and duplicate fields are refused by serde, values out of range by
//! [`ModelSpec::validate`]; both name the field.

use alloc::string::{String, ToString};
use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::attention::AttentionSpec;
use crate::clip::ClipSpec;
use crate::head::{HeadSpec, MAX_HEAD_DIM};
use crate::lite::{LiteSize, STEM_PX};
use crate::preprocess::{Fit, PreprocessSpec};
use crate::score::ScoreSpec;
use crate::tap::{EndPoint, I3dTap};

/// Longest name of a model, in bytes.
pub const MAX_NAME_LEN: usize = 64;
/// The only tap of I3D-lite.
const LITE_TAP: &str = "last";

/// Which field of a spec is wrong, its value, and what it may be.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SpecError {
    /// A number is outside its range.
    #[error("{field} is {value}, but must be {min} to {max}")]
    OutOfRange {
        /// Full name of the field.
        field: &'static str,
        /// Value found.
        value: f64,
        /// Least value allowed.
        min: f64,
        /// Greatest value allowed.
        max: f64,
    },
    /// A number is infinite or not a number.
    #[error("{field} is {value}, but must be a finite number")]
    NotFinite {
        /// Full name of the field.
        field: &'static str,
        /// Value found.
        value: f32,
    },
    /// Two fields that must agree do not.
    #[error("{field} is {value}, but {other} makes it {expected}")]
    Mismatch {
        /// Full name of the field.
        field: &'static str,
        /// Value found.
        value: u64,
        /// The field or rule that decides.
        other: &'static str,
        /// Value that would agree.
        expected: u64,
    },
    /// A name is empty, too long or has a character that is not allowed.
    #[error("{field} is {value:?}, but must be {allowed}")]
    Name {
        /// Full name of the field.
        field: &'static str,
        /// Value found.
        value: String,
        /// What is allowed, in words.
        allowed: &'static str,
    },
}

/// Architecture of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// I3D, the Inception-v1 of Carreira and Zisserman (2017), RGB stream.
    I3dInceptionV1,
    /// I3D-lite, small; see [`crate::lite`].
    I3dLiteSmall,
    /// I3D-lite, middle.
    I3dLiteMiddle,
    /// I3D-lite, large.
    I3dLiteLarge,
    /// Features that came as files, for evaluation on the host: nothing here makes them from pictures, and exporters
    /// refuse them. The tap names the data set.
    Imported,
}

impl EncoderKind {
    /// The size of an I3D-lite, which encodes frames one by one; nothing for encoders of whole clips.
    #[must_use]
    pub fn lite(self) -> Option<LiteSize> {
        match self {
            Self::I3dLiteSmall => Some(LiteSize::Small),
            Self::I3dLiteMiddle => Some(LiteSize::Middle),
            Self::I3dLiteLarge => Some(LiteSize::Large),
            Self::I3dInceptionV1 | Self::Imported => None,
        }
    }
}

impl From<LiteSize> for EncoderKind {
    fn from(size: LiteSize) -> Self {
        match size {
            LiteSize::Small => Self::I3dLiteSmall,
            LiteSize::Middle => Self::I3dLiteMiddle,
            LiteSize::Large => Self::I3dLiteLarge,
        }
    }
}

/// The network that turns a clip into a feature: `[1, 3, T, H, W] -> [1, feature_dim]`, or for
/// I3D-lite `-> [1, feature_dim, T]`, a feature per frame, whose mean over the clip counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSpec {
    /// Its architecture.
    pub kind: EncoderKind,
    /// End point that the feature is a mean of: an [`I3dTap`] such as `Mixed_5c`, or `last` of I3D-lite; of imported
    /// features, a name for people.
    pub tap: String,
    /// Length of the feature; the tap's channels, or what the imported files hold.
    pub feature_dim: u32,
}

/// One model, from pixels to alarm edges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Name for people: 1 to [`MAX_NAME_LEN`] of ASCII letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Clip to feature.
    pub encoder: EncoderSpec,
    /// Picture to encoder input.
    pub preprocess: PreprocessSpec,
    /// Stream to clips.
    pub clip: ClipSpec,
    /// Features to raw score.
    pub head: HeadSpec,
    /// Where the encoder looks, if the model can tell; not written where it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<AttentionSpec>,
    /// Raw scores to alarm edges.
    pub score: ScoreSpec,
}

impl EncoderSpec {
    /// I3D up to `Mixed_5c`, 1024 features.
    #[must_use]
    pub fn i3d() -> Self {
        Self::i3d_at(I3dTap { point: EndPoint::Mixed5c, grid: 1 })
    }

    /// I3D up to a tap.
    #[must_use]
    pub fn i3d_at(tap: I3dTap) -> Self {
        // At most 7 * 7 * 1024.
        let feature_dim = tap.feature_dim() as u32;
        Self { kind: EncoderKind::I3dInceptionV1, tap: tap.to_string(), feature_dim }
    }

    /// I3D-lite of a size.
    #[must_use]
    pub fn lite(size: LiteSize) -> Self {
        // At most 1024.
        Self { kind: size.into(), tap: LITE_TAP.into(), feature_dim: size.plan().feature_dim as u32 }
    }

    /// The pictures that it learnt on.
    #[must_use]
    pub fn preprocess(&self) -> PreprocessSpec {
        self.kind.lite().map_or_else(PreprocessSpec::i3d, |size| size.plan().preprocess())
    }

    /// Features of `dim` values that came with a data set.
    #[must_use]
    pub fn imported(data_set: &str, dim: u32) -> Self {
        Self { kind: EncoderKind::Imported, tap: data_set.into(), feature_dim: dim }
    }

    /// Checks the tap and that `feature_dim` is its channel count.
    ///
    /// # Errors
    ///
    /// The first field that is wrong, by its full name.
    pub fn validate(&self) -> Result<(), SpecError> {
        if let Some(size) = self.kind.lite() {
            return self.validate_lite(size);
        }
        if self.kind == EncoderKind::Imported {
            check_name("encoder.tap", &self.tap)?;
            let widest = f64::from(MAX_HEAD_DIM);
            return check_range("encoder.feature_dim", self.feature_dim.into(), 1.0..=widest);
        }
        let Some(tap) = I3dTap::from_name(&self.tap) else {
            return Err(unknown_tap(&self.tap, "Mixed_5c or Mixed_4f, or with a grid such as Mixed_5c.4x4"));
        };
        check_equal("encoder.feature_dim", self.feature_dim, "encoder.tap", tap.feature_dim() as u32)
    }

    fn validate_lite(&self, size: LiteSize) -> Result<(), SpecError> {
        if self.tap != LITE_TAP {
            return Err(unknown_tap(&self.tap, LITE_TAP));
        }
        let expected = size.plan().feature_dim as u32;
        check_equal("encoder.feature_dim", self.feature_dim, "the size of the I3D-lite", expected)
    }
}

fn unknown_tap(tap: &str, allowed: &'static str) -> SpecError {
    SpecError::Name { field: "encoder.tap", value: tap.into(), allowed }
}

impl ModelSpec {
    /// I3D with MIST's head and the default score semantics, under `name`.
    #[must_use]
    pub fn i3d_mist(name: &str) -> Self {
        Self::mist(name, EncoderSpec::i3d())
    }

    /// An encoder with its pictures, MIST's head and the default score semantics, under `name`.
    #[must_use]
    pub fn mist(name: &str, encoder: EncoderSpec) -> Self {
        Self {
            name: name.into(),
            preprocess: encoder.preprocess(),
            clip: ClipSpec::i3d(),
            head: HeadSpec::mist(encoder.feature_dim),
            attention: None,
            score: ScoreSpec::default(),
            encoder,
        }
    }

    /// Checks every part and that they fit together.
    ///
    /// # Errors
    ///
    /// The first field that is wrong, by its full name.
    pub fn validate(&self) -> Result<(), SpecError> {
        check_name("name", &self.name)?;
        self.encoder.validate()?;
        self.preprocess.validate()?;
        self.validate_stem()?;
        self.clip.validate()?;
        self.head.validate()?;
        let first = self.head.dims.first().copied().unwrap_or(0);
        let expected = self.encoder.feature_dim;
        check_equal("first of head.dims", first, "encoder.feature_dim", expected)?;
        self.attention.as_ref().map_or(Ok(()), |attention| self.validate_attention(attention))?;
        self.score.validate()
    }

    /// Attention reads maps of I3D-lite, and its places are those of the whole picture.
    fn validate_attention(&self, attention: &AttentionSpec) -> Result<(), SpecError> {
        let refused = |field, value: &str, allowed| SpecError::Name { field, value: value.into(), allowed };
        if self.encoder.kind.lite().is_none() {
            let allowed = "the `last` of an I3D-lite where there is an attention";
            return Err(refused("encoder.tap", &self.encoder.tap, allowed));
        }
        if self.preprocess.fit != Fit::Squeeze {
            let allowed = "`squeeze` where there is an attention";
            return Err(refused("preprocess.fit", "cover-centre-crop", allowed));
        }
        attention.validate()
    }

    /// I3D-lite's stem leaves no pixel out.
    fn validate_stem(&self) -> Result<(), SpecError> {
        let sides = [
            ("preprocess.width_px", self.preprocess.width_px),
            ("preprocess.height_px", self.preprocess.height_px),
        ];
        match sides.into_iter().find(|(_, side)| side % STEM_PX != 0) {
            Some((field, side)) if self.encoder.kind.lite().is_some() => {
                let expected = side.next_multiple_of(STEM_PX);
                check_equal(field, side.into(), "the stem of I3D-lite", expected.into())
            }
            _ => Ok(()),
        }
    }

    /// Elements of a normalised clip, `3 * T * H * W`.
    #[must_use]
    pub fn clip_len(&self) -> usize {
        usize::from(self.clip.frames) * self.preprocess.resized_len()
    }
}

pub(crate) fn check_finite(field: &'static str, value: f32) -> Result<(), SpecError> {
    if value.is_finite() { Ok(()) } else { Err(SpecError::NotFinite { field, value }) }
}

/// NaN is outside every range.
pub(crate) fn check_range(
    field: &'static str,
    value: f64,
    range: RangeInclusive<f64>,
) -> Result<(), SpecError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (min, max) = range.into_inner();
    Err(SpecError::OutOfRange { field, value, min, max })
}

pub(crate) fn check_equal(
    field: &'static str,
    value: u32,
    other: &'static str,
    expected: u32,
) -> Result<(), SpecError> {
    if value == expected {
        return Ok(());
    }
    Err(SpecError::Mismatch { field, value: value.into(), other, expected: expected.into() })
}

fn check_name(field: &'static str, name: &str) -> Result<(), SpecError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=MAX_NAME_LEN).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(SpecError::Name {
        field,
        value: name.into(),
        allowed: "1 to 64 of ASCII letters, digits, '.', '_' and '-'",
    })
}
