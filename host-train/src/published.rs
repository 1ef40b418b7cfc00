//! What the papers print, to stand beside what is measured.

use serde::Serialize;

use crate::recipe::mist_stage2_config::NAME as STAGE2;
use crate::recipe::settings::Published;

/// The area that a paper reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Frame ROC AUC.
    RocAuc,
    /// Trapezoidal area under the frames' precision-recall curve; papers on XD-Violence call it AP.
    PrAuc,
}

/// A figure that a paper prints.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PrintedFigure {
    /// Name of the recipe.
    pub recipe: &'static str,
    /// The data set.
    pub dataset: Published,
    /// The features, in words.
    pub features: &'static str,
    /// Their width.
    pub feature_dim: usize,
    /// What is printed.
    pub measure: Measure,
    /// How much, within 0..=1.
    pub value: f64,
    /// The rate of false alarms above 0.5 that is printed beside it, over the frames of normal videos.
    pub far: Option<f64>,
    /// Name of the way in which its authors count frames ([`vad_eval::Convention`]), if they say so.
    pub counted_as: Option<&'static str>,
}

const I3D_TEN_CROPS: (&str, usize) = ("I3D-ResNet50, ten crops", 2048);
const I3D_FIVE_CROPS: (&str, usize) = ("I3D-ResNet50, five crops", 2048);
const I3D_ONE_CROP: (&str, usize) = ("I3D, one crop", 1024);
const C3D: (&str, usize) = ("C3D", 4096);
/// What a fine-tuned encoder gives is of another width than the features behind its pseudo labels.
const I3D_TUNED: (&str, usize) = ("I3D, fine-tuned", 1024);
const C3D_TUNED: (&str, usize) = ("C3D, fine-tuned from pseudo labels on C3D features", 512);

const fn row(
    recipe: &'static str,
    dataset: Published,
    (features, feature_dim): (&'static str, usize),
    (measure, value): (Measure, f64),
    counted_as: Option<&'static str>,
) -> PrintedFigure {
    PrintedFigure { recipe, dataset, features, feature_dim, measure, value, far: None, counted_as }
}

/// MIST with both stages.
const fn mist(
    dataset: Published,
    features: (&'static str, usize),
    roc_auc: f64,
    far: f64,
    counted_as: &'static str,
) -> PrintedFigure {
    let row = row(STAGE2, dataset, features, (Measure::RocAuc, roc_auc), Some(counted_as));
    PrintedFigure { far: Some(far), ..row }
}

/// Of several kinds of features, the one that is tried first stands first. RTFM's text implies 0.8403 for UCF-Crime, its tables print 0.8430.
pub const PRINTED: [PrintedFigure; 20] = {
    use Measure::{PrAuc, RocAuc};
    use Published::{ShanghaiTech, Tad, UcfCrime, UcfCrimeC3d, XdViolence};
    [
        row("mist", UcfCrime, I3D_ONE_CROP, (RocAuc, 0.7937), Some("MIST, CU")),
        row("mist", UcfCrimeC3d, C3D, (RocAuc, 0.7551), Some("MIST, CU")),
        row("mist", ShanghaiTech, I3D_ONE_CROP, (RocAuc, 0.8915), Some("MIST")),
        row("mist", ShanghaiTech, C3D, (RocAuc, 0.8661), Some("MIST")),
        mist(UcfCrime, I3D_TUNED, 0.8230, 0.0013, "MIST, CU"),
        mist(UcfCrimeC3d, C3D_TUNED, 0.8140, 0.0219, "MIST, CU"),
        mist(ShanghaiTech, I3D_TUNED, 0.9483, 0.0005, "MIST"),
        mist(ShanghaiTech, C3D_TUNED, 0.9313, 0.0171, "MIST"),
        row("rtfm", UcfCrime, I3D_TEN_CROPS, (RocAuc, 0.8430), Some("RTFM")),
        row("rtfm", UcfCrimeC3d, C3D, (RocAuc, 0.8328), Some("RTFM")),
        row("rtfm", ShanghaiTech, I3D_TEN_CROPS, (RocAuc, 0.9721), Some("RTFM")),
        row("rtfm", ShanghaiTech, C3D, (RocAuc, 0.9151), Some("RTFM")),
        row("rtfm", XdViolence, I3D_FIVE_CROPS, (PrAuc, 0.7781), Some("XD-Violence")),
        row("rtfm", XdViolence, C3D, (PrAuc, 0.7589), Some("XD-Violence")),
        row("cu", UcfCrime, I3D_TEN_CROPS, (RocAuc, 0.8622), Some("CU's script")),
        row("cu", XdViolence, I3D_FIVE_CROPS, (PrAuc, 0.7874), Some("XD-Violence")),
        row("cu", Tad, I3D_TEN_CROPS, (RocAuc, 0.9166), None),
        row("arms", UcfCrime, I3D_TEN_CROPS, (RocAuc, 0.8579), None),
        row("arms", ShanghaiTech, I3D_TEN_CROPS, (RocAuc, 0.9748), None),
        row("arms", XdViolence, I3D_FIVE_CROPS, (PrAuc, 0.8311), Some("XD-Violence")),
    ]
};

/// A frame ROC AUC that RTFM prints for UCSD Ped2, for which no paper prints settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PrintedOnPed2 {
    /// The features, in words.
    pub features: &'static str,
    /// Crops of each clip, if they are said.
    pub crops: Option<usize>,
    /// How much, within 0..=1.
    pub frame_auc: f64,
}

/// All that it prints.
pub const RTFM_ON_PED2: [PrintedOnPed2; 2] = [
    PrintedOnPed2 { features: "ten crops and I3D-ResNet50 features", crops: Some(10), frame_auc: 0.986 },
    PrintedOnPed2 { features: "TSN on grey pictures", crops: None, frame_auc: 0.965 },
];

/// What is printed for a recipe with the settings published for a data set: with features of this width, or else with those
/// that it was tried with first.
#[must_use]
pub fn printed(recipe: &str, dataset: &str, width: usize) -> Option<&'static PrintedFigure> {
    let mut rows =
        PRINTED.iter().filter(|figure| figure.recipe == recipe && figure.dataset.name() == dataset);
    rows.clone().find(|figure| figure.feature_dim == width).or_else(|| rows.next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vad_datasets::Dataset;

    const GUIDE: &str = include_str!("../../docs/guide/datasets.md");

    #[test]
    fn the_guide_prints_the_same_figures() {
        for figure in PRINTED {
            let text = format!("{:.2} %", 100.0 * figure.value);
            let far = figure.far.map_or_else(String::new, |far| format!("{:.2} %", 100.0 * far));
            let is_row = |line: &str| {
                line.contains(&format!("`{}", figure.recipe)) && line.contains(&text) && line.contains(&far)
            };
            assert!(GUIDE.lines().any(is_row), "datasets.md: no row of {} with {text}", figure.recipe);
        }
    }

    #[test]
    fn every_way_of_counting_that_is_named_is_one_of_the_data_set() {
        for figure in PRINTED {
            let name = figure.dataset.name().trim_end_matches("-c3d");
            let dataset = Dataset::ALL.into_iter().find(|dataset| dataset.name() == name).unwrap();
            let known = |counted: &str| dataset.conventions().iter().any(|way| way.name == counted);
            assert!(figure.counted_as.is_none_or(known), "{figure:?}");
            assert_eq!(printed(figure.recipe, figure.dataset.name(), figure.feature_dim), Some(&figure));
        }
    }

    #[test]
    fn the_features_at_hand_choose_the_row_and_others_stand_beside_the_first() {
        let value = |width| printed("rtfm", "shanghaitech", width).unwrap().value;
        assert_eq!([2048, 4096, 16].map(value), [0.9721, 0.9151, 0.9721]);
        assert_eq!(printed("cu", "shanghaitech", 2048), None);
    }
}
