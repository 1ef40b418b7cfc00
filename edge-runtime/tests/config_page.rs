//! The reference page `docs/reference/config.md` against the source: neither drifts alone.

use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../src/config/schema.rs");
const PAGE: &str = include_str!("../../docs/reference/config.md");

/// Keys as they stand in a file: field names, or their `rename`.
fn keys() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut renamed = None;
    for line in SCHEMA.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("#[serde(rename = \"") {
            renamed = name.split('"').next().map(str::to_owned);
        } else if let Some(field) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": ")) {
            keys.insert(renamed.take().unwrap_or_else(|| field.0.to_owned()));
        }
    }
    keys
}

#[test]
fn every_key_is_on_the_page() {
    let keys = keys();
    assert!(keys.len() > 25, "the schema was not understood: {keys:?}");
    let missing: Vec<_> = keys
        .iter()
        .filter(|key| !PAGE.contains(&format!("`{key}`")) && !PAGE.contains(&format!("[{key}]")))
        .collect();
    assert!(missing.is_empty(), "docs/reference/config.md does not name {missing:?}");
}

#[test]
fn every_default_number_on_the_page_is_in_the_source() {
    for default in ["335544320", "5000", "3000", "256"] {
        assert!(PAGE.contains(default), "the page does not state the default {default}");
        assert!(SCHEMA.contains(default), "the source does not state the default {default}");
    }
}
