//! Classes, intervals, the map, and several runs on one page.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use vad_core::{ClipSpec, ScoreSpec};
use vad_eval::{
    ClipKind, ComparedRun, ComparisonReport, Evaluation, FeatureMap, MapClip, PlainTable, Report, Resampling,
    Tsne, VideoScores, VideoTruth,
};

fn video(name: &str, raw: &[f32], abnormal: Option<std::ops::RangeInclusive<u64>>) -> VideoScores {
    let frames = 16 * raw.len() as u64;
    VideoScores {
        video: name.to_owned(),
        frames,
        frame_rate_hz: 10.0,
        spans: ClipSpec { frames: 16, stride: 16 }.spans(frames).collect(),
        raw: raw.to_vec(),
        truth: abnormal.clone().map_or(VideoTruth::Normal, |range| VideoTruth::Abnormal(Some(vec![range]))),
        class: abnormal.and_then(|_| name.split_once('-')).map(|(class, _)| class.to_owned()),
    }
}

/// The fall stands out and is placed right; the fight stands out, but the score points at the wrong half.
fn videos(shift: f32) -> Vec<VideoScores> {
    vec![
        video("fall-1", &[0.3, 0.3, 0.9, 0.9], Some(32..=63)),
        video("fight-1", &[0.8 - shift, 0.7, 0.6, 0.6], Some(32..=63)),
        video("<i>fight</i>-2", &[0.5, 0.5], None),
        video("calm-1", &[0.1, 0.2, 0.1, 0.2], None),
        video("calm-2", &[0.2, 0.1], None),
    ]
}

fn evaluation(shift: f32) -> Evaluation {
    let mut evaluation = Evaluation::run(&videos(shift), &ScoreSpec::default()).unwrap();
    evaluation.resample(Resampling { resamples: 200, seed: 1 }).unwrap();
    evaluation
}

#[test]
fn classes_are_judged_against_normal_videos_and_within() {
    let evaluation = evaluation(0.0);
    let names: Vec<&str> = evaluation.classes.iter().map(|class| class.class.as_str()).collect();
    assert_eq!(names, ["fall", "fight"], "in the order of names, and normal videos have no class");
    let [fall, fight] = [&evaluation.classes[0], &evaluation.classes[1]];
    assert_eq!((fall.videos, fall.against_normal.frames, fall.within.frames), (1, 64 + 128, 64));
    assert_eq!((fall.against_normal.roc_auc, fall.within.roc_auc), (Some(1.0), Some(1.0)));
    assert_eq!(fight.within.roc_auc, Some(0.0));
    // 64 of 160 normal frames... two clips of its own lie above, those of the others below.
    assert_eq!(fight.against_normal.roc_auc, Some(128.0 / 160.0));
    assert_eq!(fall.alarm.events_total, 1);
    // Both abnormal videos together: of 64 normal frames, the fall's lie below all 64 abnormal ones, the fight's below
    // the fall's only.
    assert_eq!(evaluation.frame_abnormal_videos.roc_auc, Some((32.0 * 64.0 + 32.0 * 32.0) / (64.0 * 64.0)));
}

#[test]
fn every_video_has_its_own_figures() {
    let evaluation = evaluation(0.0);
    let aucs: Vec<Option<f64>> =
        evaluation.videos.iter().map(|video| video.frame.as_ref().unwrap().roc_auc).collect();
    assert_eq!(aucs, [Some(1.0), Some(0.0), None, None, None]);
    let unknown = VideoScores { truth: VideoTruth::Abnormal(None), ..video("fall-2", &[0.5], None) };
    let evaluation = Evaluation::run(&[unknown], &ScoreSpec::default()).unwrap();
    assert_eq!(evaluation.videos[0].frame, None);
}

#[test]
fn the_page_shows_classes_intervals_and_the_caution() {
    let evaluation = evaluation(0.0);
    let interval = evaluation.intervals.unwrap().areas.roc_auc.unwrap();
    let html = Report::new("t", "", Vec::new(), evaluation).to_html();
    assert!(html.contains("<h2>Classes</h2>") && html.contains("<th>fight</th>"));
    assert!(html.contains(&format!("95 %: {:.3} to {:.3}", interval.low, interval.high)));
    assert!(html.contains("there are only 5 test videos"));
    assert!(!html.contains("<h2>Map of clip features</h2>"), "it was not asked for");
    let classless = videos(0.0).into_iter().map(|video| VideoScores { class: None, ..video });
    let plain = Evaluation::run(&classless.collect::<Vec<_>>(), &ScoreSpec::default()).unwrap();
    let html = Report::new("t", "", Vec::new(), plain).to_html();
    assert!(!html.contains("<h2>Classes</h2>") && !html.contains("<th>Class</th>"));
}

#[test]
fn the_map_draws_every_clip_and_escapes_names() {
    let kinds = [ClipKind::NormalVideo, ClipKind::NormalClip, ClipKind::AbnormalClip];
    let clips = (0..12).map(|clip| MapClip {
        video: "<b>gate</b>".to_owned(),
        clip,
        kind: kinds[clip % 3],
        score: clip as f32 / 12.0,
    });
    let features: Vec<f32> = (0..12 * 4).map(|at| (at * 37 % 23) as f32).collect();
    let how = Tsne { steps: 50, ..Tsne::default() };
    let mut report = Report::new("t", "", Vec::new(), evaluation(0.0));
    report.map = FeatureMap::draw(clips.collect(), &features, 4, 500, how);
    let html = report.to_html();
    assert_eq!(html.matches("<circle class=").count(), 24, "two panels");
    assert_eq!(html.matches("class=\"m-abnormal\"").count(), 4);
    assert!(
        html.contains("12 of 500 clips, chosen at random")
            && html.contains("&lt;b&gt;gate&lt;/b&gt;, clip 3")
    );
    assert!(!html.contains("truth unknown</span>\n") && !html.contains("<b>gate"));
    assert_eq!(FeatureMap::draw(Vec::new(), &features, 4, 500, how), None, "one place per clip");
}

#[test]
fn several_runs_share_a_page_and_differences_that_are_sure_stand_out() {
    let resampling = Resampling { resamples: 200, seed: 1 };
    let (worse, better) = (evaluation(0.0), evaluation(0.5));
    let run = |name: &str, evaluation: &Evaluation| {
        (name.to_owned(), "mist, seed 1".to_owned(), evaluation.clone())
    };
    let runs = ComparedRun::all(vec![run("first", &worse), run("<second>", &better)], resampling).unwrap();
    assert_eq!(runs[0].difference, None);
    let report = ComparisonReport {
        title: "two & two".to_owned(),
        subtitle: String::new(),
        facts: vec![("Command".to_owned(), "compare <b>".to_owned())],
        resampling,
        runs,
        tables: vec![PlainTable {
            title: "Layers".to_owned(),
            lead: "What <each> costs.".to_owned(),
            columns: vec!["layer".to_owned(), "error".to_owned()],
            rows: vec![vec!["stage1 & 2".to_owned(), "0.5".to_owned()]],
        }],
    };
    let html = report.to_html();
    let difference = report.runs[1].difference.unwrap().roc_auc.unwrap();
    assert!(difference.estimate > 0.0);
    assert!(html.contains(&format!("{:+.4}", difference.estimate)));
    assert_eq!(html.contains("class=\"n strong\""), difference.excludes_zero());
    let videos = worse.videos.len();
    assert_eq!(html.matches("<path class=\"line c0\"").count(), 2 + videos, "ROC, precision-recall, scores");
    assert_eq!(html.matches("<path class=\"line c1\"").count(), 2 + videos);
    assert!(html.contains("<td>stage1 &amp; 2</td><td class=\"n\">0.5</td>"), "{html}");
    assert!(html.contains("&lt;second&gt;") && !html.contains("<second>") && html.contains("two &amp; two"));
    assert!(html.contains("<h2>Classes</h2>") && html.contains("compare &lt;b&gt;"));
    for outside in ["http:", "https:", "src=", "@import", "url(", "<link", "//", "<script"] {
        assert!(!html.contains(outside), "{outside}");
    }
    for tag in ["div", "section", "figure", "span", "table", "tr", "td", "th", "svg", "dl", "p", "i", "em"] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    let folder = tempfile::tempdir().unwrap();
    report.write(&folder.path().join("compare.html")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("compare.html")).unwrap(), html);
}
