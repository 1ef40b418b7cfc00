//! A camera of made-up pictures, each part of its path timed.

use std::sync::Arc;
use std::time::Instant;

use vad_core::{ModelSpec, Preprocessor, RgbFrame};
use vad_infer::{Encoder, Head, HeadStream, PulseState};

use super::timing::ms;
use crate::cli::PictureSize;
use crate::error::Error;

/// Milliseconds per frame of each step that was timed.
#[derive(Debug, Default)]
pub(super) struct Laps {
    pub(super) preprocessing: Vec<f64>,
    pub(super) encoder: Vec<f64>,
    pub(super) head: Vec<f64>,
    /// All of it, over a clip.
    pub(super) whole: Vec<f64>,
}

pub(super) struct Stream {
    preprocessor: Preprocessor,
    path: Path,
    head: HeadStream,
    size: PictureSize,
    pictures: Arc<[Vec<u8>]>,
    resized: Vec<Vec<u8>>,
    /// Normalised frames for one run of the encoder.
    input: Vec<f32>,
    feature_dim: usize,
}

/// How the encoder takes frames.
enum Path {
    Clips(Arc<Encoder>),
    Frames(Box<PulseState>),
}

impl Stream {
    pub(super) fn new(
        encoder: Arc<Encoder>,
        head: &Arc<Head>,
        spec: &ModelSpec,
        size: PictureSize,
        pictures: Arc<[Vec<u8>]>,
    ) -> Result<Self, Error> {
        let clip = usize::from(spec.clip.frames);
        let (path, at_a_time) = match encoder.stream()? {
            Some(state) => {
                let at_a_time = state.pulse().frames();
                (Path::Frames(Box::new(state)), at_a_time)
            }
            None => (Path::Clips(Arc::clone(&encoder)), clip),
        };
        let len = spec.preprocess.resized_len();
        Ok(Self {
            preprocessor: Preprocessor::new(spec.preprocess.clone()).map_err(vad_infer::InferError::from)?,
            path,
            head: head.stream(),
            size,
            pictures,
            resized: vec![vec![0; len]; at_a_time],
            input: vec![0.0; len * at_a_time],
            feature_dim: encoder.feature_dim(),
        })
    }

    /// The frames of one clip and their score; gives the clip's feature.
    pub(super) fn clip(&mut self, laps: &mut Laps) -> Result<Vec<f32>, Error> {
        let begin = Instant::now();
        let (clip, at_a_time) = (self.pictures.len(), self.resized.len());
        let mut feature = vec![0.0; self.feature_dim];
        let mut runs = 0;
        for pictures in self.pictures.chunks(at_a_time) {
            let lap = Instant::now();
            for (picture, resized) in pictures.iter().zip(&mut self.resized) {
                let frame = RgbFrame::new(self.size.width_px, self.size.height_px, picture)
                    .map_err(vad_infer::InferError::from)?;
                self.preprocessor.resize_into(frame, resized).map_err(vad_infer::InferError::from)?;
            }
            let frames = self.resized.iter().map(Vec::as_slice);
            self.preprocessor.normalise_into(frames, &mut self.input).map_err(vad_infer::InferError::from)?;
            laps.preprocessing.push(ms(lap) / at_a_time as f64);
            let lap = Instant::now();
            let features = match &mut self.path {
                Path::Clips(encoder) => encoder.encode(&self.input)?,
                Path::Frames(state) => state.run(&self.input)?,
            };
            laps.encoder.push(ms(lap) / at_a_time as f64);
            // Where it streams, a row has a value for each frame of the pulse.
            let rows = features.chunks_exact(features.len() / self.feature_dim);
            feature
                .iter_mut()
                .zip(rows)
                .for_each(|(sum, row)| *sum += row.iter().sum::<f32>() / row.len() as f32);
            runs += 1;
        }
        feature.iter_mut().for_each(|sum| *sum /= runs as f32);
        let lap = Instant::now();
        self.head.push(&feature)?;
        laps.head.push(ms(lap) / clip as f64);
        laps.whole.push(ms(begin) / clip as f64);
        Ok(feature)
    }
}

/// Pictures of one clip, which all cameras see: a camera of a daemon keeps none.
pub(super) fn pictures(spec: &ModelSpec, size: PictureSize) -> Arc<[Vec<u8>]> {
    (0..usize::from(spec.clip.frames)).map(|frame| picture(size, frame)).collect()
}

/// Moving gradients.
fn picture(size: PictureSize, number: usize) -> Vec<u8> {
    let PictureSize { width_px, height_px } = size;
    let values = 3 * width_px as usize * height_px as usize;
    (0..values).map(|at| ((at * 37 + number * 11) % 255) as u8).collect()
}
