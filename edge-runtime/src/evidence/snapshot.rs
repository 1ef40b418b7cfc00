//! The picture of an event: what was seen, where the model looked, and the score over time.

use std::io;

use heat_map::{Curve, Figure, HeatMap, Look, Picture, write_jpeg};
use vad_infer::AttentionMap;

use super::sheet::{About, Sheet};

/// The clip that explains an event.
pub(super) struct Moment {
    /// Its own score, before smoothing, 0 to 1.
    pub(super) score: f32,
    /// When it ended, media time.
    pub(super) at_ms: u64,
    /// Its last picture.
    pub(super) picture: Picture,
    /// Where the model looked, if it can tell.
    pub(super) attention: Option<AttentionMap>,
}

/// Draws an event as JPEG.
///
/// # Errors
/// A picture of more than 65535 pixels on a side.
pub(super) fn draw(moment: &Moment, sheet: &Sheet, about: &About) -> io::Result<Vec<u8>> {
    let since_s = |media_ms: u64| (media_ms as f64 - sheet.raised_media_ms as f64) as f32 / 1_000.0;
    let look = moment.attention.as_ref().zip(about.attention.as_ref()).map(|(map, (spec, input_px))| {
        let map = HeatMap::new(map.columns, map.values.clone(), spec.grid);
        Look { map, input_px: *input_px }
    });
    let points = sheet.scores.iter().map(|point| (since_s(point.media_ms), point.score)).collect();
    let figure = Figure {
        captions: captions(moment, sheet, about, since_s(moment.at_ms)),
        picture: moment.picture.clone(),
        look,
        curve: Some(Curve { points, threshold: sheet.raise_threshold }),
    };
    let mut bytes = Vec::new();
    write_jpeg(&mut bytes, &figure.draw())?;
    Ok(bytes)
}

fn captions(moment: &Moment, sheet: &Sheet, about: &About, after_s: f32) -> Vec<String> {
    let Sheet { camera, event, severity, raise_threshold, .. } = sheet;
    vec![
        format!("{camera}: {severity}"),
        sheet.wall_clock_ms.and_then(time_of_day).unwrap_or_else(|| "time of day not known".to_owned()),
        format!("{after_s:+.1} s: score {:.3}, alarm from {raise_threshold:.3} on", moment.score),
        format!("{}, event {event}, {}", about.board, about.model),
    ]
}

fn time_of_day(wall_ms: u64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(wall_ms).ok()?).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}
