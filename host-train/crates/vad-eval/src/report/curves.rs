//! ROC and precision-recall plots.

use crate::curves::CurvePoint;
use crate::evaluation::Evaluation;

use super::svg::{area, polyline, short};
use super::text::{Text, why_undefined};

/// Side of a plot in its own coordinates.
const SIDE: f64 = 100.0;

/// What differs between the two plots.
struct Plot<'a> {
    name: &'a str,
    points: &'a [CurvePoint],
    x_name: &'a str,
    y_name: &'a str,
    /// Line that guessing gives, from left to right.
    guess: [f64; 2],
    caption: String,
}

pub(super) fn section(evaluation: &Evaluation) -> String {
    let frame = &evaluation.frame;
    let why = why_undefined(frame.abnormal_frames, frame.normal_frames());
    let share = frame.abnormal_frames as f64 / frame.frames.max(1) as f64;
    let value = |figure: Option<f64>| figure.map_or_else(|| "undefined".to_owned(), |v| format!("{v:.4}"));
    let roc = Plot {
        name: "ROC curve",
        points: &evaluation.roc,
        x_name: "false-positive rate",
        y_name: "recall",
        guess: [0.0, 1.0],
        caption: format!("Area {}. Ties count half.", value(frame.roc_auc)),
    };
    let pr = Plot {
        name: "Precision-recall curve",
        points: &evaluation.pr,
        x_name: "recall",
        y_name: "precision",
        guess: [share, share],
        caption: format!(
            "Trapezoidal area {}, step-wise average precision {}.",
            value(frame.pr_auc_trapezoid),
            value(frame.average_precision)
        ),
    };
    format!(
        "<section><h2>Curves</h2><p class=\"lead\">Every threshold at once, over all labelled frames. The dashed line is what guessing \
         would give.</p><div class=\"pair\">{}{}</div></section>\n",
        roc.html(why),
        pr.html(why)
    )
}

impl Plot<'_> {
    fn html(&self, why_undefined: &str) -> String {
        let body = if self.points.is_empty() {
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
        let line = polyline(self.points.iter().map(|point| (SIDE * point.x, SIDE * (1.0 - point.y))));
        let last_x = self.points.last().map_or(0.0, |point| SIDE * point.x);
        let first_x = self.points.first().map_or(0.0, |point| SIDE * point.x);
        let fill = area(&line, first_x, last_x, SIDE);
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
             <path class=\"grid\" d=\"{grid}\"/><path class=\"fill\" d=\"{fill}\"/>\
             <path class=\"guess\" d=\"M0 {}L100 {}\"/><path class=\"line\" d=\"{line}\"/></svg>{labels}\
             <span class=\"xname\">{}</span><span class=\"yname\">{}</span></div>",
            guess[0],
            guess[1],
            Text(self.x_name),
            Text(self.y_name),
            name = Text(self.name),
        )
    }
}
