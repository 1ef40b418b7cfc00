//! Access units of a camera to pictures.

use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder as Codec, DecoderConfig, Flush};
use openh264::formats::YUVSource;
use vad_core::{FrameError, RgbFrame};

use crate::colour::Planes;
use crate::sequence::Sequence;
use crate::units::{KEY_SLICE, PICTURE, SEQUENCE, SLICE, kind, units};

/// Longest side of a picture, macroblocks.
const MAX_SIDE_MB: u64 = 8_192 / 16;
/// Most macroblocks of a picture that openh264 takes: 9.4 million pixels, those of level 5.2.
const MAX_PICTURE_MB: u64 = 36_864;
/// Most macroblocks of all pictures that a decoder must keep at level 5.2: 71 MB of memory.
const MAX_KEPT_MB: u64 = 184_320;
/// Longest access unit, bytes. A key frame of 3840x2160 has about one million.
const MAX_UNIT_BYTES: usize = 4 << 20;
/// Most parameter sets of a sequence in one access unit: there are no more numbers for them.
const MAX_SEQUENCES: usize = 32;
/// Damaged pictures in a row, each after another key frame, that a camera is forgiven.
const MAX_DAMAGED: u32 = 8;

/// Why no more pictures come from a stream.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Its pictures are too large.
    #[error(
        "pictures of {width_px}x{height_px} px; at most 9.4 million pixels, no side above 8192, can be decoded"
    )]
    Size {
        /// Width, as it is coded.
        width_px: u64,
        /// Height, as it is coded.
        height_px: u64,
    },
    /// Decoding would need too many earlier pictures.
    #[error(
        "{references} reference pictures of {width_px}x{height_px} px are more than any level of H.264 allows"
    )]
    References {
        /// How many.
        references: u32,
        /// Their width.
        width_px: u64,
        /// Their height.
        height_px: u64,
    },
    /// It uses a part of H.264 that is not decoded.
    #[error("{0}; progressive pictures with 8 bits and 4:2:0 colours can be decoded")]
    Unsupported(&'static str),
    /// Too many damaged pictures.
    #[error("{in_row} damaged pictures in a row, the last one: {reason}")]
    Damaged {
        /// How many.
        in_row: u32,
        /// What was wrong with the last one.
        reason: String,
    },
    /// openh264 has no memory.
    #[error("openh264: {0}")]
    Codec(#[from] openh264::Error),
}

/// One stream. After a damaged or lost picture it waits for the next key frame: what is decoded in between shows what never was.
///
/// Pictures come in the order in which they are shown; those of main and high profile one later, since one that is shown before may follow.
pub struct Decoder {
    codec: Codec,
    /// The sequence parameter sets that `codec` works by, behind start codes.
    sequences: Vec<u8>,
    is_full_range: bool,
    patience: Patience,
    /// The units of a picture that are passed on.
    picture: Vec<u8>,
}

/// A picture, valid until the next one is decoded.
pub struct DecodedPicture<'a> {
    yuv: DecodedYUV<'a>,
    is_full_range: bool,
}

impl DecodedPicture<'_> {
    /// Width and height, pixels: at least 1, no side above 8192.
    #[must_use]
    pub fn size_px(&self) -> (u32, u32) {
        let (width, height) = self.yuv.dimensions();
        (width as u32, height as u32)
    }

    /// Converts it; what is in `rgb` is replaced.
    ///
    /// # Errors
    /// [`FrameError`], never for a picture that was decoded.
    pub fn to_rgb<'b>(&self, rgb: &'b mut Vec<u8>) -> Result<RgbFrame<'b>, FrameError> {
        self.planes().write_rgb(rgb);
        let (width_px, height_px) = self.size_px();
        RgbFrame::new(width_px, height_px, rgb)
    }

    fn planes(&self) -> Planes<'_> {
        let (stride, colour_stride, _) = self.yuv.strides();
        Planes {
            luma: self.yuv.y(),
            u: self.yuv.u(),
            v: self.yuv.v(),
            stride,
            colour_stride,
            size_px: self.yuv.dimensions(),
            is_full_range: self.is_full_range,
        }
    }
}

impl Decoder {
    /// A decoder that waits for a key frame.
    ///
    /// # Errors
    /// [`DecodeError::Codec`].
    pub fn new() -> Result<Self, DecodeError> {
        Ok(Self {
            codec: codec()?,
            sequences: Vec::new(),
            is_full_range: false,
            patience: Patience { needs_key: true, damaged: 0 },
            picture: Vec::new(),
        })
    }

    /// Something is missing before the next access unit.
    pub fn note_loss(&mut self) {
        self.patience.needs_key = true;
    }

    /// Decodes one access unit in the byte stream format (annex B); key frames have their parameter sets in front. `None`: nothing to
    /// show yet, or a picture that cannot be decoded without a lost one.
    ///
    /// # Errors
    /// [`DecodeError`]: the stream must be begun anew. Before that, up to 8 damaged pictures in a row are left out.
    pub fn decode(&mut self, unit: &[u8]) -> Result<Option<DecodedPicture<'_>>, DecodeError> {
        let has_key = match self.take(unit)? {
            Taken::Picture { has_key } => has_key,
            Taken::Damaged(reason) => return self.patience.note_damage(reason).map(|()| None),
        };
        if self.patience.needs_key {
            if !has_key {
                return Ok(None);
            }
            if self.patience.damaged > 0 {
                self.codec = codec()?;
            }
            self.patience.needs_key = false;
        }
        let reason = match self.codec.decode(&self.picture) {
            Ok(None) => return Ok(None),
            Ok(Some(yuv)) => {
                let picture = DecodedPicture { yuv, is_full_range: self.is_full_range };
                if picture.planes().are_whole() {
                    self.patience.damaged = 0;
                    return Ok(Some(picture));
                }
                "a picture without its pixels".to_owned()
            }
            Err(error) => error.to_string(),
        };
        self.patience.note_damage(reason).map(|()| None)
    }

    /// Keeps the units that make a picture: others may hold parameter sets of layers, whose sizes nobody would check. New parameter sets
    /// are checked before openh264 allocates by them, and begin with a decoder that knows nothing else.
    fn take(&mut self, unit: &[u8]) -> Result<Taken, DecodeError> {
        if unit.len() > MAX_UNIT_BYTES {
            let reason = format!("{} bytes are more than the {MAX_UNIT_BYTES} of a picture", unit.len());
            return Ok(Taken::Damaged(reason));
        }
        self.picture.clear();
        let mut has_key = false;
        let mut sequences: Vec<&[u8]> = Vec::new();
        for unit in units(unit) {
            match kind(unit) {
                SEQUENCE => sequences.push(unit),
                KEY_SLICE => has_key = true,
                SLICE | PICTURE => {}
                _ => continue,
            }
            append(&mut self.picture, unit);
        }
        if sequences.len() > MAX_SEQUENCES {
            return Ok(Taken::Damaged("too many sequence parameter sets".to_owned()));
        }
        let mut seen = Vec::new();
        sequences.iter().for_each(|unit| append(&mut seen, unit));
        if seen.is_empty() || seen == self.sequences {
            return Ok(Taken::Picture { has_key });
        }
        for unit in sequences {
            let Some(sequence) = Sequence::read(unit) else {
                return Ok(Taken::Damaged("a damaged sequence parameter set".to_owned()));
            };
            check(&sequence)?;
            self.is_full_range = sequence.is_full_range;
        }
        self.codec = codec()?;
        self.sequences = seen;
        self.patience.needs_key = true;
        Ok(Taken::Picture { has_key })
    }
}

/// What was found in an access unit.
enum Taken {
    /// A picture that may be decoded.
    Picture { has_key: bool },
    /// Nothing that may be decoded.
    Damaged(String),
}

/// What is forgiven.
struct Patience {
    needs_key: bool,
    /// In a row.
    damaged: u32,
}

impl Patience {
    fn note_damage(&mut self, reason: String) -> Result<(), DecodeError> {
        self.needs_key = true;
        self.damaged += 1;
        if self.damaged > MAX_DAMAGED {
            return Err(DecodeError::Damaged { in_row: self.damaged, reason });
        }
        Ok(())
    }
}

fn append(stream: &mut Vec<u8>, unit: &[u8]) {
    stream.extend_from_slice(&[0, 0, 0, 1]);
    stream.extend_from_slice(unit);
}

fn check(sequence: &Sequence) -> Result<(), DecodeError> {
    let (width_mb, height_mb) = sequence.size_mb;
    // Both are below 2^33.
    let (width_px, height_px) = (width_mb * 16, height_mb * 16);
    if width_mb > MAX_SIDE_MB || height_mb > MAX_SIDE_MB || width_mb * height_mb > MAX_PICTURE_MB {
        return Err(DecodeError::Size { width_px, height_px });
    }
    if width_mb * height_mb * u64::from(sequence.references) > MAX_KEPT_MB {
        return Err(DecodeError::References { references: sequence.references, width_px, height_px });
    }
    if !sequence.is_progressive {
        return Err(DecodeError::Unsupported("interlaced pictures"));
    }
    if !sequence.is_plain {
        return Err(DecodeError::Unsupported("more than 8 bits, or colours other than 4:2:0"));
    }
    Ok(())
}

fn codec() -> Result<Codec, DecodeError> {
    // Flushing would show pictures in the order in which they were coded.
    let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
    Ok(Codec::with_api_config(OpenH264API::from_source(), config)?)
}
