//! The map of clip features for the report.

use crate::cmd::held_back::HeldBack;
use crate::run::Run;
use anyhow::{Context, Result};
use vad_data::Features;
use vad_eval::{ClipKind, FeatureMap, MapClip, Tsne, VideoScores};

/// Draws the clips of all videos, or some of them, chosen by `seed`.
pub fn draw(videos: &HeldBack<'_>, run: &Run, scores: &[VideoScores], seed: u64) -> Result<FeatureMap> {
    let clips: usize = scores.iter().map(|video| video.raw.len()).sum();
    let mut chosen = FeatureMap::choose(clips, seed).into_iter().peekable();
    let (mut drawn, mut values, mut first) = (Vec::new(), Vec::new(), 0);
    let mut videos_left = scores.iter();
    videos.each_features(run, |_, features| {
        let Some(video) = videos_left.next() else { return };
        while let Some(clip) = chosen.next_if(|at| *at < first + video.raw.len()).map(|at| at - first) {
            drawn.push(MapClip {
                video: video.video.clone(),
                clip,
                kind: ClipKind::of(&video.truth, video.spans[clip]),
                score: video.raw[clip],
            });
            values.extend(mean_over_crops(features, clip));
        }
        first += video.raw.len();
    })?;
    let dim = values.len().checked_div(drawn.len()).unwrap_or(0);
    FeatureMap::draw(drawn, &values, dim, clips, Tsne { seed, ..Tsne::default() })
        .context("no map can be drawn: there are fewer than 4 clips\n  remedy: leave out --tsne")
}

fn mean_over_crops(features: &Features, clip: usize) -> Vec<f32> {
    let mut mean = vec![0.0_f32; features.dim];
    for crop in features.rows().nth(clip).unwrap_or_default().chunks_exact(features.dim.max(1)) {
        mean.iter_mut().zip(crop).for_each(|(sum, value)| *sum += value / features.crops as f32);
    }
    mean
}
