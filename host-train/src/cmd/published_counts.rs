//! Frame-level figures counted as papers count them, for imported data sets.

use anyhow::Result;
use std::fmt;
use vad_eval::convention::suits;
use vad_eval::{Convention, FrameMetrics, VideoScores};

/// The figures by each convention of a data set; none for other data.
#[derive(Debug, Default)]
pub struct PublishedCounts {
    figures: Vec<(Convention, FrameMetrics)>,
}

impl PublishedCounts {
    /// Nothing, if the clips are not those that the conventions speak of.
    pub fn of(conventions: &[Convention], videos: &[VideoScores]) -> Result<Self> {
        if !videos.iter().all(suits) {
            return Ok(Self::default());
        }
        let figures = conventions.iter().map(|convention| Ok((*convention, convention.figures(videos)?)));
        Ok(Self { figures: figures.collect::<Result<_>>()? })
    }

    /// Each convention with its figures.
    pub fn iter(&self) -> impl Iterator<Item = &(Convention, FrameMetrics)> {
        self.figures.iter()
    }

    /// One line for each convention.
    pub fn facts(&self) -> Vec<(String, String)> {
        let one = |(convention, figures): &(Convention, FrameMetrics)| {
            let text = format!(
                "ROC AUC {}, PR AUC {}, over {} frames, {} abnormal",
                show(figures.roc_auc),
                show(figures.pr_auc_trapezoid),
                figures.frames,
                figures.abnormal_frames
            );
            (format!("Counted as {} ({})", convention.name, convention.about), text)
        };
        self.figures.iter().map(one).collect()
    }
}

impl fmt::Display for PublishedCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.figures.is_empty() {
            return Ok(());
        }
        writeln!(f, "{:<14}{:>9}{:>9}{:>12}{:>12}", "counted as", "ROC AUC", "PR AUC", "frames", "abnormal")?;
        for (convention, figures) in &self.figures {
            writeln!(
                f,
                "{:<14}{:>9}{:>9}{:>12}{:>12}   {}",
                convention.name,
                show(figures.roc_auc),
                show(figures.pr_auc_trapezoid),
                figures.frames,
                figures.abnormal_frames,
                convention.about
            )?;
        }
        Ok(())
    }
}

fn show(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.4}"))
}
