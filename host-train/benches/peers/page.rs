//! The figures side by side.

use std::fmt::Write;
use std::path::Path;

use golden::machine::{commit, processor};
use serde::Serialize;

use crate::figures::Figures;

/// One case, a set of figures for each turn.
#[derive(Debug, Serialize)]
pub struct Row {
    pub name: &'static str,
    pub about: &'static str,
    pub ours: Vec<Figures>,
    pub peer: Vec<Figures>,
}

/// The middle of all steps of all turns.
fn median_ms(turns: &[Figures]) -> f64 {
    let mut all: Vec<f64> = turns.iter().flat_map(|turn| turn.wall_ms.iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn range_ms(turns: &[Figures]) -> String {
    let all = || turns.iter().flat_map(|turn| turn.wall_ms.iter().copied());
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    format!("{least:.0} to {most:.0}")
}

fn processor_ms(turns: &[Figures]) -> f64 {
    turns.iter().map(|turn| turn.processor_ms).sum::<f64>() / turns.len() as f64
}

fn peak_mib(turns: &[Figures]) -> f64 {
    turns.iter().map(|turn| turn.peak_mib).fold(0.0, f64::max)
}

/// A ratio below 1 is in our favour.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| one step | Watchpost, ms | peer, ms | **ratio** | ratio of processor time | peak memory, MiB | peer's, MiB |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for Row { about, ours, peer, .. } in rows {
        let _ = writeln!(
            text,
            "| {about} | {:.0} ({}) | {:.0} ({}) | **{:.2}** | {:.2} | {:.0} | {:.0} |",
            median_ms(ours),
            range_ms(ours),
            median_ms(peer),
            range_ms(peer),
            median_ms(ours) / median_ms(peer),
            processor_ms(ours) / processor_ms(peer),
            peak_mib(ours),
            peak_mib(peer),
        );
    }
    text
}

/// Writes `speed.md` and `speed.json`.
pub fn write(folder: &Path, rows: &[Row], rounds: usize, steps: u64) {
    let page = format!(
        "# Speed beside PyTorch and scikit-learn\n\n\
         Medians (and ranges) over {rounds} turns of {steps} steps each, ours and the peer's in turns; a ratio below 1 is in our \
         favour. Features of 2048 values, 32 + 32 videos, 32 segments, batch making and optimiser included; the step \
         size is 1e-6 on both sides, so that scores stay away from saturation. Peak memory is that of the whole process with its features.\n\n{}\n\
         ## How it was made\n\n\
         - Machine: {}, {} threads\n\
         - Peers: PyTorch 2.9.1, scikit-learn 1.7.2, in `host-train/benches/peers/python`\n\
         - Commit: `{}`\n\
         - Command: `{}`\n\n\
         The same in numbers: [speed.json](speed.json). Where the time goes: [analysis](speed-analysis.md).\n",
        table(rows),
        processor(),
        std::thread::available_parallelism().unwrap(),
        commit(),
        command_line(),
    );
    std::fs::write(folder.join("speed.md"), page).unwrap();
    let numbers = serde_json::to_string_pretty(rows).unwrap();
    std::fs::write(folder.join("speed.json"), numbers + "\n").unwrap();
}

fn command_line() -> String {
    let profile = if cfg!(debug_assertions) { " --profile dev" } else { "" };
    let given: Vec<String> = std::env::args().skip(1).filter(|given| given != "--bench").collect();
    format!("cargo bench -p watchpost --bench peers{profile} -- {}", given.join(" "))
}
