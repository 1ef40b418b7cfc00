//! Ranges of abnormal frames as the authors write them.

use std::ops::RangeInclusive;

/// Whether the second number of a pair is still abnormal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is.
    Included,
    /// It is the first normal frame.
    Excluded,
}

/// Pairs of first and last frame; `-1 -1` stands for no range. Ranges that overlap are joined.
pub(crate) fn ranges(numbers: &[i64], end: End) -> Result<Vec<RangeInclusive<u64>>, String> {
    if !numbers.len().is_multiple_of(2) {
        return Err(format!("{} numbers do not make pairs of first and last frame", numbers.len()));
    }
    let mut ranges = Vec::new();
    for pair in numbers.chunks_exact(2) {
        ranges.extend(range([pair[0], pair[1]], end)?);
    }
    Ok(joined(ranges))
}

fn range([first, last]: [i64; 2], end: End) -> Result<Option<RangeInclusive<u64>>, String> {
    if (first, last) == (-1, -1) {
        return Ok(None);
    }
    let (Ok(first), Ok(last)) = (u64::try_from(first), u64::try_from(last)) else {
        return Err(format!("the range {first} {last} has a negative frame; write -1 -1 for no range"));
    };
    if last < first {
        return Err(format!("the range {first} {last} ends before it begins; swap the numbers"));
    }
    Ok(match end {
        End::Included => Some(first..=last),
        End::Excluded => last.checked_sub(1).filter(|last| *last >= first).map(|last| first..=last),
    })
}

/// In order, and without overlap.
pub(crate) fn joined(mut ranges: Vec<RangeInclusive<u64>>) -> Vec<RangeInclusive<u64>> {
    ranges.sort_by_key(|range| *range.start());
    let mut joined: Vec<RangeInclusive<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(before) if before.end() >= range.start() => {
                *before = *before.start()..=*before.end().max(range.end());
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// Whole numbers, or which word is none.
pub(crate) fn numbers(words: &[&str]) -> Result<Vec<i64>, String> {
    let parse = |word: &&str| word.parse().map_err(|_| format!("`{word}` is not a whole number"));
    words.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_ranges() {
        assert_eq!(ranges(&[165, 240, -1, -1], End::Included).unwrap(), [165..=240]);
        assert_eq!(ranges(&[20, 30, 5, 8], End::Included).unwrap(), [5..=8, 20..=30]);
        assert_eq!(ranges(&[5, 8, 8, 9, 10, 11], End::Included).unwrap(), [5..=9, 10..=11]);
        assert_eq!(ranges(&[0, 4, 7, 7], End::Excluded).unwrap(), [0..=3]);
        assert_eq!(ranges(&[-1, -1], End::Included).unwrap(), []);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (numbers, part) in
            [(vec![1], "pairs"), (vec![-1, 4], "negative"), (vec![9, 4], "before it begins")]
        {
            let reason = ranges(&numbers, End::Included).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        }
        assert!(numbers(&["1", "x"]).unwrap_err().contains("`x`"));
    }
}
