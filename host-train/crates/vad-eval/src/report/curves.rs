//! ROC and precision-recall plots, of one run or of several together.

use crate::curves::CurvePoint;
use crate::evaluation::Evaluation;

use super::svg::{area, polyline, short};
use super::text::{Text, why_undefined};

/// Side of a plot in its own coordinates.
const SIDE: f64 = 100.0;

/// Colours of lines; more lines begin again with dashes.
pub(super) const COLOURS: usize = 8;

/// The curves of one run.
pub(super) struct Line<'a> {
    /// Shown where there are several.
    pub name: &'a str,
    pub evaluation: &'a Evaluation,
}

/// What differs between the two plots.
struct Plot<'a> {
    name: &'a str,
    lines: Vec<&'a [CurvePoint]>,
    x_name: &'a str,
    y_name: &'a str,
    /// Line that guessing gives, from left to right.
    guess: [f64; 2],
    caption: String,
}

/// Both plots. The lines are of the same videos.
pub(super) fn section(lines: &[Line<'_>]) -> String {
    let Some(first) = lines.first() else {
        return String::new();
    };
    let frame = &first.evaluation.frame;
    let why = why_undefined(frame.abnormal_frames, frame.normal_frames());
    let share = frame.abnormal_frames as f64 / frame.frames.max(1) as f64;
    let value = |figure: Option<f64>| figure.map_or_else(|| "undefined".to_owned(), |v| format!("{v:.4}"));
    let several = lines.len() > 1;
    let caption = |of_one: String| if several { String::new() } else { of_one };
    let roc = Plot {
        name: "ROC curve",
        lines: lines.iter().map(|line| line.evaluation.roc.as_slice()).collect(),
        x_name: "false-positive rate",
        y_name: "recall",
        guess: [0.0, 1.0],
        caption: caption(format!("Area {}. Ties count half.", value(frame.roc_auc))),
    };
    let pr = Plot {
        name: "Precision-recall curve",
        lines: lines.iter().map(|line| line.evaluation.pr.as_slice()).collect(),
        x_name: "recall",
        y_name: "precision",
        guess: [share, share],
        caption: caption(format!(
            "Trapezoidal area {}, step-wise average precision {}.",
            value(frame.pr_auc_trapezoid),
            value(frame.average_precision)
        )),
    };
    let legend = if several { legend(lines) } else { String::new() };
    format!(
        "<section><h2>Curves</h2><p class=\"lead\">Every threshold at once, over all labelled frames. The dashed grey line is what guessing \
         would give.</p>{legend}<div class=\"pair\">{}{}</div></section>\n",
        roc.html(why),
        pr.html(why)
    )
}

/// Which colour is which run.
pub(super) fn legend(lines: &[Line<'_>]) -> String {
    let key = |(index, line): (usize, &Line<'_>)| {
        format!("<span><i class=\"{}\"></i>{}</span>", colour(index), Text(line.name))
    };
    format!("<p class=\"legend\">{}</p>\n", lines.iter().enumerate().map(key).collect::<String>())
}

/// Class of a line's colour.
pub(super) fn colour(index: usize) -> String {
    let dashes = if index < COLOURS { "" } else { " dashed" };
    format!("c{}{dashes}", index % COLOURS)
}

impl Plot<'_> {
    fn html(&self, why_undefined: &str) -> String {
        let body = if self.lines.iter().all(|points| points.is_empty()) {
            format!("<div class=\"square none\">undefined ({})</div>", Text(why_undefined))
        } else {
            self.square()
        };
        format!(
            "<figure class=\"card curve\"><figcaption><h3>{}</h3><span>{}</span></figcaption>{body}</figure>\n",
            Text(self.name),
            Text(&self.caption)
        )
    }

    fn square(&self) -> String {
        let grid: String = [25, 50, 75].iter().map(|at| format!("M{at} 0V100M0 {at}H100")).collect();
        let guess = self.guess.map(|y| short(SIDE * (1.0 - y)));
        let labels: String = ["0", "0.5", "1"]
            .iter()
            .zip([0, 50, 100])
            .map(|(label, at)| {
                format!("<span class=\"x\" style=\"left:{at}%\">{label}</span><span class=\"y\" style=\"bottom:{at}%\">{label}</span>")
            })
            .collect();
        format!(
            "<div class=\"square\"><svg viewBox=\"0 0 100 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{name}\">\
             <path class=\"grid\" d=\"{grid}\"/><path class=\"guess\" d=\"M0 {}L100 {}\"/>{}</svg>{labels}\
             <span class=\"xname\">{}</span><span class=\"yname\">{}</span></div>",
            guess[0],
            guess[1],
            self.paths(),
            Text(self.x_name),
            Text(self.y_name),
            name = Text(self.name),
        )
    }

    /// One curve with the area below it, or several lines; the first one, which the others are compared with, on top.
    fn paths(&self) -> String {
        if let [points] = self.lines.as_slice() {
            let line = path(points);
            let x = |point: Option<&CurvePoint>| point.map_or(0.0, |point| SIDE * point.x);
            let fill = area(&line, x(points.first()), x(points.last()), SIDE);
            return format!("<path class=\"fill\" d=\"{fill}\"/><path class=\"line\" d=\"{line}\"/>");
        }
        let one = |(index, points): (usize, &&[CurvePoint])| {
            format!("<path class=\"line {}\" d=\"{}\"/>", colour(index), path(points))
        };
        self.lines.iter().enumerate().rev().map(one).collect()
    }
}

fn path(points: &[CurvePoint]) -> String {
    polyline(points.iter().map(|point| (SIDE * point.x, SIDE * (1.0 - point.y))))
}
