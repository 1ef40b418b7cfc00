//! The page on command lines and the options that there are, held against each other.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Command, CommandFactory};

use super::Cli;

const PAGE: &str = include_str!("../../../docs/reference/cli.md");

/// The commands below one, by what one types, with their options.
fn commands(command: &Command, typed: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for inner in command.get_subcommands() {
        let typed = format!("{typed} {}", inner.get_name());
        let options = inner.get_arguments().filter_map(|argument| argument.get_long());
        found.insert(typed.clone(), options.map(str::to_owned).collect());
        commands(inner, &typed, found);
    }
}

/// The options that a text names: words after two dashes.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.split("`--").skip(1).map(|rest| rest.chars().take_while(|c| is_part(*c)).collect()).collect()
}

/// What the page says of a command: its own part, and the lines of the common options that name it.
fn said_of(typed: &str) -> String {
    let (_, command) = typed.split_once(' ').unwrap();
    let first = command.split(' ').next().unwrap();
    let (_, common) = PAGE.split_once("### Options that several commands share").unwrap();
    let common = common.split("\n### ").next().unwrap();
    let common = common.lines().filter(|line| line.contains(&format!("`{first}`")));
    let own = PAGE.split("\n### ").filter(|part| {
        let heading = part.lines().next().unwrap_or_default();
        heading.starts_with(&format!("`watchpost {first}")) && !heading.contains("watchpostd")
    });
    common.chain(own).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_option_is_on_the_page_and_no_other() {
    let mut found = BTreeMap::new();
    commands(&Cli::command(), "watchpost", &mut found);
    assert!(found.contains_key("watchpost bench ped2"), "{:?}", found.keys());
    let everywhere: BTreeSet<&String> = found.values().flatten().collect();
    let mut findings = Vec::new();
    for (typed, options) in &found {
        let said = said_of(typed);
        let is_missing = |option: &&String| !said.contains(&format!("--{option}"));
        findings.extend(
            options.iter().filter(is_missing).map(|option| format!("{typed}: nothing on --{option}")),
        );
        let stale = named(&said).into_iter().filter(|option| !everywhere.contains(option));
        findings.extend(stale.map(|option| format!("{typed}: there is no --{option}")));
    }
    assert!(findings.is_empty(), "docs/reference/cli.md:\n{}", findings.join("\n"));
}
