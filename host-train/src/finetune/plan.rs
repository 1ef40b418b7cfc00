//! Which clips a batch looks at and how, as a pure function of videos, settings, seed and batch.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use vad_data::Label;

use super::error::TuneError;
use super::labels::{CLIP, LabelledVideo};
use super::schedule::Schedule;
use crate::batch;
use crate::recipe::mist_stage2_config::Stage2Config;
use crate::rng::{Purpose, stream};

/// A rectangle of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Of its left edge.
    pub x_px: u32,
    /// Of its upper edge.
    pub y_px: u32,
    /// At least 1.
    pub width_px: u32,
    /// At least 1.
    pub height_px: u32,
}

/// The part of the picture that a training clip shows, whatever the picture's size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Share of the width and of the height.
    pub shares: [f32; 2],
    /// Where it lies across and down: 0 at the start, 1 in the middle, 2 at the end.
    pub places: [u8; 2],
}

/// One clip to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipDraw {
    /// Its first frame.
    pub begin: u64,
    /// What it should score.
    pub label: f32,
    /// What it shows.
    pub view: View,
    /// Whether it is mirrored.
    pub mirrored: bool,
}

/// The clips to be read from one video.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoDraw {
    /// Position in [`Plan::videos`].
    pub video: usize,
    /// In the order of time.
    pub clips: Vec<ClipDraw>,
}

/// Draws the batches of one fine-tuning.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Stage2Config,
    videos: Vec<LabelledVideo>,
    normal: Vec<usize>,
    abnormal: Vec<usize>,
}

impl View {
    /// The whole picture.
    pub const WHOLE: Self = Self { shares: [1.0; 2], places: [1; 2] };

    /// The rectangle of a picture of this size.
    pub fn region(self, width_px: u32, height_px: u32) -> Region {
        let along = |axis: usize, side_px: u32| {
            let length =
                ((f64::from(side_px) * f64::from(self.shares[axis])).round() as u32).clamp(1, side_px);
            ((side_px - length) * u32::from(self.places[axis].min(2)) / 2, length)
        };
        let ((x_px, width_px), (y_px, height_px)) = (along(0, width_px), along(1, height_px));
        Region { x_px, y_px, width_px, height_px }
    }

    /// As the released code crops: width and height whole or cut to `least`, each by itself, at a corner or in the middle.
    fn draw(least: f32, rng: &mut ChaCha8Rng) -> Self {
        let mut share = || if rng.random::<bool>() { least } else { 1.0 };
        let shares = [share(), share()];
        let places = match rng.random_range(0..5_u8) {
            4 => [1, 1],
            corner => [corner % 2 * 2, corner / 2 * 2],
        };
        Self { shares, places }
    }
}

impl Plan {
    /// Takes the training videos; those without clips are left out.
    ///
    /// # Errors
    /// When the videos that remain are all of one kind.
    pub fn new(config: &Stage2Config, videos: Vec<LabelledVideo>) -> Result<Self, TuneError> {
        let videos: Vec<LabelledVideo> =
            videos.into_iter().filter(|video| !video.labels.is_empty() && video.frames > 0).collect();
        let of = |label: Label| -> Vec<usize> {
            (0..videos.len()).filter(|index| videos[*index].entry.label == label).collect()
        };
        let (normal, abnormal) = (of(Label::Normal), of(Label::Abnormal));
        if normal.is_empty() || abnormal.is_empty() {
            return Err(TuneError::OneClass { abnormal: abnormal.len(), normal: normal.len() });
        }
        Ok(Self { config: config.clone(), videos, normal, abnormal })
    }

    /// The videos.
    pub fn videos(&self) -> &[LabelledVideo] {
        &self.videos
    }

    /// How batches make up steps and epochs.
    pub fn schedule(&self) -> Schedule {
        Schedule::new(&self.config, self.normal.len(), self.abnormal.len())
    }

    /// The draws of a batch, counted from 0: normal videos first, then abnormal ones.
    pub fn batch(&self, batch: u64) -> Vec<VideoDraw> {
        let Stage2Config { seed, videos, .. } = self.config;
        let mut rng = stream(seed, Purpose::Sampling, batch);
        let kinds = [(&self.normal, Purpose::NormalOrder), (&self.abnormal, Purpose::AbnormalOrder)];
        let chosen = kinds.map(|(members, order)| batch::videos(members, order, seed, videos, batch));
        chosen.into_iter().flatten().map(|video| self.draw(video, &mut rng)).collect()
    }

    /// As released: the video is parted evenly, and one clip is drawn from each part.
    fn draw(&self, video: usize, rng: &mut ChaCha8Rng) -> VideoDraw {
        let Stage2Config { clips_per_video, jitter, flip, crop_share, .. } = self.config;
        let labelled = &self.videos[video];
        let unit = if jitter { 1 } else { u64::from(CLIP.stride) };
        let choices = match jitter {
            true => (labelled.frames + 1).saturating_sub(CLIP.frames.into()).max(1),
            false => labelled.labels.len() as u64,
        };
        let parts = clips_per_video as u64;
        let clip = |part: u64| {
            let (first, end) = (choices * part / parts, (choices * (part + 1)).div_ceil(parts));
            let begin = unit * rng.random_range(first..end.max(first + 1));
            let mirrored = flip && rng.random::<bool>();
            let view = if crop_share < 1.0 { View::draw(crop_share, rng) } else { View::WHOLE };
            ClipDraw { begin, label: labelled.label_from(begin), view, mirrored }
        };
        let mut clips: Vec<ClipDraw> = (0..parts).map(clip).collect();
        clips.sort_by_key(|clip| clip.begin);
        VideoDraw { video, clips }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vad_data::VideoEntry;

    fn video(index: usize, label: Label, frames: u64) -> LabelledVideo {
        let clips = CLIP.spans(frames).count();
        let labels = (0..clips).map(|clip| clip as f32 / clips as f32).collect();
        LabelledVideo { entry: VideoEntry::new(index.to_string(), "x.mp4", label), frames, labels }
    }

    fn plan(config: &Stage2Config, lengths: &[u64]) -> Plan {
        let label = |index: usize| if index.is_multiple_of(2) { Label::Normal } else { Label::Abnormal };
        let videos = lengths.iter().enumerate().map(|(index, frames)| video(index, label(index), *frames));
        Plan::new(config, videos.collect()).unwrap()
    }

    proptest! {
        #[test]
        fn every_clip_lies_in_its_video_and_has_its_label(
            lengths in proptest::collection::vec(1_u64..200, 2..8), seed: u64, jitter: bool, batch in 0_u64..50,
        ) {
            let config = Stage2Config { seed, jitter, videos: 2, clips_per_video: 3, ..Stage2Config::default() };
            let plan = plan(&config, &lengths);
            let draws = plan.batch(batch);
            prop_assert_eq!(draws.len(), 4);
            for (at, draw) in draws.iter().enumerate() {
                let video = &plan.videos()[draw.video];
                prop_assert_eq!(video.entry.label == Label::Normal, at < 2);
                prop_assert_eq!(draw.clips.len(), 3);
                for clip in &draw.clips {
                    prop_assert!(clip.begin < video.frames);
                    prop_assert!(!jitter || clip.begin == 0 || clip.begin + 16 <= video.frames);
                    prop_assert!(jitter || clip.begin.is_multiple_of(16));
                    prop_assert_eq!(clip.label, video.label_from(clip.begin));
                    let region = clip.view.region(360, 240);
                    prop_assert!(region.x_px + region.width_px <= 360 && region.y_px + region.height_px <= 240);
                }
            }
            prop_assert_eq!(draws, plan.batch(batch));
        }
    }

    #[test]
    fn every_part_of_a_video_is_drawn_and_seeds_differ() {
        let config = Stage2Config { videos: 1, jitter: false, ..Stage2Config::default() };
        let plan_of = |seed| plan(&Stage2Config { seed, ..config.clone() }, &[96, 96]);
        let mut seen: Vec<u64> = (0..60)
            .flat_map(|batch| plan_of(1).batch(batch)[0].clips.clone())
            .map(|clip| clip.begin / 16)
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
        assert_ne!(plan_of(1).batch(0), plan_of(2).batch(0));
    }

    #[test]
    fn a_view_is_cut_from_a_corner_or_the_middle() {
        let view = View { shares: [0.8, 1.0], places: [2, 0] };
        assert_eq!(view.region(100, 50), Region { x_px: 20, y_px: 0, width_px: 80, height_px: 50 });
        assert_eq!(
            View::WHOLE.region(1, 16_384),
            Region { x_px: 0, y_px: 0, width_px: 1, height_px: 16_384 }
        );
    }

    #[test]
    fn one_kind_of_video_is_refused() {
        let config = Stage2Config::default();
        let error = Plan::new(&config, vec![video(0, Label::Normal, 64)]).unwrap_err();
        assert!(error.to_string().contains("0 abnormal and 1 normal"), "{error}");
    }
}
