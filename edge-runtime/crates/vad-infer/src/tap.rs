//! A map within an encoder that streams can hand out beside their features.

use vad_core::ModelSpec;

use crate::lite::padded;

/// The output behind some blocks of an I3D-lite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tap {
    /// Number of blocks before it.
    pub(crate) blocks: usize,
    pub(crate) channels: usize,
    /// Height and width.
    pub(crate) size: [usize; 2],
}

impl Tap {
    /// The map that the attention of a valid spec reads; nothing where it describes none.
    pub(crate) fn of(spec: &ModelSpec) -> Option<Self> {
        let (lite, attention) = (spec.encoder.kind.lite()?, spec.attention.as_ref()?);
        let (plan, stages) = (lite.plan(), usize::from(attention.stage));
        let channels = plan.stages.get(stages.checked_sub(1)?)?.channels;
        let sides = [spec.preprocess.height_px, spec.preprocess.width_px];
        let size = sides.map(|side_px| plan.places(stages, side_px));
        Some(Self { blocks: plan.blocks_of(stages), channels, size })
    }

    /// Values of one frame as streams hand them out: `[places, C]`, its channels filled up to whole vectors.
    pub(crate) fn frame_len(self) -> usize {
        self.places() * padded(self.channels)
    }

    pub(crate) fn places(self) -> usize {
        self.size.iter().product()
    }
}
