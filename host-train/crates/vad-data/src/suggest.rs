//! "Did you mean ...?"

/// The candidate nearest to a misspelt word, if any is near: at most half of the word's letters differ.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|&(distance, _)| distance <= (word.chars().count() / 2).max(1))
        .map(|(_, candidate)| candidate)
}

/// `; did you mean `x`?`, or nothing.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |candidate| format!("; did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let labels = ["normal", "abnormal"];
        assert_eq!(nearest("abnromal", labels), Some("abnormal"));
        assert_eq!(nearest("NORMAL", labels), Some("normal"));
        assert_eq!(nearest("abnorm", labels), Some("abnormal"));
        assert_eq!(nearest("1", labels), None);
        assert_eq!(nearest("", labels), None);
        assert_eq!(did_you_mean("xyz", labels), "");
    }
}
