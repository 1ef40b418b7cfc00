//! Clips as an encoder takes them, read from videos.
//!
//! I3D-lite is a stream: what it makes of a clip depends on some frames before it, so they come with the clip. Before the
//! beginning of a video its first picture stands for them. Boards, and extraction with them, begin a stream with nothing; that
//! concerns the first clip of a video alone, and only while the encoder learns.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Device, Tensor, TensorData};
use vad_core::{ChannelOrder, ClipSpan, ClipWindow, Fit, PreprocessSpec, Preprocessor, RgbFrame};
use vad_data::VideoEntry;
use vad_video::{FrameBuf, FrameSource};

use super::error::TuneError;
use super::labels::CLIP;
use super::plan::{ClipDraw, Region, View};
use crate::model::sga::encoder::{Kind, SHORT_FRAMES};
use crate::model::sga::maps::ShapeError;
use crate::recipe::mist_stage2_config::EncoderChoice;

/// Means of blue, green and red in 0..=255 that C3D's release subtracts.
const C3D_MEAN: [f32; 3] = [90.25, 97.66, 101.41];

/// Colours of a pixel.
const COLOURS: usize = 3;

/// What an encoder is given of 16 frames.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipInput {
    /// Size and values of pictures; the whole picture is squeezed into the size.
    pub preprocess: PreprocessSpec,
    /// Every frame (1) or every second one (2).
    step: usize,
    /// Frames before the clip that it is given too, at most as many as a clip has.
    before: usize,
}

/// One clip to learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// `[frames, height, width, 3]`, red, green, blue.
    pub pixels: Vec<u8>,
    /// What it should score, within 0..=1.
    pub label: f32,
}

impl ClipInput {
    /// What this encoder takes, at this size.
    pub fn new(encoder: EncoderChoice, width_px: u16, height_px: u16) -> Self {
        // Of 0..=255 I3D is given -1..=1, which the Kinetics weights were trained with, not MIST's (x - 128) / 128.
        let sized = PreprocessSpec { width_px, height_px, fit: Fit::Squeeze, ..PreprocessSpec::i3d() };
        let kind = encoder.kind();
        let (preprocess, step) = match kind {
            Kind::ShortI3d => (sized, usize::from(CLIP.frames) / SHORT_FRAMES),
            Kind::I3d => (sized, 1),
            Kind::C3d => {
                let (mean, std) = (C3D_MEAN, [1.0; 3]);
                (PreprocessSpec { channel_order: ChannelOrder::Bgr, mean, std, ..sized }, 1)
            }
            Kind::Lite(size) => (PreprocessSpec { width_px, height_px, ..size.plan().preprocess() }, 1),
        };
        Self { preprocess, step, before: kind.frames_before() }
    }

    /// Frames that the encoder sees of 16, and before them.
    pub fn frames(&self) -> usize {
        self.before + usize::from(CLIP.frames) / self.step
    }

    /// Bytes of a clip.
    fn bytes(&self) -> usize {
        self.frames() * self.preprocess.resized_len()
    }

    /// The frames that the encoder sees, of the 16 of a whole clip.
    pub fn thin<T: Clone>(&self, frames: &[T]) -> Vec<T> {
        frames.iter().step_by(self.step).cloned().collect()
    }

    /// Clips on a device.
    ///
    /// # Shapes
    /// Each of `clips` is `[frames, height, width, 3]`, [`ClipInput::frames`] of them; the result is `[N, 3, frames, height,
    /// width]`.
    ///
    /// # Errors
    /// When a clip has another length.
    pub fn tensor(&self, clips: &[&[u8]], device: &Device) -> Result<Tensor<5>, TuneError> {
        let preprocessor = Preprocessor::new(self.preprocess.clone())?;
        let mut values = vec![0.0; clips.len() * self.bytes()];
        for (clip, values) in clips.iter().zip(values.chunks_exact_mut(self.bytes())) {
            ShapeError::unless(clip.len() == self.bytes(), "bytes of a clip", clip.len(), self.bytes())?;
            let frames = clip.chunks_exact(self.preprocess.resized_len());
            preprocessor.normalise_into(frames, values).map_err(TuneError::Values)?;
        }
        let [height, width] = [self.preprocess.height_px, self.preprocess.width_px].map(usize::from);
        let shape = [clips.len(), COLOURS, self.frames(), height, width];
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// The pixels of the clip that begins at frame `begin` of a video of `frames` frames, as it is: `[frames, height, width, 3]`.
    ///
    /// # Errors
    /// As [`ClipInput::read`].
    pub fn clip_at(&self, entry: &VideoEntry, frames: u64, begin: u64) -> Result<Vec<u8>, TuneError> {
        let draw = ClipDraw { begin, label: 0.0, view: View::WHOLE, mirrored: false };
        let clips = self.read(entry, frames, &[draw], &AtomicBool::new(false))?;
        Ok(clips.into_iter().flat_map(|clip| clip.pixels).collect())
    }

    /// Reads the drawn clips of a video of `frames` frames, up to the last frame that they need. A video shorter than a clip
    /// repeats its last frame, as everywhere. When `stop` is set it ends early and gives what it has.
    ///
    /// # Errors
    /// When the video cannot be read, or is shorter than it was.
    pub fn read(
        &self,
        entry: &VideoEntry,
        frames: u64,
        draws: &[ClipDraw],
        stop: &AtomicBool,
    ) -> Result<Vec<Clip>, TuneError> {
        let mut clips: Vec<Clip> =
            draws.iter().map(|draw| Clip { pixels: vec![0; self.bytes()], label: draw.label }).collect();
        let last = |draw: &ClipDraw| self.frame_of(draw, self.frames() - 1, frames);
        let Some(end) = draws.iter().map(last).max() else {
            return Ok(clips);
        };
        let mut renderer = Renderer::new(self, &entry.id)?;
        let mut source = open(entry)?;
        let mut buf = FrameBuf::new();
        for frame in 0..=end {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if !source.next_frame(&mut buf).map_err(|source| unreadable(entry, source))? {
                return Err(shorter(entry, frame, frames));
            }
            for (draw, clip) in draws.iter().zip(&mut clips) {
                let is_shown = |slot: &usize| self.frame_of(draw, *slot, frames) == frame;
                for slot in (0..self.frames()).filter(is_shown) {
                    renderer.render(buf.as_frame(), draw, self.slot(&mut clip.pixels, slot))?;
                }
            }
        }
        Ok(clips)
    }

    /// Hands every clip of a video, the tail included, to `take`, as `[frames, height, width, 3]`.
    ///
    /// # Errors
    /// When the video cannot be read, and those of `take`.
    pub fn each(
        &self,
        entry: &VideoEntry,
        take: &mut dyn FnMut(ClipSpan, Vec<u8>) -> Result<(), TuneError>,
    ) -> Result<(), TuneError> {
        let mut preprocessor = Preprocessor::new(self.preprocess.clone())?;
        let mut window = ClipWindow::new(CLIP, self.preprocess.resized_len())?;
        let mut source = open(entry)?;
        let mut buf = FrameBuf::new();
        let mut before: Vec<u8> = Vec::new();
        let mut shown = |window: &ClipWindow| {
            let frames: Vec<&[u8]> = window.frames().collect();
            if let (true, Some(first)) = (before.is_empty(), frames.first()) {
                before = first.repeat(self.before);
            }
            let clip = [before.as_slice(), &self.thin(&frames).concat()].concat();
            // Clips lie side by side.
            before = frames[frames.len().saturating_sub(self.before)..].concat();
            clip
        };
        while source.next_frame(&mut buf).map_err(|source| unreadable(entry, source))? {
            let pushed = window.push_with(|slot| preprocessor.resize_into(buf.as_frame(), slot));
            let span = pushed.map_err(|source| TuneError::Frame { id: entry.id.clone(), source })?;
            if let Some(span) = span {
                take(span, shown(&window))?;
            }
        }
        match window.finish() {
            Some(span) => take(span, shown(&window)),
            None => Ok(()),
        }
    }

    /// The frame of the video that a clip shows in one of its slots.
    fn frame_of(&self, draw: &ClipDraw, slot: usize, frames: u64) -> u64 {
        let behind = draw.begin + (slot * self.step) as u64;
        behind.saturating_sub(self.before as u64).min(frames.saturating_sub(1))
    }

    fn slot<'a>(&self, pixels: &'a mut [u8], slot: usize) -> &'a mut [u8] {
        let length = self.preprocess.resized_len();
        &mut pixels[slot * length..(slot + 1) * length]
    }
}

/// Opens a video.
///
/// # Errors
/// When it is gone or cannot be read, naming it.
pub fn open(entry: &VideoEntry) -> Result<FrameSource, TuneError> {
    FrameSource::open(&entry.path).map_err(|source| unreadable(entry, source))
}

/// An error about a video.
pub fn unreadable(entry: &VideoEntry, source: vad_video::VideoError) -> TuneError {
    TuneError::Video { id: entry.id.clone(), source }
}

fn shorter(entry: &VideoEntry, frames: u64, expected: u64) -> TuneError {
    TuneError::Shorter { id: entry.id.clone(), path: entry.path.clone(), frames, expected }
}

/// Cuts, resizes and mirrors frames.
struct Renderer<'a> {
    id: &'a str,
    preprocessor: Preprocessor,
    cut: Vec<u8>,
}

impl<'a> Renderer<'a> {
    fn new(input: &ClipInput, id: &'a str) -> Result<Self, TuneError> {
        Ok(Self { id, preprocessor: Preprocessor::new(input.preprocess.clone())?, cut: Vec::new() })
    }

    fn render(&mut self, frame: RgbFrame<'_>, draw: &ClipDraw, out: &mut [u8]) -> Result<(), TuneError> {
        let region = draw.view.region(frame.width_px(), frame.height_px());
        let done = self.cut_out(frame, region).and_then(|()| {
            let cut = RgbFrame::new(region.width_px, region.height_px, &self.cut)?;
            self.preprocessor.resize_into(cut, out)
        });
        done.map_err(|source| TuneError::Frame { id: self.id.to_owned(), source })?;
        if draw.mirrored {
            mirror(out, usize::from(self.preprocessor.spec().width_px));
        }
        Ok(())
    }

    fn cut_out(&mut self, frame: RgbFrame<'_>, region: Region) -> Result<(), vad_core::FrameError> {
        let [x, y, width, height, pitch] =
            [region.x_px, region.y_px, region.width_px, region.height_px, frame.width_px()]
                .map(|px| px as usize);
        self.cut.clear();
        for row in frame.data().chunks_exact(pitch * COLOURS).skip(y).take(height) {
            self.cut.extend_from_slice(&row[x * COLOURS..(x + width) * COLOURS]);
        }
        Ok(())
    }
}

/// Mirrors a picture `[height, width, 3]` left to right.
fn mirror(picture: &mut [u8], width: usize) {
    for row in picture.chunks_exact_mut(width * COLOURS) {
        row.reverse();
        // Reversing bytes turned every pixel round too.
        row.chunks_exact_mut(COLOURS).for_each(<[u8]>::reverse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finetune::plan::View;

    fn draw(view: View, mirrored: bool) -> ClipDraw {
        ClipDraw { begin: 0, label: 0.5, view, mirrored }
    }

    #[test]
    fn a_part_of_the_picture_fills_the_input_and_is_mirrored_as_a_whole() {
        // Four by four pixels, each its own number, shown at twice the size of the part that is cut.
        let input = ClipInput::new(EncoderChoice::Small, 32, 32);
        let data: Vec<u8> = (0..32 * 40 * 3).map(|at| (at % 251) as u8).collect();
        let frame = RgbFrame::new(40, 32, &data).unwrap();
        let view = View { shares: [0.8, 1.0], places: [2, 1] };
        let mut renderer = Renderer::new(&input, "v").unwrap();
        let mut shown = vec![0; 32 * 32 * 3];
        renderer.render(frame, &draw(view, false), &mut shown).unwrap();
        // The right 32 of 40 columns, unresized.
        for (row, original) in shown.chunks_exact(32 * 3).zip(data.chunks_exact(40 * 3)) {
            assert_eq!(row, &original[8 * 3..]);
        }
        let mut mirrored = vec![0; 32 * 32 * 3];
        renderer.render(frame, &draw(view, true), &mut mirrored).unwrap();
        assert_eq!(mirrored[..3], shown[31 * 3..32 * 3]);
        mirror(&mut mirrored, 32);
        assert_eq!(mirrored, shown);
    }

    #[test]
    fn the_small_encoder_sees_every_second_frame() {
        let small = ClipInput::new(EncoderChoice::Small, 64, 48);
        assert_eq!(
            (small.frames(), small.thin(&(0..16).collect::<Vec<_>>())),
            (8, vec![0, 2, 4, 6, 8, 10, 12, 14])
        );
        let c3d = ClipInput::new(EncoderChoice::C3d, 112, 112);
        assert_eq!((c3d.frames(), c3d.preprocess.channel_order), (16, ChannelOrder::Bgr));
    }

    #[test]
    fn a_stream_sees_the_frames_before_a_clip_and_the_first_stands_for_those_before_it() {
        for choice in [EncoderChoice::LiteSmall, EncoderChoice::LiteMiddle, EncoderChoice::LiteLarge] {
            assert!(ClipInput::new(choice, 32, 32).before <= usize::from(CLIP.frames), "{choice:?}");
        }
        let lite = ClipInput::new(EncoderChoice::LiteSmall, 32, 32);
        assert_eq!(lite.frames(), 28);
        let shown = |begin| {
            let draw = ClipDraw { begin, ..draw(View::WHOLE, false) };
            (0..lite.frames()).map(|slot| lite.frame_of(&draw, slot, 40)).collect::<Vec<_>>()
        };
        assert_eq!(shown(16), (4..32).collect::<Vec<_>>());
        assert_eq!(shown(2), [vec![0; 10], (0..18).collect()].concat());
        // The tail repeats the last frame.
        assert_eq!(shown(32)[19..], [39; 9]);
    }

    #[test]
    fn clips_read_one_by_one_are_those_of_the_whole_video() {
        let folder = tempfile::tempdir().unwrap();
        for frame in 0..40_u8 {
            let picture = image::RgbImage::from_pixel(16, 16, image::Rgb([frame; 3]));
            picture.save(folder.path().join(format!("{frame:02}.png"))).unwrap();
        }
        let entry = VideoEntry::new("v", folder.path(), vad_data::Label::Normal);
        for choice in [EncoderChoice::Small, EncoderChoice::LiteSmall] {
            let input = ClipInput::new(choice, 32, 32);
            let mut clips = 0;
            let mut same = |span: ClipSpan, pixels: Vec<u8>| {
                let draw = ClipDraw { begin: span.first_frame.0, ..draw(View::WHOLE, false) };
                let read = input.read(&entry, 40, &[draw], &AtomicBool::new(false))?;
                assert_eq!(read[0].pixels, pixels, "{choice:?}, clip {}", span.index);
                clips += 1;
                Ok(())
            };
            input.each(&entry, &mut same).unwrap();
            assert_eq!(clips, 3);
        }
    }

    #[test]
    fn values_are_those_of_the_preprocessing_in_planes() {
        let input = ClipInput::new(EncoderChoice::Small, 32, 32);
        let clip: Vec<u8> = (0..8 * 32 * 32).flat_map(|_| [255, 0, 0]).collect();
        let tensor = input.tensor(&[&clip, &clip], &Device::flex()).unwrap();
        assert_eq!(tensor.dims(), [2, 3, 8, 32, 32]);
        let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
        let plane = 8 * 32 * 32;
        assert!(values[..plane].iter().all(|value| *value == 1.0));
        assert!(values[plane..3 * plane].iter().all(|value| *value == -1.0));
    }
}
