//! Frames to H.264 samples, as a container wants them.

use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Encoder as Codec, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange,
    RateControlMode, VuiConfig,
};
use openh264::formats::{RgbSliceU8, YUVBuffer, YUVSource};
use vad_core::RgbFrame;

use crate::{H264Error, MAX_SIDES_PX};

/// Smallest side of a picture, pixels: one macroblock.
const MIN_SIDE_PX: u32 = 16;
/// Most bits for a pixel, on average; a camera that sees nothing new takes a tenth of it.
const BITS_PER_PIXEL: f64 = 0.12;
/// Quantisers between "no loss to see" and "still a face". The upper bound keeps a clip useful; the rate follows.
const QUANTISERS: QpRange = QpRange::new(20, 40);

/// What a stream of samples is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderSpec {
    /// Frames per second, above 0.
    pub frame_rate_hz: f64,
    /// Frames from one key frame to the next, at least 1. A clip can begin at key frames only.
    pub key_interval_frames: u32,
}

/// One encoded frame: its NAL units without parameter sets, each behind its length in four bytes, most significant first
/// (ISO/IEC 14496-15, 5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Whether decoding can begin here.
    pub is_key: bool,
    /// The bytes.
    pub data: Vec<u8>,
}

/// What a decoder must know before the first sample: NAL units of types 7 and 8, without start codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSets {
    /// Sequence parameter set.
    pub sps: Vec<u8>,
    /// Picture parameter set.
    pub pps: Vec<u8>,
}

/// A stream of samples of one size. A frame of another size begins a new stream: make a new encoder.
pub struct Encoder {
    codec: Codec,
    size_px: (u32, u32),
    picture: YUVBuffer,
    /// Rows without the last column of an odd width.
    cropped: Vec<u8>,
    sets: Option<ParameterSets>,
}

impl Encoder {
    /// An encoder for pictures of a size. An odd last row or column is left out.
    ///
    /// # Errors
    /// [`H264Error::Size`] outside 16x16 to 3840x2160 (or 2160x3840), [`H264Error::Codec`] when openh264 has no memory.
    pub fn new(size_px: (u32, u32), spec: EncoderSpec) -> Result<Self, H264Error> {
        let (width_px, height_px) = (size_px.0 & !1, size_px.1 & !1);
        let (long, short) = (width_px.max(height_px), width_px.min(height_px));
        if short < MIN_SIDE_PX || long > MAX_SIDES_PX.0 || short > MAX_SIDES_PX.1 {
            return Err(H264Error::Size { width_px: size_px.0, height_px: size_px.1 });
        }
        let pixels_per_s = f64::from(width_px) * f64::from(height_px) * spec.frame_rate_hz;
        let config = EncoderConfig::new()
            .bitrate(BitRate::from_bps((pixels_per_s * BITS_PER_PIXEL).clamp(50e3, 50e6) as u32))
            .max_frame_rate(FrameRate::from_hz(spec.frame_rate_hz as f32))
            .rate_control_mode(RateControlMode::Quality)
            .qp(QUANTISERS)
            .skip_frames(true)
            .scene_change_detect(false)
            .num_threads(1)
            .profile(Profile::Baseline)
            .vui(VuiConfig::bt601())
            .intra_frame_period(IntraFramePeriod::from_num_frames(spec.key_interval_frames.max(1)));
        Ok(Self {
            codec: Codec::with_api_config(OpenH264API::from_source(), config)?,
            size_px,
            picture: YUVBuffer::new(width_px as usize, height_px as usize),
            cropped: Vec::new(),
            sets: None,
        })
    }

    /// Width and height of what is encoded, pixels: even.
    #[must_use]
    pub fn size_px(&self) -> (u32, u32) {
        (self.size_px.0 & !1, self.size_px.1 & !1)
    }

    /// Width and height of the frames that it takes, pixels.
    #[must_use]
    pub fn source_px(&self) -> (u32, u32) {
        self.size_px
    }

    /// Those of the latest key frame; `None` before the first frame.
    #[must_use]
    pub fn parameter_sets(&self) -> Option<&ParameterSets> {
        self.sets.as_ref()
    }

    /// Encodes the next frame; nothing where it is left out because the frames before it took more bits than their share.
    ///
    /// # Errors
    /// [`H264Error::Size`] for a frame of another size than the encoder's, [`H264Error::Codec`].
    pub fn encode(&mut self, frame: RgbFrame<'_>) -> Result<Option<Sample>, H264Error> {
        if (frame.width_px(), frame.height_px()) != self.size_px {
            return Err(H264Error::Size { width_px: frame.width_px(), height_px: frame.height_px() });
        }
        self.picture.read_rgb8(even(frame, self.picture.dimensions(), &mut self.cropped));
        let stream = self.codec.encode(&self.picture)?;
        let is_key = matches!(stream.frame_type(), FrameType::IDR);
        let mut data = Vec::new();
        let (mut sps, mut pps) = (None, None);
        for layer in (0..stream.num_layers()).filter_map(|at| stream.layer(at)) {
            for unit in (0..layer.nal_count()).filter_map(|at| layer.nal_unit(at)) {
                let unit = without_start_code(unit);
                match unit.first().map(|header| header & 0x1f) {
                    Some(7) => sps = Some(unit.to_vec()),
                    Some(8) => pps = Some(unit.to_vec()),
                    Some(_) => append(&mut data, unit),
                    None => {}
                }
            }
        }
        if let (Some(sps), Some(pps)) = (sps, pps) {
            self.sets = Some(ParameterSets { sps, pps });
        }
        Ok((!data.is_empty()).then_some(Sample { is_key, data }))
    }
}

/// The frame without an odd last row or column.
fn even<'a>(frame: RgbFrame<'a>, size: (usize, usize), cropped: &'a mut Vec<u8>) -> RgbSliceU8<'a> {
    let (row, even_row) = (frame.width_px() as usize * 3, size.0 * 3);
    if row == even_row {
        return RgbSliceU8::new(&frame.data()[..even_row * size.1], size);
    }
    cropped.clear();
    for line in frame.data().chunks_exact(row).take(size.1) {
        cropped.extend_from_slice(&line[..even_row]);
    }
    RgbSliceU8::new(cropped, size)
}

/// A NAL unit without the three or four bytes before it (ITU-T H.264, annex B).
fn without_start_code(unit: &[u8]) -> &[u8] {
    let long = unit.strip_prefix(&[0, 0, 0, 1]);
    long.or_else(|| unit.strip_prefix(&[0, 0, 1])).unwrap_or(unit)
}

fn append(data: &mut Vec<u8>, unit: &[u8]) {
    // A picture of 3840x2160 has fewer bytes than four of them count.
    let length = u32::try_from(unit.len()).unwrap_or(u32::MAX);
    data.extend_from_slice(&length.to_be_bytes());
    data.extend_from_slice(unit);
}
