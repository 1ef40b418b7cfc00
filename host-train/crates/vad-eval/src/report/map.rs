//! The map of clip features, coloured by what is known and by what the detector says.

use std::fmt::Write as _;

use crate::feature_map::{ClipKind, FeatureMap, MapClip, MapPoint};

use super::svg::short;
use super::text::{Text, count};

/// Side of the map in its own coordinates, and the room left at its edge.
const SIDE: f64 = 100.0;
const MARGIN: f64 = 3.0;
/// Shades from score 0 to score 1.
const SHADES: usize = 5;

pub(super) fn section(map: Option<&FeatureMap>) -> String {
    let Some(map) = map else {
        return String::new();
    };
    let drawn = if map.points.len() < map.clips {
        format!("{} of {} clips, chosen at random", count(map.points.len() as u64), count(map.clips as u64))
    } else {
        format!("{} clips", count(map.clips as u64))
    };
    let kinds = [
        (ClipKind::NormalVideo, "of normal videos"),
        (ClipKind::NormalClip, "normal, of abnormal videos"),
        (ClipKind::AbnormalClip, "abnormal"),
        (ClipKind::Unknown, "truth unknown"),
    ];
    let kinds = kinds.into_iter().filter(|(kind, _)| map.points.iter().any(|point| point.clip.kind == *kind));
    let by_truth = kinds.map(|(kind, name)| key(kind_class(kind), name)).collect();
    let shade_name =
        |shade: usize| format!("{} to {}", shade as f64 / SHADES as f64, (shade + 1) as f64 / SHADES as f64);
    let by_score = (0..SHADES).map(|shade| key(&format!("s{shade}"), &shade_name(shade))).collect();
    let panels = [
        panel(map, "By truth", by_truth, |clip| kind_class(clip.kind).to_owned()),
        panel(map, "By score", by_score, |clip| format!("s{}", shade(clip.score))),
    ];
    format!(
        "<section><h2>Map of clip features</h2><p class=\"lead\">t-SNE of the encoder's features (not of the detector's): {drawn}, seed {}. \
         Clips that lie together look alike to the encoder; distances between groups and the axes mean nothing.</p>\
         <div class=\"pair\">{}</div></section>\n",
        map.seed,
        panels.concat()
    )
}

fn key(class: &str, name: &str) -> String {
    format!("<span><i class=\"dot {class}\"></i>{name}</span>")
}

fn kind_class(kind: ClipKind) -> &'static str {
    match kind {
        ClipKind::NormalVideo => "m-video",
        ClipKind::NormalClip => "m-normal",
        ClipKind::AbnormalClip => "m-abnormal",
        ClipKind::Unknown => "m-unknown",
    }
}

fn shade(score: f32) -> usize {
    ((score.clamp(0.0, 1.0) * SHADES as f32) as usize).min(SHADES - 1)
}

fn panel(map: &FeatureMap, name: &str, legend: String, class: impl Fn(&MapClip) -> String) -> String {
    let place = scale(map);
    let mut points: Vec<(&MapPoint, String)> =
        map.points.iter().map(|point| (point, class(&point.clip))).collect();
    // What matters most is drawn last, above the rest.
    points.sort_by(|a, b| a.1.cmp(&b.1).then(a.0.clip.score.total_cmp(&b.0.clip.score)));
    points.sort_by_key(|(point, _)| point.clip.kind == ClipKind::AbnormalClip);
    let mut dots = String::new();
    for (point, class) in points {
        let [x, y] = place(point.place);
        let _ = write!(
            dots,
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"1\"><title>{}, clip {}: {:.3}</title></circle>",
            short(x),
            short(y),
            Text(&point.clip.video),
            point.clip.clip,
            point.clip.score
        );
    }
    format!(
        "<figure class=\"card map\"><figcaption><h3>{name}</h3></figcaption><p class=\"legend\">{legend}</p>\
         <div class=\"square\"><svg viewBox=\"0 0 100 100\" role=\"img\" aria-label=\"clip features, {name}\">{dots}</svg></div></figure>\n"
    )
}

/// From the map's places into the square, both axes by the same factor.
fn scale(map: &FeatureMap) -> impl Fn([f64; 2]) -> [f64; 2] {
    let ends = [0, 1].map(|axis| {
        let along = map.points.iter().map(|point| point.place[axis]);
        (along.clone().fold(f64::INFINITY, f64::min), along.fold(f64::NEG_INFINITY, f64::max))
    });
    let extent = ends.iter().map(|(low, high)| high - low).fold(f64::MIN_POSITIVE, f64::max);
    let factor = (SIDE - 2.0 * MARGIN) / extent;
    move |place| {
        let middle = |axis: usize| f64::midpoint(ends[axis].0, ends[axis].1);
        [0, 1].map(|axis| SIDE / 2.0 + (place[axis] - middle(axis)) * factor)
    }
}
