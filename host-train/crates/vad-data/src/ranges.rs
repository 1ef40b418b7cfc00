//! Ranges of frames as text: `10-20;40-55`, both ends inclusive, from 0; a single frame is `7`.

use std::ops::RangeInclusive;

/// Parses ranges; the reason for a refusal names the offending part.
pub(crate) fn parse(text: &str) -> Result<Vec<RangeInclusive<u64>>, String> {
    let mut ranges = Vec::<RangeInclusive<u64>>::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |digits: &str| {
            digits
                .trim()
                .parse::<u64>()
                .map_err(|_| format!("`{part}` is not a range of frames; write for example `10-20;40-55`"))
        };
        let range = ordered(number(first)?, number(last)?)?;
        if let Some(before) = ranges.last().filter(|before| before.end() >= range.start()) {
            return Err(format!(
                "`{part}` begins before `{}` has ended; list the ranges in order, without overlap",
                render_one(before)
            ));
        }
        ranges.push(range);
    }
    Ok(ranges)
}

/// One range, refused if it ends before it begins.
pub(crate) fn ordered(first: u64, last: u64) -> Result<RangeInclusive<u64>, String> {
    if first <= last {
        return Ok(first..=last);
    }
    Err(format!("the range {first}-{last} ends before it begins; swap its ends"))
}

/// The text of ranges, as [`parse`] reads it.
pub(crate) fn render(ranges: &[RangeInclusive<u64>]) -> String {
    ranges.iter().map(render_one).collect::<Vec<_>>().join(";")
}

fn render_one(range: &RangeInclusive<u64>) -> String {
    format!("{}-{}", range.start(), range.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(parse("10-20;40-55").unwrap(), [10..=20, 40..=55]);
        assert_eq!(parse(" 7 ; 9 - 9 ;").unwrap(), [7..=7, 9..=9]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn wrong_ranges_say_what_is_wrong() {
        for (text, part) in [
            ("5-2", "swap"),
            ("a-b", "`a-b`"),
            ("1-5;5-9", "overlap"),
            ("10-20;1-2", "in order"),
            ("-3", "`-3`"),
            ("1-2-3", "`1-2-3`"),
            ("99999999999999999999", "not a range"),
        ] {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }
}
