//! Finds the line of a key and the nearest known name of a misspelt one.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::error::Problem;

/// A misspelling resembles a known name at least this much (Jaro-Winkler similarity, 0 to 1).
const MIN_SIMILARITY: f64 = 0.75;

/// Where every key stands in a text.
pub(super) struct Lines {
    keys: Vec<Place>,
}

struct Place {
    key: String,
    span: Range<usize>,
    line: usize,
}

impl Lines {
    /// Walks `text`; text that does not parse yields no places.
    pub(super) fn of(text: &str) -> Self {
        let mut keys = Vec::new();
        if let Ok(table) = DeTable::parse(text) {
            walk_table(text, "", table.get_ref(), &mut keys);
        }
        Self { keys }
    }

    /// Line of `key`, or of the nearest enclosing key that is written out.
    pub(super) fn of_key(&self, key: &str) -> Option<usize> {
        let mut path = key;
        loop {
            if let Some(place) = self.keys.iter().find(|p| p.key == path) {
                return Some(place.line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// The innermost key or value around a byte offset.
    fn at(&self, offset: usize) -> Option<&Place> {
        self.keys.iter().filter(|p| p.span.contains(&offset)).min_by_key(|p| p.span.len())
    }
}

fn walk_table(text: &str, path: &str, table: &DeTable<'_>, out: &mut Vec<Place>) {
    for (name, value) in table {
        let key =
            if path.is_empty() { name.get_ref().to_string() } else { format!("{path}.{}", name.get_ref()) };
        push(text, &key, name.span(), out);
        push(text, &key, value.span(), out);
        walk_value(text, &key, value.get_ref(), out);
    }
}

fn walk_value(text: &str, path: &str, value: &DeValue<'_>, out: &mut Vec<Place>) {
    match value {
        DeValue::Table(table) => walk_table(text, path, table, out),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let key = format!("{path}[{index}]");
                push(text, &key, item.span(), out);
                walk_value(text, &key, item.get_ref(), out);
            }
        }
        _ => {}
    }
}

fn push(text: &str, key: &str, span: Range<usize>, out: &mut Vec<Place>) {
    let line = line_of(text, span.start);
    out.push(Place { key: key.to_owned(), span, line });
}

fn line_of(text: &str, offset: usize) -> usize {
    let end = offset.min(text.len());
    text.as_bytes()[..end].iter().filter(|&&b| b == b'\n').count() + 1
}

/// Turns the parser's error into a [`Problem`] with key path and suggestion.
pub(super) fn problem(text: &str, error: &toml::de::Error) -> Problem {
    let offset = error.span().map(|span| span.start);
    let line = offset.map(|at| line_of(text, at));
    let lines = Lines::of(text);
    let place = offset.and_then(|at| lines.at(at));
    let mut key = place.map(|p| p.key.clone()).unwrap_or_default();
    let message = error.message();
    let Some(unknown) = Unknown::parse(message) else {
        return Problem { line, key, message: message.to_owned(), suggestion: None };
    };
    if unknown.what == "key" && last_segment(&key) != unknown.name {
        key = if key.is_empty() { unknown.name.clone() } else { format!("{key}.{}", unknown.name) };
    }
    let message = match unknown.what {
        "key" => format!("unknown key; allowed here: {}", unknown.known.join(", ")),
        _ => format!("unknown value `{}`; allowed: {}", unknown.name, unknown.known.join(", ")),
    };
    Problem { line, key, message, suggestion: nearest(&unknown.name, &unknown.known) }
}

fn last_segment(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// serde's "unknown field `x`, expected one of `a`, `b`" taken apart.
struct Unknown {
    what: &'static str,
    name: String,
    known: Vec<String>,
}

impl Unknown {
    fn parse(message: &str) -> Option<Self> {
        let (what, rest) = message
            .strip_prefix("unknown field ")
            .map(|rest| ("key", rest))
            .or_else(|| message.strip_prefix("unknown variant ").map(|rest| ("value", rest)))?;
        let mut quoted = rest.split('`').skip(1).step_by(2).map(str::to_owned);
        let name = quoted.next()?;
        Some(Self { what, name, known: quoted.collect() })
    }
}

pub(super) fn nearest(name: &str, known: &[String]) -> Option<String> {
    let similarity = |candidate: &String| strsim::jaro_winkler(name, candidate);
    known
        .iter()
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
        .filter(|best| similarity(best) >= MIN_SIMILARITY)
        .cloned()
}
