//! What the papers print, to stand beside what is measured.

use serde::Serialize;

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
    /// Name of the way in which its authors count frames ([`vad_eval::Convention`]), if they say so.
    pub counted_as: Option<&'static str>,
}

const I3D_TEN_CROPS: (&str, usize) = ("I3D-ResNet50, ten crops", 2048);
const I3D_FIVE_CROPS: (&str, usize) = ("I3D-ResNet50, five crops", 2048);
const I3D_ONE_CROP: (&str, usize) = ("I3D, one crop", 1024);
const C3D: (&str, usize) = ("C3D", 4096);

const fn row(
    recipe: &'static str,
    dataset: Published,
    (features, feature_dim): (&'static str, usize),
    (measure, value): (Measure, f64),
    counted_as: Option<&'static str>,
) -> PrintedFigure {
    PrintedFigure { recipe, dataset, features, feature_dim, measure, value, counted_as }
}

/// MIST's are those of its first stage. RTFM's text implies 0.8403 for UCF-Crime, its tables print 0.8430.
pub const PRINTED: [PrintedFigure; 12] = {
    use Measure::{PrAuc, RocAuc};
    use Published::{ShanghaiTech, Tad, UcfCrime, UcfCrimeC3d, XdViolence};
    [
        row("mist", UcfCrime, I3D_ONE_CROP, (RocAuc, 0.7937), Some("MIST, CU")),
        row("mist", UcfCrimeC3d, C3D, (RocAuc, 0.7551), Some("MIST, CU")),
        row("mist", ShanghaiTech, I3D_ONE_CROP, (RocAuc, 0.8915), Some("MIST")),
        row("rtfm", UcfCrime, I3D_TEN_CROPS, (RocAuc, 0.8430), Some("RTFM")),
        row("rtfm", ShanghaiTech, I3D_TEN_CROPS, (RocAuc, 0.9721), Some("RTFM")),
        row("rtfm", XdViolence, I3D_FIVE_CROPS, (PrAuc, 0.7781), Some("XD-Violence")),
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

/// What is printed for a recipe with the settings published for a data set.
#[must_use]
pub fn printed(recipe: &str, dataset: &str) -> Option<&'static PrintedFigure> {
    PRINTED.iter().find(|figure| figure.recipe == recipe && figure.dataset.name() == dataset)
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
            let is_row = |line: &str| line.contains(&format!("`{}", figure.recipe)) && line.contains(&text);
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
            assert_eq!(printed(figure.recipe, figure.dataset.name()), Some(&figure));
        }
    }
}
