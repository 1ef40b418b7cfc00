//! Features of one video, and their file format.
//!
//! The file is a safetensors file (so that any tool can read it) with the tensors `features` (`F32 [clips, crops,
//! dim]`), `span_first_frame` (`U64 [clips]`) and `span_frames` (`U16 [clips]`), and as metadata the number of frames, the
//! frame rate, what the features were made from, and a SHA-256. That hash covers every byte of the file, with its own
//! 64 digits taken as zeros, so any flipped byte is noticed.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use safetensors::tensor::{Dtype, TensorInfo, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vad_core::{ClipSpan, FrameIndex};

use crate::hash::hex;

const FORMAT: &str = "watchpost-features-2";
/// Before crops: `features` is `[clips, dim]`.
const FORMAT_OF_ONE_CROP: &str = "watchpost-features-1";
const CHECKSUM_LABEL: &[u8] = b"\"sha256\":\"";
const CHECKSUM_DIGITS: usize = 64;
/// The longest header that is read; ours have less than a thousand bytes.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// Features of one video.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Length of one feature.
    pub dim: usize,
    /// Crops of each clip, at least 1.
    pub crops: usize,
    /// The frames that each clip shows, in order.
    pub spans: Vec<ClipSpan>,
    /// The features, `[clips, crops, dim]` row-major.
    pub values: Vec<f32>,
    /// Frames of the whole video.
    pub frames: u64,
    /// Mean frame rate, in frames per second.
    pub frame_rate_hz: f64,
}

impl Features {
    /// Number of clips.
    #[must_use]
    pub fn clips(&self) -> usize {
        self.spans.len()
    }

    /// The features clip by clip, each `[crops, dim]`.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact((self.crops * self.dim).max(1))
    }

    /// One of the crops, by itself.
    #[must_use]
    pub fn crop(&self, crop: usize) -> Self {
        let own = |row: &[f32]| row.chunks_exact(self.dim.max(1)).nth(crop).unwrap_or_default().to_vec();
        Self { crops: 1, values: self.rows().flat_map(own).collect(), spans: self.spans.clone(), ..*self }
    }

    /// The same without the clips behind the first `clips`.
    #[must_use]
    pub fn first_clips(mut self, clips: usize) -> Self {
        self.spans.truncate(clips);
        self.values.truncate(clips * self.crops * self.dim);
        self
    }

    /// What does not hold together, if anything.
    fn inconsistency(&self) -> Option<&'static str> {
        let ends_inside = |span: &ClipSpan| {
            span.frames > 0
                && span.first_frame.0.checked_add(span.frames.into()).is_some_and(|end| end <= self.frames)
        };
        let values = self.clips().checked_mul(self.crops).and_then(|rows| rows.checked_mul(self.dim));
        if self.dim == 0 || self.crops == 0 || values != Some(self.values.len()) {
            Some("the number of values is not clips times crops times dim")
        } else if !self.spans.iter().all(ends_inside) {
            Some("a clip lies outside the video")
        } else if !(self.frame_rate_hz.is_finite() && self.frame_rate_hz > 0.0) {
            Some("the frame rate is not a positive number")
        } else if !self.values.iter().all(|value| value.is_finite()) {
            Some("a value is not finite")
        } else {
            None
        }
    }

    /// The file's bytes. `facts` say what the features were made from; they are kept as metadata.
    pub(crate) fn to_bytes(&self, facts: &[(String, String)]) -> Result<Vec<u8>, String> {
        if let Some(problem) = self.inconsistency() {
            return Err(problem.to_owned());
        }
        let values: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let firsts: Vec<u8> = self.spans.iter().flat_map(|span| span.first_frame.0.to_le_bytes()).collect();
        let lengths: Vec<u8> = self.spans.iter().flat_map(|span| span.frames.to_le_bytes()).collect();
        let view = |dtype, shape: &[usize], data| {
            TensorView::new(dtype, shape.to_vec(), data).map_err(|error| error.to_string())
        };
        let clips = self.clips();
        let tensors = [
            ("features", view(Dtype::F32, &[clips, self.crops, self.dim], &values)?),
            ("span_first_frame", view(Dtype::U64, &[clips], &firsts)?),
            ("span_frames", view(Dtype::U16, &[clips], &lengths)?),
        ];
        let mut metadata: HashMap<String, String> = facts.iter().cloned().collect();
        metadata.insert("format".to_owned(), FORMAT.to_owned());
        metadata.insert("frames".to_owned(), self.frames.to_string());
        metadata.insert("frame_rate_hz".to_owned(), self.frame_rate_hz.to_string());
        metadata.insert("sha256".to_owned(), "0".repeat(CHECKSUM_DIGITS));
        let mut bytes = serialize(tensors, Some(metadata)).map_err(|error| error.to_string())?;
        sort_header(&mut bytes).ok_or("the header cannot be put in order")?;
        let at = checksum_position(&bytes).ok_or("the header has no room for the checksum")?;
        let checksum = hex(&Sha256::digest(&bytes));
        bytes[at..at + CHECKSUM_DIGITS].copy_from_slice(checksum.as_bytes());
        Ok(bytes)
    }

    /// Reads a file's bytes back, after checking the checksum and that the stored `facts` are the expected ones.
    pub(crate) fn from_bytes(mut bytes: Vec<u8>, facts: &[(String, String)]) -> Result<Self, String> {
        check_integrity(&mut bytes)?;
        let text = |error: safetensors::SafeTensorError| error.to_string();
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(text)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let field = |name: &str| metadata.get(name).ok_or_else(|| format!("the metadata lack `{name}`"));
        for (name, value) in facts {
            if field(name)? != value {
                return Err(format!("`{name}` is of other features"));
            }
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(text)?;
        let [clips, crops, dim] =
            match (field("format")?.as_str(), tensors.tensor("features").map_err(text)?.shape()) {
                (FORMAT, &[clips, crops, dim]) => [clips, crops, dim],
                (FORMAT_OF_ONE_CROP, &[clips, dim]) => [clips, 1, dim],
                (FORMAT | FORMAT_OF_ONE_CROP, _) => return Err("`features` has other axes".to_owned()),
                (other, _) => return Err(format!("the format is `{other}`, not `{FORMAT}`")),
            };
        let firsts = column::<8>(&tensors, "span_first_frame", Dtype::U64, clips)?.map(u64::from_le_bytes);
        let lengths = column::<2>(&tensors, "span_frames", Dtype::U16, clips)?.map(u16::from_le_bytes);
        let spans = firsts.zip(lengths).zip(0..).map(|((first, frames), index)| ClipSpan {
            index,
            first_frame: FrameIndex(first),
            frames,
        });
        let features = Self {
            dim,
            crops,
            spans: spans.collect(),
            values: column::<4>(
                &tensors,
                "features",
                Dtype::F32,
                clips.saturating_mul(crops).saturating_mul(dim),
            )?
            .map(f32::from_le_bytes)
            .collect(),
            frames: field("frames")?.parse().map_err(|_| "`frames` is not a number")?,
            frame_rate_hz: field("frame_rate_hz")?.parse().map_err(|_| "`frame_rate_hz` is not a number")?,
        };
        features.inconsistency().map_or(Ok(features), |problem| Err(problem.to_owned()))
    }
}

/// A header with its entries in order, so that equal features make equal files: the metadata come in any order otherwise.
#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    tensors: BTreeMap<String, TensorInfo>,
}

/// Rewrites the header in place; it is as long as before.
fn sort_header(bytes: &mut [u8]) -> Option<()> {
    let length = usize::try_from(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?)).ok()?;
    let header = bytes.get_mut(8..)?.get_mut(..length)?;
    let parsed: Header = serde_json::from_slice(header).ok()?;
    let sorted = serde_json::to_vec(&parsed).ok()?;
    header.fill(b' ');
    header.get_mut(..sorted.len())?.copy_from_slice(&sorted);
    Some(())
}

/// Where the values of a file begin, their axes `[clips, crops * dim]`, and the frames of the video; from the header alone.
pub(crate) fn stored_rows(file: &mut impl Read) -> Result<(u64, [usize; 2], u64), String> {
    let text = |error: std::io::Error| error.to_string();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(text)?;
    let length = u64::from_le_bytes(length);
    let mut header = Vec::new();
    file.take(length.min(MAX_HEADER_BYTES)).read_to_end(&mut header).map_err(text)?;
    let header: Header = serde_json::from_slice(&header).map_err(|error| error.to_string())?;
    let tensor = header.tensors.get("features").ok_or("it has no `features`")?;
    let &[clips, crops, dim] = tensor.shape.as_slice() else {
        return Err("`features` has other axes".to_owned());
    };
    let frames = header.metadata.get("frames").and_then(|frames| frames.parse().ok());
    let begin = 8 + length + tensor.data_offsets.0 as u64;
    Ok((begin, [clips, crops.saturating_mul(dim)], frames.ok_or("`frames` is not a number")?))
}

/// Where the checksum's digits begin: after its label, which stands once in the header.
fn checksum_position(bytes: &[u8]) -> Option<usize> {
    let header_bytes = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let end = 8_usize.checked_add(usize::try_from(header_bytes).ok()?)?;
    let header = bytes.get(..end)?;
    let at = header.windows(CHECKSUM_LABEL.len()).position(|window| window == CHECKSUM_LABEL)?
        + CHECKSUM_LABEL.len();
    (at + CHECKSUM_DIGITS <= end).then_some(at)
}

fn check_integrity(bytes: &mut [u8]) -> Result<(), String> {
    let at = checksum_position(bytes).ok_or("it is cut off or not a file of features")?;
    let digits = &mut bytes[at..at + CHECKSUM_DIGITS];
    let stored = digits.to_vec();
    digits.fill(b'0');
    if hex(&Sha256::digest(&*bytes)).as_bytes() == stored {
        return Ok(());
    }
    Err("its checksum does not match its contents".to_owned())
}

/// The elements of a tensor as little-endian bytes, after checking type and number.
fn column<'a, const N: usize>(
    tensors: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
    len: usize,
) -> Result<impl Iterator<Item = [u8; N]> + use<'a, N>, String> {
    let tensor = tensors.tensor(name).map_err(|error| error.to_string())?;
    let (chunks, rest) = tensor.data().as_chunks::<N>();
    if tensor.dtype() != dtype || chunks.len() != len || !rest.is_empty() {
        return Err(format!("`{name}` has the wrong type or length"));
    }
    Ok(chunks.iter().copied())
}

#[cfg(test)]
mod tests;
