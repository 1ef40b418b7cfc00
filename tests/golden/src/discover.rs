//! Finding cases by prefix.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::case::Case;

/// Every case whose name (`<folder>/<name>`) starts with `prefix`, sorted by name: those kept here, overlaid with those
/// of `GOLDEN_DIR`. Panics when there is none, or when one cannot be loaded.
pub fn cases(prefix: &str) -> Vec<Case> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let roots = [Some(own), extra_root()];
    cases_in(&roots.into_iter().flatten().collect::<Vec<_>>(), prefix)
}

/// The same over given folders; of cases with the same name, the one in the last folder counts.
pub fn cases_in(roots: &[PathBuf], prefix: &str) -> Vec<Case> {
    let mut found: BTreeMap<String, &Path> = BTreeMap::new();
    for root in roots {
        let mut names = Vec::new();
        collect_names(root, "", &mut names).unwrap_or_else(|e| panic!("cannot list the cases: {e}"));
        found.extend(
            names.into_iter().filter(|name| name.starts_with(prefix)).map(|name| (name, root.as_path())),
        );
    }
    assert!(!found.is_empty(), "no reference case starts with `{prefix}` in {roots:?}");
    found
        .into_iter()
        .map(|(name, root)| Case::load(root, &name).unwrap_or_else(|e| panic!("case `{name}`: {e}")))
        .collect()
}

/// The folder named by `GOLDEN_DIR`. Tests run in their package's folder, so a relative path counts from the workspace
/// root, where the caller typed it.
fn extra_root() -> Option<PathBuf> {
    let named = PathBuf::from(env::var_os("GOLDEN_DIR").filter(|value| !value.is_empty())?);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = [workspace.join(&named), named.clone()].into_iter().find(|path| path.is_dir());
    Some(root.unwrap_or_else(|| panic!("GOLDEN_DIR names {}, which is not a folder", named.display())))
}

/// Adds the names of all `*.json` in folders below `root`; files at its top (the index of all cases) are not cases.
fn collect_names(root: &Path, folder: &str, names: &mut Vec<String>) -> Result<(), String> {
    let at = root.join(folder);
    let listing = fs::read_dir(&at).map_err(|e| format!("{}: {e}", at.display()))?;
    for entry in listing {
        let entry = entry.map_err(|e| format!("{}: {e}", at.display()))?;
        let file_name = entry.file_name().to_string_lossy().into_owned();
        if file_name.starts_with('.') {
            continue;
        }
        let name = if folder.is_empty() { file_name } else { format!("{folder}/{file_name}") };
        if entry.path().is_dir() {
            collect_names(root, &name, names)?;
        } else if let (Some(stem), false) = (name.strip_suffix(".json"), folder.is_empty()) {
            names.push(stem.to_owned());
        }
    }
    Ok(())
}
