//! The latest picture of a camera, as long as somebody wants to see it.
//!
//! # Invariants
//! - A picture without its masks never gets here: what is taken is a [`MaskedFrame`].
//! - A camera that nobody looks at pays one comparison per picture, and keeps none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use heat_map::{HeatMap, Look, Picture, shrunk, write_jpeg};
use vad_core::AttentionSpec;
use vad_infer::AttentionMap;

use crate::health::lock;
use crate::view::MaskedFrame;

/// How long somebody who asked once is taken to look on, milliseconds: the slowest camera gives a picture every ten seconds.
const WANTED_MS: u64 = 15_000;
/// Least time between two pictures that are kept, milliseconds.
const INTERVAL_MS: u64 = 200;
/// Older pictures are not live, milliseconds; of a slow camera, those of more than two turns.
const FRESH_MS: u64 = 3_000;

/// Where a model's attention lies in the picture, and the size of the encoder's pictures.
pub(super) type Gaze = (AttentionSpec, [u16; 2]);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Live {
    wanted_until_ms: AtomicU64,
    map_wanted_until_ms: AtomicU64,
    /// When the camera's latest picture came, and how long after the one before, milliseconds.
    latest_ms: AtomicU64,
    gap_ms: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    picture: Option<(u64, Arc<Picture>)>,
    map: Option<Arc<AttentionMap>>,
}

/// A picture and where the model looked.
pub(super) struct Sight {
    picture: Arc<Picture>,
    map: Option<Arc<AttentionMap>>,
}

impl Live {
    /// Takes the camera's next picture.
    pub(super) fn picture(&self, picture: MaskedFrame<'_>, now_ms: u64) {
        let before_ms = self.latest_ms.swap(now_ms, Ordering::Relaxed);
        self.gap_ms.store(now_ms.saturating_sub(before_ms).min(WANTED_MS), Ordering::Relaxed);
        let is_wanted = now_ms < self.wanted_until_ms.load(Ordering::Relaxed);
        let mut kept = lock(&self.kept);
        if !is_wanted {
            *kept = Kept::default();
            return;
        }
        if !self.wants_map(now_ms) {
            kept.map = None;
        }
        if kept.picture.as_ref().is_some_and(|(at_ms, _)| now_ms < at_ms + INTERVAL_MS) {
            return;
        }
        let frame = picture.rgb();
        kept.picture = Picture::from_raw(frame.width_px(), frame.height_px(), frame.data().to_vec())
            .map(|picture| (now_ms, Arc::new(picture)));
    }

    /// Whether somebody wants to see where the model looks.
    pub(super) fn wants_map(&self, now_ms: u64) -> bool {
        now_ms < self.map_wanted_until_ms.load(Ordering::Relaxed)
    }

    /// Takes where the model looked in the latest clip.
    pub(super) fn map(&self, map: Option<AttentionMap>) {
        lock(&self.kept).map = map.map(Arc::new);
    }

    /// The stream is over: what comes next may be another picture.
    pub(super) fn end(&self) {
        *lock(&self.kept) = Kept::default();
    }

    /// Somebody wants to see.
    pub(super) fn want(&self, with_map: bool, now_ms: u64) {
        self.wanted_until_ms.fetch_max(now_ms + WANTED_MS, Ordering::Relaxed);
        if with_map {
            self.map_wanted_until_ms.fetch_max(now_ms + WANTED_MS, Ordering::Relaxed);
        }
    }

    /// The latest picture, if it is recent.
    pub(super) fn sight(&self, now_ms: u64) -> Option<Sight> {
        let kept = lock(&self.kept);
        let (at_ms, picture) = kept.picture.as_ref()?;
        let fresh_ms = FRESH_MS.max(2 * self.gap_ms.load(Ordering::Relaxed));
        (now_ms < at_ms + fresh_ms).then(|| Sight { picture: Arc::clone(picture), map: kept.map.clone() })
    }
}

impl Sight {
    /// As JPEG with no side longer than `max_side_px`, with where the model looked laid over it where `gaze` says how.
    ///
    /// # Errors
    /// The encoder's.
    pub(super) fn jpeg(&self, gaze: Option<&Gaze>, max_side_px: u32) -> std::io::Result<Vec<u8>> {
        let mut picture = shrunk(&self.picture, max_side_px);
        if let (Some(map), Some((spec, input_px))) = (&self.map, gaze) {
            let map = HeatMap::new(map.columns, map.values.clone(), spec.grid);
            picture = Look { map, input_px: *input_px }.over(&picture);
        }
        let mut bytes = Vec::new();
        write_jpeg(&mut bytes, &picture)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Area, Painter, Polygon, View};
    use vad_core::RgbFrame;

    fn shown(live: &Live, painter: &mut Painter, level: u8, now_ms: u64) {
        let data = [level; 3 * 64 * 48];
        live.picture(painter.paint(RgbFrame::new(64, 48, &data).unwrap()), now_ms);
    }

    #[test]
    fn a_picture_is_kept_only_while_somebody_looks() {
        let (live, mut painter) = (Live::default(), Painter::default());
        shown(&live, &mut painter, 8, 900);
        shown(&live, &mut painter, 9, 1_000);
        assert!(live.sight(1_000).is_none(), "nobody asked");
        live.want(false, 1_000);
        assert!(!live.wants_map(1_000));
        shown(&live, &mut painter, 10, 1_100);
        shown(&live, &mut painter, 11, 1_150);
        assert_eq!(
            live.sight(1_200).unwrap().picture.get_pixel(0, 0).0,
            [10; 3],
            "no more than five a second"
        );
        shown(&live, &mut painter, 12, 1_300);
        assert_eq!(live.sight(1_300).unwrap().picture.get_pixel(0, 0).0, [12; 3]);
        assert!(live.sight(1_300 + FRESH_MS).is_none(), "what is old is not live");
        shown(&live, &mut painter, 13, 1_000 + WANTED_MS);
        assert!(lock(&live.kept).picture.is_none(), "nobody looks any more");
    }

    #[test]
    fn what_is_shown_has_its_masks() {
        let whole = Polygon::new(vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]).unwrap();
        let masks = vec![Area { name: "all".to_owned(), shape: whole }];
        let (live, mut painter) = (Live::default(), Painter::new(View { masks, zones: Vec::new() }));
        live.want(true, 0);
        shown(&live, &mut painter, 250, 0);
        let jpeg = live.sight(0).unwrap().jpeg(None, 960).unwrap();
        let picture = image::load_from_memory(&jpeg).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (64, 48));
        assert!(
            picture
                .pixels()
                .all(|pixel| pixel.0.iter().all(|&level| level.abs_diff(crate::view::HIDDEN_LEVEL) <= 2))
        );
    }
}
