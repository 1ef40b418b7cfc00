//! Trainings in processes of their own: killed ones go on, and two that nothing disturbed are the same, bit for bit.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use watchpost::checkpoint;
use watchpost::recipe::arms::ArmsSystem;

use crate::small_ucf::write_set;

/// Steps of a training; it saves its state every hundred.
const STEPS: u64 = 600;

fn watchpost(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command.args(words).env("NO_COLOR", "1");
    command
}

fn succeed(words: &[&str]) {
    let output = watchpost(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn train(work: &str, name: &str) -> Vec<String> {
    let iteration = format!("iteration_steps={}", STEPS / 6);
    let words = ["train", "--work", work, "--recipe", "arms", "--name", name, "--seed", "4"];
    let settings = ["pairs=3", "segments=8", "width=16", "iterations=6", &iteration];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    words.into_iter().chain(settings).map(str::to_owned).collect()
}

/// The steps that a checkpoint has done, once there is one.
fn done(checkpoint: &Path) -> Option<u64> {
    checkpoint.exists().then(|| checkpoint::load::<ArmsSystem>(checkpoint).unwrap().step)
}

/// Waits until a process has saved a state beyond `before`, and kills it.
fn kill_beyond(mut process: Child, checkpoint: &Path, before: u64) -> u64 {
    loop {
        if let Some(step) = done(checkpoint).filter(|step| *step > before) {
            process.kill().unwrap();
            process.wait().unwrap();
            return step;
        }
        assert!(process.try_wait().unwrap().is_none(), "it ended before it saved anything beyond {before}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn killed_trainings_end_as_those_that_nothing_disturbed() {
    let folder = tempfile::tempdir().unwrap();
    let (root, work) = (folder.path().join("ucf"), folder.path().join("work"));
    write_set(&root);
    let features = root.join("features");
    let [root, features, work_word] = [&root, &features, &work].map(|path| path.to_str().unwrap());
    let import = ["import", "--dataset", "ucf-crime", "--root", root, "--features", features, "--val", "0.2"];
    succeed(&[&import[..], &["--work", work_word]].concat());

    let path = |name: &str, file: &str| work.join("runs").join(name).join(file);
    let words = train(work_word, "killed");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let checkpoint = path("killed", "checkpoint.safetensors");
    let mut step = 0;
    for _ in 0..3 {
        step = kill_beyond(watchpost(&words).spawn().unwrap(), &checkpoint, step);
        assert!(step < STEPS, "killed when it was over: the test proves nothing");
        assert!(!path("killed", "model.json").exists(), "half a training has a model");
    }
    succeed(&words);
    for name in ["whole", "again"] {
        let words = train(work_word, name);
        succeed(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for file in ["checkpoint.safetensors", "head.safetensors", "head_last.safetensors"] {
        let bytes = ["killed", "whole", "again"].map(|name| std::fs::read(path(name, file)).unwrap());
        assert!(bytes[0] == bytes[1], "{file}: the killed training came out different");
        assert!(bytes[1] == bytes[2], "{file}: the same training came out different in another process");
    }
}
