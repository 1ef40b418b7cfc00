//! The report: figures, escaping, self-containment, atomic writing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fs;

use vad_core::{ClipSpec, ScoreSpec};
use vad_eval::{Evaluation, Report, SeedFigures, VideoScores, VideoTruth, choose_threshold};

fn video(name: &str, frames: u64, raw: &[f32], truth: VideoTruth) -> VideoScores {
    let spans = ClipSpec { frames: 16, stride: 16 }.spans(frames).collect();
    VideoScores {
        video: name.to_owned(),
        frames,
        frame_rate_hz: 10.0,
        spans,
        raw: raw.to_vec(),
        truth,
        class: None,
    }
}

fn evaluation() -> Evaluation {
    let videos = [
        video("street-07", 96, &[0.1, 0.1, 0.9, 0.8, 0.2, 0.1], VideoTruth::Abnormal(Some(vec![30..=63]))),
        video("street-08", 64, &[0.1, 0.2, 0.1, 0.15], VideoTruth::Normal),
        video("yard <b>&\"1\"", 32, &[0.3, 0.7], VideoTruth::Abnormal(None)),
    ];
    Evaluation::run(&videos, &ScoreSpec::default()).unwrap()
}

fn report() -> Report {
    let facts = vec![
        ("Recipe".to_owned(), "mist <script>alert(1)</script>".to_owned()),
        ("Command".to_owned(), "watchpost eval --seed 7".to_owned()),
    ];
    Report::new("Night & day", "18 videos", facts, evaluation())
}

/// The text of the tile with that name.
fn tile(html: &str, name: &str) -> String {
    let start =
        html.find(&format!("<div class=\"name\">{name}</div>")).unwrap_or_else(|| panic!("no tile {name}"));
    let tile = &html[start..];
    text_of(&tile[..tile.find("</div></div>").unwrap()])
}

fn text_of(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_headline_shows_the_figures() {
    let report = report();
    let html = report.to_html();
    let frame = &report.evaluation.frame;
    assert_eq!((frame.frames, frame.abnormal_frames), (160, 34));
    assert!(tile(&html, "Frame ROC AUC").contains(&format!("{:.4}", frame.roc_auc.unwrap())));
    assert!(tile(&html, "PR AUC, trapezoidal").contains(&format!("{:.4}", frame.pr_auc_trapezoid.unwrap())));
    assert!(
        tile(&html, "Average precision, step-wise")
            .contains(&format!("{:.4}", frame.average_precision.unwrap()))
    );
    assert!(tile(&html, "Events found").contains("1 / 1"));
    assert!(tile(&html, "Events found").contains("1 of 1 videos without ranges"));
    // Raised at the end of the third clip, 4.8 s; the event begins at 3.0 s.
    assert!(tile(&html, "Mean delay").contains("1.8 s"), "{}", tile(&html, "Mean delay"));
    assert!(tile(&html, "False alarms per camera-day").contains("0.0"));
    assert!(tile(&html, "Labelled frames").contains("160 34 abnormal"));
}

#[test]
fn every_video_has_a_plot_and_a_row() {
    let html = report().to_html();
    assert_eq!(html.matches("<figure class=\"card plot\"").count(), 3);
    assert_eq!(html.matches("<td><b class=\"badge").count(), 3);
    assert_eq!(html.matches("<rect class=\"truth\"").count(), 1);
    assert!(html.contains("abnormal: frames 30 to 63"));
    assert_eq!(html.matches("class=\"alarm hit\"").count(), 1);
    assert_eq!(html.matches("class=\"alarm unknown\"").count(), 1);
    assert_eq!(html.matches("class=\"alarm false\"").count(), 0);
    let axis = text_of(&html[html.find("class=\"time\"").unwrap()..]);
    assert!(axis.contains("2 s 20") && axis.contains("8 s 80"), "seconds and frames: {}", &axis[..80]);
}

#[test]
fn text_is_shown_and_never_obeyed() {
    let html = report().to_html();
    assert!(html.contains("<h1>Night &amp; day</h1>"));
    assert!(html.contains("mist &lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(html.contains("yard &lt;b&gt;&amp;&quot;1&quot;"));
    assert!(!html.contains("<script") && !html.contains("yard <b>"));
}

#[test]
fn the_page_needs_nothing_else() {
    let html = report().to_html();
    for outside in ["http:", "https:", "src=", "@import", "url(", "<link", "//"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("default-src 'none'") && html.contains("prefers-color-scheme: dark"));
    assert!(html.contains("width=device-width"));
}

#[test]
fn tags_are_balanced() {
    let html = report().to_html();
    for tag in
        ["div", "section", "figure", "span", "table", "tr", "td", "th", "svg", "dl", "p", "i", "b", "em"]
    {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn undefined_figures_say_so() {
    let videos = [video("quiet", 64, &[0.1, 0.2, 0.1, 0.15], VideoTruth::Normal)];
    let evaluation = Evaluation::run(&videos, &ScoreSpec::default()).unwrap();
    assert_eq!((evaluation.frame.roc_auc, evaluation.video_roc_auc), (None, None));
    let html = Report::new("t", "", Vec::new(), evaluation).to_html();
    for name in ["Frame ROC AUC", "PR AUC, trapezoidal", "Average precision, step-wise", "Score gap"] {
        let tile = tile(&html, name);
        assert!(tile.contains("undefined (no abnormal frame)"), "{tile}");
    }
    assert!(tile(&html, "Events found").contains("undefined (no event with a known range)"));
    assert_eq!(html.matches("undefined (no abnormal frame)</div>").count(), 2, "both curves");
    assert!(!html.contains("0.5000"));
}

#[test]
fn limits_of_the_threshold_and_seeds_are_shown() {
    let mut report = report();
    let normal = [report.evaluation.videos[1].clone()];
    let track = vad_eval::ScoreTrack::from_clips(
        "street-08",
        &ClipSpec { frames: 16, stride: 16 }.spans(64).collect::<Vec<_>>(),
        &[0.1, 0.2, 0.1, 0.15],
        normal[0].frames,
        10.0,
    );
    report.threshold = Some(choose_threshold(&[track], &report.evaluation.spec, 1.0).unwrap());
    let figures =
        |seed, auc| SeedFigures { seed, roc_auc: Some(auc), pr_auc_trapezoid: None, average_precision: None };
    report.seeds = vec![figures(1, 0.8), figures(2, 0.9)];
    let html = report.to_html();
    assert!(html.contains("not contradicted but not shown"), "the limit of 6 s of footage");
    assert!(html.contains("0.8500 ± 0.0707"));
    assert!(html.contains("raise at 0.5, clear below 0.4"), "the alarm logic is a fact of the run");
}

#[test]
fn the_same_evaluation_gives_the_same_bytes() {
    assert_eq!(report().to_html(), report().to_html());
}

#[test]
fn writing_replaces_whole_files_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.html");
    fs::write(&path, "earlier").unwrap();
    report().write(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), report().to_html());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let missing = dir.path().join("no-such-folder/report.html");
    let error = report().write(&missing).unwrap_err();
    assert!(error.to_string().contains("no-such-folder"), "{error}");

    // A folder in the way: the rename fails, and the temporary file goes.
    let blocked = dir.path().join("blocked");
    fs::create_dir_all(blocked.join("inside")).unwrap();
    assert!(report().write(&blocked).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn results_survive_json() {
    let evaluation = evaluation();
    let json = serde_json::to_string(&evaluation).unwrap();
    let back: Evaluation = serde_json::from_str(&json).unwrap();
    // Reading JSON may round the last digit of an f64; scores, alarms and spec come back as they were.
    assert_eq!(back.spec, evaluation.spec);
    assert_eq!(back.videos[0].raw, evaluation.videos[0].raw);
    assert_eq!(back.videos[0].alarms, evaluation.videos[0].alarms);
    assert!((back.frame.roc_auc.unwrap() - evaluation.frame.roc_auc.unwrap()).abs() < 1e-12);
    assert_eq!(back.roc.len(), evaluation.roc.len());
}

#[test]
fn broken_input_names_its_video() {
    let broken = |change: &dyn Fn(&mut VideoScores)| {
        let mut video = video("street-09", 32, &[0.1, 0.2], VideoTruth::Normal);
        change(&mut video);
        Evaluation::run(&[video], &ScoreSpec::default()).unwrap_err().to_string()
    };
    assert!(broken(&|v| v.raw[1] = f32::NAN).contains("`street-09`: the score of clip 1"));
    assert!(broken(&|v| v.raw.truncate(1)).contains("`street-09`: 2 clips but 1 scores"));
    assert!(broken(&|v| v.frame_rate_hz = 0.0).contains("`street-09`: its frame rate"));
    assert!(Evaluation::run(&[], &ScoreSpec::default()).unwrap_err().to_string().contains("no videos"));
}

#[test]
fn ranges_beyond_the_video_are_clipped_and_noted() {
    let videos = [video("long", 32, &[0.1, 0.9], VideoTruth::Abnormal(Some(vec![20..=40])))];
    let evaluation = Evaluation::run(&videos, &ScoreSpec::default()).unwrap();
    assert_eq!(evaluation.frame.abnormal_frames, 12);
    assert!(evaluation.notes[0].contains("20-40 ends beyond the last frame (31)"), "{:?}", evaluation.notes);
}
