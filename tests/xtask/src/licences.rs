//! The licences of what is linked into a program: their texts go where the program goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::step::cargo_output;

/// A library from outside.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Library {
    /// Name and version.
    title: String,
    licence: String,
    /// Its sources.
    folder: PathBuf,
}

/// One text for people: every library with its licence, then every text of a licence with the libraries that bring it.
pub fn of(package: &str, triple: &str) -> Result<String> {
    let libraries = libraries(package, triple)?;
    ensure!(!libraries.is_empty(), "cargo names no library of {package}");
    let mut text = format!("Libraries that are linked into {package}, and their licences.\n\n");
    let mut bringers: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for library in &libraries {
        let Library { title, licence, folder } = library;
        ensure!(!licence.is_empty(), "{title} names no licence");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{title}: {licence}");
        for words in texts(folder)? {
            bringers.entry(words).or_default().insert(title);
        }
    }
    for (words, titles) in bringers {
        let titles: Vec<&str> = titles.into_iter().collect();
        let _ = write!(text, "\n{}\n{}\n\n{}\n", "=".repeat(72), titles.join(", "), words.trim_end());
    }
    Ok(text)
}

fn libraries(package: &str, triple: &str) -> Result<BTreeSet<Library>> {
    let args = ["tree", "--edges", "normal", "--prefix", "none", "--target", triple, "--package", package];
    let tree = cargo_output(&[&args[..], &["--format", "{p}\t{l}"]].concat())?;
    let sources = sources()?;
    let outside = tree.lines().map(|line| line.trim_end_matches(" (*)"));
    // Those of the working tree stand with their folder behind them, and macros are no part of the program.
    let outside = outside.filter(|line| !line.contains(" (/") && !line.contains(" (proc-macro)"));
    let libraries = outside.filter_map(|line| {
        let (title, licence) = line.split_once('\t')?;
        Some((title.replacen(" v", " ", 1), licence.trim().to_owned()))
    });
    libraries
        .map(|(title, licence)| {
            let folder = sources.get(&title.replacen(' ', "-", 1));
            let folder = folder.with_context(|| format!("the sources of {title} are not here"))?.clone();
            Ok(Library { title, licence, folder })
        })
        .collect()
}

/// Unpacked libraries by name and version.
fn sources() -> Result<BTreeMap<String, PathBuf>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).context("no home")?;
    let mut found = BTreeMap::new();
    for registry in entries(&home.join("registry/src"))? {
        for folder in entries(&registry)? {
            found.insert(name(&folder), folder);
        }
    }
    Ok(found)
}

fn texts(folder: &Path) -> Result<Vec<String>> {
    let is_licence = |path: &PathBuf| {
        let name = name(path).to_lowercase();
        let begins = ["licen", "copying", "notice", "unlicense", "copyright"];
        path.is_file() && begins.iter().any(|begin| name.starts_with(begin))
    };
    let mut files = entries(folder)?;
    // Where a library keeps its licences apart, or has the sources of another, in C.
    for inner in ["upstream", "LICENSES"] {
        let inner = folder.join(inner);
        if inner.is_dir() {
            files.extend(entries(&inner)?);
        }
    }
    let is_text = |path: &PathBuf| is_licence(path) || path.parent().is_some_and(|p| name(p) == "LICENSES");
    let files = files.into_iter().filter(is_text);
    files.map(|file| Ok(String::from_utf8_lossy(&std::fs::read(file)?).into_owned())).collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
