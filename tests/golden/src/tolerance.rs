//! The tolerances that the cases state as free text.

use std::fmt;

/// Greatest accepted difference: `absolute + relative * |want| + of_max_abs * max |want|`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tolerance {
    /// Share of the element's own reference value (`rtol`).
    pub relative: f64,
    /// Fixed part (`atol`).
    pub absolute: f64,
    /// Share of the largest absolute reference value of the array ("rtol 1e-3 of max abs").
    pub of_max_abs: f64,
}

impl Tolerance {
    /// A relative and an absolute part.
    pub const fn new(relative: f64, absolute: f64) -> Self {
        Self { relative, absolute, of_max_abs: 0.0 }
    }

    /// No difference at all.
    pub const fn exact() -> Self {
        Self::new(0.0, 0.0)
    }

    /// The greatest accepted difference from `want` in an array whose largest absolute value is `max_abs`.
    pub fn allowed(&self, want: f64, max_abs: f64) -> f64 {
        let want = if want.is_finite() { want.abs() } else { 0.0 };
        self.absolute + self.relative * want + self.of_max_abs * max_abs
    }

    /// The first clause of a tolerance text. Clauses are separated by `;`; each is "exact", "rtol X atol Y" (either
    /// alone will do), "rtol X of max abs", or a bare figure, which counts as relative and as absolute. Words around the
    /// figures and remarks in parentheses only say what a clause is about.
    ///
    /// # Errors
    /// A text, when the first clause holds no figure.
    pub fn parse(text: &str) -> Result<Self, String> {
        clauses(text).first().map_or_else(|| Err("empty tolerance".to_owned()), |clause| parse_clause(clause))
    }

    /// The first clause that contains `word` in any case, remarks included; the first clause when none does.
    ///
    /// # Errors
    /// A text, when that clause holds no figure.
    pub fn parse_for(text: &str, word: &str) -> Result<Self, String> {
        let word = word.to_lowercase();
        match clauses(text).iter().find(|clause| clause.to_lowercase().contains(&word)) {
            Some(clause) => parse_clause(clause),
            None => Self::parse(text),
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtol {:e} atol {:e}", self.relative, self.absolute)?;
        if self.of_max_abs > 0.0 {
            write!(f, " + {:e} of max abs", self.of_max_abs)?;
        }
        Ok(())
    }
}

/// Splits at `;` outside parentheses.
fn clauses(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ';' && depth == 0
    })
    .map(str::trim)
    .filter(|clause| !clause.is_empty())
    .collect()
}

fn without_remarks(clause: &str) -> String {
    let mut depth = 0_u32;
    let keep = |c: &char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *c != ')'
    };
    clause.chars().filter(keep).collect()
}

fn parse_clause(clause: &str) -> Result<Tolerance, String> {
    let figures = without_remarks(clause).to_lowercase();
    let words: Vec<&str> = figures.split([' ', ',', '=']).filter(|word| !word.is_empty()).collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse::<f64>().ok()
    };
    let (relative, absolute) = (after("rtol"), after("atol"));
    if figures.contains("of max abs") {
        let share = relative.ok_or_else(|| format!("no `rtol` before `of max abs` in `{clause}`"))?;
        return Ok(Tolerance { relative: 0.0, absolute: absolute.unwrap_or(0.0), of_max_abs: share });
    }
    if relative.is_some() || absolute.is_some() {
        return Ok(Tolerance::new(relative.unwrap_or(0.0), absolute.unwrap_or(0.0)));
    }
    if words.contains(&"exact") {
        return Ok(Tolerance::exact());
    }
    let bare = words.iter().find_map(|word| word.parse::<f64>().ok());
    bare.map(|figure| Tolerance::new(figure, figure))
        .ok_or_else(|| format!("no figure in the tolerance `{clause}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_in_use_is_read() {
        let read = |text| Tolerance::parse(text).unwrap();
        assert_eq!(read("exact"), Tolerance::exact());
        assert_eq!(read("1e-12"), Tolerance::new(1e-12, 1e-12));
        assert_eq!(read("1e-9 (f64)"), Tolerance::new(1e-9, 1e-9));
        assert_eq!(read("scores rtol 1e-5; mean/var from the given scores 1e-9"), Tolerance::new(1e-5, 0.0));
        assert_eq!(read("rtol 1e-3 atol 1e-3 on features; same top-5 classes"), Tolerance::new(1e-3, 1e-3));
        assert_eq!(read("rtol 2e-4 atol 1e-4 (f32 sums over 6144)"), Tolerance::new(2e-4, 1e-4));
        assert_eq!(read("rtol 1e-3 of max abs"), Tolerance { of_max_abs: 1e-3, ..Tolerance::exact() });
    }

    #[test]
    fn named_clauses_are_found() {
        let adagrad = "rtol 1e-3 atol 1e-6; Adagrad step atol 2e-5 (first step is sign-like)";
        assert_eq!(Tolerance::parse_for(adagrad, "adagrad").unwrap(), Tolerance::new(0.0, 2e-5));
        assert_eq!(Tolerance::parse_for(adagrad, "bias").unwrap(), Tolerance::new(1e-3, 1e-6));
        let adam = "rtol 1e-3 atol 1e-5 on gradients; \
                    Adam step atol 2e-5 (sign-like update: entries with |grad+wd*w|<1e-6 may differ)";
        assert_eq!(Tolerance::parse_for(adam, "Adam step").unwrap(), Tolerance::new(0.0, 2e-5));
        let kinds = "rtol 1e-4 atol 1e-5 (f32); 1e-9 (f64)";
        assert_eq!(Tolerance::parse_for(kinds, "f64").unwrap(), Tolerance::new(1e-9, 1e-9));
    }

    #[test]
    fn a_text_without_a_figure_is_refused() {
        assert!(Tolerance::parse("close enough").is_err());
        assert!(Tolerance::parse("").is_err());
        assert!(Tolerance::parse_for("1e-9; same top-5 classes", "top-5").is_err());
    }
}
