//! Several runs on one page: figures with intervals, differences, and all curves in one plot.

use std::path::Path;

use crate::alarms::AlarmMetrics;
use crate::bootstrap::{AreaIntervals, Interval, Resampled, Resampling};
use crate::evaluation::{EvalError, Evaluation};
use vad_threshold::rate_text;

use super::curves::{self, Line};
use super::text::{Text, count};
use super::{ReportError, explain, page, plots, tables, write_page};

/// One of the runs compared.
#[derive(Clone, Debug)]
pub struct ComparedRun {
    /// Its name.
    pub name: String,
    /// A word on what it is, such as its recipe.
    pub about: String,
    /// Its figures.
    pub evaluation: Evaluation,
    /// The intervals of its areas.
    pub areas: AreaIntervals,
    /// By how much its areas exceed those of the first run; `None` for the first run itself.
    pub difference: Option<AreaIntervals>,
}

impl ComparedRun {
    /// Runs by name, a word on each and its figures, compared with the first of them. They are of the same videos.
    ///
    /// # Errors
    /// When frames cannot be ranked or videos not be drawn again.
    pub fn all(
        runs: Vec<(String, String, Evaluation)>,
        resampling: Resampling,
    ) -> Result<Vec<Self>, EvalError> {
        let mut first: Option<Resampled> = None;
        let one = |(name, about, evaluation): (String, String, Evaluation)| {
            let drawn = resampling.judge(&[evaluation.ranked_videos()?])?;
            let areas = drawn.intervals();
            let difference = first.as_ref().map(|first| drawn.minus(first)).transpose()?;
            first.get_or_insert(drawn);
            Ok(Self { name, about, evaluation, areas, difference })
        };
        runs.into_iter().map(one).collect()
    }
}

/// Everything that the page shows. All texts are plain; markup in them is shown, not obeyed.
#[derive(Clone, Debug)]
pub struct ComparisonReport {
    /// Heading of the page.
    pub title: String,
    /// One line below it.
    pub subtitle: String,
    /// What was run: command, commit, data hash.
    pub facts: Vec<(String, String)>,
    /// How the test videos were drawn again.
    pub resampling: Resampling,
    /// The runs, the one that the others are compared with first.
    pub runs: Vec<ComparedRun>,
    /// What else there is to show.
    pub tables: Vec<PlainTable>,
}

/// A table of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainTable {
    /// Heading above it.
    pub title: String,
    /// What it shows, in a sentence or two.
    pub lead: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// As many texts in each as there are columns; all but the first of a row stand to the right, as numbers do.
    pub rows: Vec<Vec<String>>,
}

impl ComparisonReport {
    /// The page.
    pub fn to_html(&self) -> String {
        let lines: Vec<Line<'_>> =
            self.runs.iter().map(|run| Line { name: &run.name, evaluation: &run.evaluation }).collect();
        let sections = [
            self.figures(),
            self.alarms(),
            self.tables.iter().map(tables::plain).collect(),
            plots::over_one_another(&lines),
            curves::section(&lines),
            self.classes(),
            tables::facts("How it was made", &self.facts),
            explain::section(),
        ];
        let footer = "Frame figures are over all videos together, without normalisation per video. Every run was tested on the same videos.";
        page::document(&self.title, &self.subtitle, &sections.concat(), footer)
    }

    /// Writes the page to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`ReportError`], naming the file; an earlier page is then still there.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        write_page(path, &self.to_html())
    }

    fn figures(&self) -> String {
        let first = self.runs.first().map_or("", |run| run.name.as_str());
        let rows: String = self
            .runs
            .iter()
            .enumerate()
            .map(|(index, run)| {
                let areas = [run.areas.roc_auc, run.areas.average_precision, run.areas.pr_auc_trapezoid];
                let difference = run.difference.map(|areas| [areas.roc_auc, areas.average_precision]);
                let cells: String = areas.map(figure_cell).into_iter().collect();
                let against: String = match difference {
                    None => "<td class=\"n dim\" colspan=\"2\">the others are compared with it</td>".to_owned(),
                    Some(both) => both.map(difference_cell).concat(),
                };
                format!(
                    "<tr><th><i class=\"dot c{}\"></i>{}<div class=\"dim\">{}</div></th>{cells}{against}</tr>\n",
                    index % curves::COLOURS,
                    Text(&run.name),
                    Text(&run.about)
                )
            })
            .collect();
        let videos = self.runs.first().map_or(0, |run| run.evaluation.videos.len());
        let caution =
            Resampling::caution(videos).map_or_else(String::new, |text| format!(" Caution: {text}."));
        format!(
            "<section><h2>Figures</h2><p class=\"lead\">Below each figure its 95 % interval over {} draws of the test videos (seed {}). \
             Differences are to {}, draw by draw on the same videos; bold where 0 lies outside the interval.{caution}</p>\
             <div class=\"scroll\"><table class=\"figures\"><thead><tr><th>Run</th><th class=\"n\">Frame ROC AUC</th>\
             <th class=\"n\">Average precision, step-wise</th><th class=\"n\">PR AUC, trapezoidal</th>\
             <th class=\"n\">Difference in AUC</th><th class=\"n\">in average precision</th></tr></thead><tbody>\n{rows}</tbody></table></div></section>\n",
            count(self.resampling.resamples.into()),
            self.resampling.seed,
            Text(first)
        )
    }

    fn alarms(&self) -> String {
        let rows: String = self.runs.iter().map(alarm_row).collect();
        format!(
            "<section><h2>Alarms and other figures</h2><div class=\"scroll\"><table><thead><tr><th>Run</th><th class=\"n\">Events found</th><th class=\"n\">Mean delay</th>\
             <th class=\"n\">False alarms per camera-day</th><th class=\"n\">FAR at 0.5, all normal frames</th>\
             <th class=\"n\">FAR at 0.5, normal videos</th><th class=\"n\">Score gap</th><th class=\"n\">AUC, abnormal videos only</th>\
             <th class=\"n\">Video AUC</th></tr></thead><tbody>\n{rows}</tbody></table></div></section>\n"
        )
    }

    /// One row per class, one column per run.
    fn classes(&self) -> String {
        let Some(first) = self.runs.first().filter(|run| !run.evaluation.classes.is_empty()) else {
            return String::new();
        };
        let heads: String =
            self.runs.iter().map(|run| format!("<th class=\"n\">{}</th>", Text(&run.name))).collect();
        let row = |(index, class): (usize, &crate::classes::ClassResult)| {
            let of = |run: &ComparedRun| {
                let own = run.evaluation.classes.get(index);
                let auc = own.and_then(|own| own.against_normal.roc_auc);
                format!("<td class=\"n\">{}</td>", tables::figure(auc))
            };
            let cells: String = self.runs.iter().map(of).collect();
            format!("<tr><th>{}</th><td class=\"n\">{}</td>{cells}</tr>\n", Text(&class.class), class.videos)
        };
        let rows: String = first.evaluation.classes.iter().enumerate().map(row).collect();
        format!(
            "<section><h2>Classes</h2><p class=\"lead\">Frame ROC AUC of each class of anomalies against all normal videos.</p>\
             <div class=\"scroll\"><table><thead><tr><th>Class</th><th class=\"n\">Videos</th>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div></section>\n"
        )
    }
}

fn figure_cell(interval: Option<Interval>) -> String {
    interval.map_or_else(
        || "<td class=\"n\">undefined</td>".to_owned(),
        |of| {
            format!(
                "<td class=\"n\">{:.4}<div class=\"dim\">{:.3} to {:.3}</div></td>",
                of.estimate, of.low, of.high
            )
        },
    )
}

fn difference_cell(interval: Option<Interval>) -> String {
    interval.map_or_else(
        || "<td class=\"n\">undefined</td>".to_owned(),
        |of| {
            let class = if of.excludes_zero() { "n strong" } else { "n" };
            format!(
                "<td class=\"{class}\">{:+.4}<div class=\"dim\">{:+.3} to {:+.3}</div></td>",
                of.estimate, of.low, of.high
            )
        },
    )
}

fn alarm_row(run: &ComparedRun) -> String {
    let Evaluation { alarm, frame, .. } = &run.evaluation;
    let AlarmMetrics { events_found, events_total, mean_delay_s, false_alarms_per_camera_day, .. } = alarm;
    let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{:.2} %", 100.0 * v));
    let cells = [
        format!("{events_found} / {events_total}"),
        mean_delay_s.map_or_else(|| "-".to_owned(), super::text::seconds),
        false_alarms_per_camera_day.map_or_else(|| "-".to_owned(), rate_text),
        share(frame.far_05),
        share(run.evaluation.far_05_normal_videos),
        tables::figure(frame.score_gap),
        tables::figure(run.evaluation.frame_abnormal_videos.roc_auc),
        tables::figure(run.evaluation.video_roc_auc),
    ];
    let cells = cells.map(|cell| format!("<td class=\"n\">{cell}</td>")).concat();
    format!("<tr><th>{}</th>{cells}</tr>\n", Text(&run.name))
}
