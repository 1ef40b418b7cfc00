//! Outputs and inputs through the program itself: files of the kernel stand for lines, and chips are absent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{eventually, stderr, stdout, tiny, watchpostd, write_config};

const BOARD: &str = "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n";

fn run(folder: &Path, args: &[&str]) -> Output {
    watchpostd().args(args).current_dir(folder).output().unwrap()
}

fn sysfs_output(name: &str, more: &str) -> String {
    format!("[[output]]\nname = \"{name}\"\nkind = \"sysfs\"\npath = \"{name}\"\n{more}\n")
}

#[test]
fn safe_puts_every_output_into_its_state_whatever_the_others_do() {
    let folder = tempfile::tempdir().unwrap();
    let gone = "[[output]]\nname = \"gone\"\nkind = \"gpio\"\nchip = \"/nonexistent/gpiochip0\"\nline = 17\n";
    let outputs = [
        sysfs_output("siren", ""),
        gone.to_owned(),
        sysfs_output("doors", "safe_state = \"on\""),
        sysfs_output("lamp", "active_low = true"),
    ];
    let text = format!("{BOARD}{}", outputs.concat());
    write_config(folder.path(), &text);
    let names = ["siren", "doors", "lamp"];
    names.iter().for_each(|name| std::fs::write(folder.path().join(name), "?").unwrap());
    let output = run(folder.path(), &["safe", "--config", "board.toml"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let levels = names.map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap());
    assert_eq!(levels, ["0", "1", "1"]);
    let text = stdout(&output);
    assert!(text.contains("ok    doors is on\n"), "{text}");
    assert!(
        text.contains("FAIL  gone is not off: line 17 of /nonexistent/gpiochip0: no such GPIO chip"),
        "{text}"
    );

    write_config(folder.path(), &format!("{BOARD}{}", sysfs_output("siren", "")));
    assert!(run(folder.path(), &["safe", "--config", "board.toml"]).status.success());
}

#[test]
fn check_names_chip_line_and_remedy_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let input = "[[input]]\nchip = \"no-such-label\"\nline = \"BUTTON\"\ndoes = \"acknowledge\"\n";
    let gone =
        "[[output]]\nname = \"relay\"\nkind = \"gpio\"\nchip = \"/nonexistent/gpiochip0\"\nline = 17\n";
    let text = format!("{BOARD}{}{gone}{}{input}", sysfs_output("siren", ""), sysfs_output("lamp", ""));
    write_config(folder.path(), &text);
    std::fs::write(folder.path().join("siren"), "?").unwrap();
    let output = run(folder.path(), &["check", "--config", "board.toml"]);
    assert!(!output.status.success());
    let text = stdout(&output);
    let finds = |line: &str| assert!(text.contains(line), "{line} is not in\n{text}");
    finds("ok    output    siren: ");
    finds("FAIL  output    relay: line 17 of /nonexistent/gpiochip0: no such GPIO chip; ");
    finds("FAIL  output    lamp: ");
    finds("FAIL  input     line `BUTTON` of no-such-label: no such GPIO chip; ");
    assert_eq!(std::fs::read_to_string(folder.path().join("siren")).unwrap(), "?");
}

#[test]
fn an_event_switches_a_latch_on_and_the_end_of_the_program_switches_it_off() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::event_video(&folder.path().join("event.mp4"), 6, 2, 2);
    let gone = "[[output]]\nname = \"gone\"\nkind = \"gpio\"\nchip = \"gpiochip99\"\nline = 17\n";
    let text = format!("{BOARD}{}{gone}", sysfs_output("lamp", "mode = \"latch\""));
    write_config(folder.path(), &text);
    std::fs::write(folder.path().join("lamp"), "?").unwrap();
    let args = ["replay", "--bundle", "bundle", "event.mp4", "--config", "board.toml"];
    let output = run(folder.path(), &args);
    let log = stderr(&output);
    assert!(output.status.success(), "{log}");
    let (on, off) = ("local alarm on output=lamp", "local alarm off output=lamp");
    assert!(log.find(on).unwrap() < log.find(off).unwrap(), "{log}");
    assert!(log.contains("line 17 of gpiochip99: no such GPIO chip"), "{log}");
    assert_eq!(std::fs::read_to_string(folder.path().join("lamp")).unwrap(), "0");
}

/// A board with an absent key switch that watches a bright picture until its alarm is raised; then the signal.
fn run_until_the_alarm_and_send(signal: &str, folder: &Path) {
    std::fs::write(folder.join("lamp"), "?").unwrap();
    let mut command = watchpostd();
    command.args(["run", "--config", "board.toml"]).current_dir(folder).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("kind=Raised")), "an alarm is raised without the key switch");
    eventually("the lamp is on", || std::fs::read_to_string(folder.join("lamp")).unwrap() == "1");
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    log.for_each(drop);
    child.wait().unwrap();
}

#[test]
fn a_clean_end_switches_off_and_after_any_other_safe_does() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::video(&folder.path().join("bright.mp4"), &[220; 64]);
    let camera =
        "[[camera]]\nid = \"north\"\nsource = { kind = \"file\", path = \"bright.mp4\", loop = true }\n";
    let key = "[[input]]\nchip = \"gpiochip99\"\nline = 4\ndoes = \"arm\"\n";
    let lamp = sysfs_output("lamp", "mode = \"latch\"");
    write_config(folder.path(), &format!("{BOARD}{camera}{key}{lamp}"));
    let level = || std::fs::read_to_string(folder.path().join("lamp")).unwrap();
    run_until_the_alarm_and_send("-TERM", folder.path());
    assert_eq!(level(), "0");
    run_until_the_alarm_and_send("-KILL", folder.path());
    assert_eq!(level(), "1", "a program that is killed cannot switch");
    assert!(run(folder.path(), &["safe", "--config", "board.toml"]).status.success());
    assert_eq!(level(), "0");
}
