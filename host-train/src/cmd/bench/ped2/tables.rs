//! The parts that result pages on UCSD Ped2 have in common.

use super::{DrawResult, Setup, VariantResult};
use crate::cmd::provenance;
use crate::cmd::spread::Spread;
use crate::cmd::terminal::count;
use anyhow::Result;
use serde::Serialize;
use std::fmt::Write as _;
use vad_data::CropPlan;

/// The frame AUC of one row less that of another, draw by draw: a draw is as difficult for both.
#[derive(Debug, PartialEq, Serialize)]
pub struct Difference {
    name: String,
    crops: CropPlan,
    against: String,
    /// In the order of the draws.
    gains: Vec<f64>,
}

impl Difference {
    /// Both have the same draws in the same order.
    pub fn between(result: &VariantResult, other: &VariantResult, against: String) -> Self {
        let pairs = result.draws.iter().zip(&other.draws);
        Self {
            name: result.name.clone(),
            crops: result.crops,
            against,
            gains: pairs.map(|(own, other)| own.frame_auc - other.frame_auc).collect(),
        }
    }
}

/// The main table, up to the oracle's row. Each row comes with what it is called; `what` is the heading of that.
pub fn figures(page: &mut String, what: &str, rows: &[(String, &VariantResult)]) -> Result<()> {
    writeln!(
        page,
        "Mean ± standard deviation (range) over seeds; every row has the same draws.\n\n\
         | {what} | crops | **frame ROC AUC** | average precision | ROC AUC over videos | one training, s |\n|---|---|---|---|---|---|"
    )?;
    for (label, result) in rows {
        writeln!(
            page,
            "| {label} | {} | **{}** | {} | {} | {:.1} |",
            result.crops,
            of(result, |draw| draw.frame_auc),
            of(result, |draw| draw.average_precision),
            of(result, |draw| draw.video_auc),
            of(result, |draw| draw.train_s).mean
        )?;
    }
    if let Some((_, result)) = rows.first() {
        let oracle = of(result, |draw| draw.labels_alone_auc);
        writeln!(page, "| an oracle that knows the video labels and nothing else | | {oracle} | | 1 | |")?;
    }
    Ok(())
}

pub fn differences(page: &mut String, what: &str, all: &[Difference]) -> Result<()> {
    writeln!(
        page,
        "\n## Differences\n\nOf the frame AUC, draw by draw.\n\n| {what} | crops | compared with | difference | better in |\n|---|---|---|---|---|"
    )?;
    for Difference { name, crops, against, gains } in all {
        let better = gains.iter().filter(|gain| **gain > 0.0).count();
        let spread = Spread::of(gains.iter().copied());
        writeln!(page, "| {name} | {crops} | {against} | {spread} | {better} of {} |", gains.len())?;
    }
    Ok(())
}

pub fn limits<'a>(page: &mut String, rows: impl IntoIterator<Item = &'a VariantResult>) -> Result<()> {
    writeln!(
        page,
        "\n## What limits it\n\nThe same scores with one half of the answer replaced: *labels known* puts every frame of an abnormal \
         video above every frame of a normal one and keeps the order within; *not localised* gives every frame the highest score of \
         its video. *Within* is over the frames of abnormal videos alone.\n\n\
         | | crops | frame AUC | labels known | not localised | within |\n|---|---|---|---|---|---|"
    )?;
    for result in rows {
        writeln!(
            page,
            "| {} | {} | {:.4} | {:.4} | {:.4} | {:.4} |",
            result.name,
            result.crops,
            of(result, |draw| draw.frame_auc).mean,
            of(result, |draw| draw.labels_known_auc).mean,
            of(result, |draw| draw.not_localised_auc).mean,
            of(result, |draw| draw.within_abnormal_auc).mean
        )?;
    }
    writeln!(page)?;
    Ok(())
}

/// What the encoder was shown, for rows of these crops, and how this page came about.
pub fn provenance(
    page: &mut String,
    setup: &Setup,
    crops: &[CropPlan],
    facts: &[(String, String)],
) -> Result<()> {
    writeln!(page, "\n## How it was made\n")?;
    writeln!(
        page,
        "- Encoder: I3D (Inception-v1), Kinetics-400, `Mixed_5c` averaged to 1024 values; clips of {} frames, stride {}",
        setup.clip_frames, setup.clip_stride
    )?;
    writeln!(page, "{}", pictures(setup.input_px, crops))?;
    writeln!(page, "- Data hash: `{}`", setup.data_sha256)?;
    page.push_str(&provenance::list(facts));
    Ok(())
}

pub fn of(result: &VariantResult, figure: fn(&DrawResult) -> f64) -> Spread {
    Spread::of(result.draws.iter().map(figure))
}

pub fn name(result: &VariantResult) -> String {
    format!("{}, {}", result.name, count(result.crops.count(), "crop"))
}

fn pictures(px: u16, crops: &[CropPlan]) -> String {
    let has = |plan| crops.contains(&plan);
    let mut text = Vec::new();
    if has(CropPlan::One) {
        text.push(format!("one crop is the whole frame squeezed to {px} x {px} px"));
    }
    let several = match (has(CropPlan::Five), has(CropPlan::Ten)) {
        (false, false) => None,
        (true, false) => Some("five crops"),
        (false, true) => Some("ten crops"),
        (true, true) => Some("five and ten crops"),
    };
    if let Some(several) = several {
        text.push(format!(
            "{several} are cut from frames whose short side is 8/7 of {px} px, aspect kept (corners and centre, for ten with \
             their mirror images), and a clip's score is the mean of its crops' scores"
        ));
    }
    format!("- Pictures: {}", text.join("; "))
}
