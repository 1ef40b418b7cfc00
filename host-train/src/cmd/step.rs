//! Subcommands that are made of others, each step as a user would type it.

use anyhow::{Context, Result};
use std::ffi::OsString;

/// Prints the command a user would type, reads it as the command line would, and runs it.
pub fn step<A: clap::Args, T>(
    name: &'static str,
    words: &[OsString],
    run: impl FnOnce(A) -> Result<T>,
) -> Result<T> {
    let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    println!("\n$ watchpost {name} {}", shown.join(" "));
    let command = A::augment_args(clap::Command::new(name).no_binary_name(true));
    let matches = command.try_get_matches_from(words)?;
    run(A::from_arg_matches(&matches)?).with_context(|| format!("the step `watchpost {name}` failed"))
}

/// One word of a step.
pub fn arg(text: &str) -> OsString {
    OsString::from(text)
}

/// An option with its value in one word.
pub fn option(name: &str, value: impl Into<OsString>) -> OsString {
    let mut word = OsString::from(name);
    word.push("=");
    word.push(value.into());
    word
}
