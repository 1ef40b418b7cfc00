//! Text for HTML: escaping and figures.

use std::fmt;

/// A text shown as it is: markup characters are escaped, control characters replaced.
pub(super) struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(c)?,
                c if c.is_control() || is_direction_mark(c) => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Characters that reorder what follows: a file name must not be able to rearrange the page.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Why a frame-level figure is undefined.
pub(super) fn why_undefined(abnormal_frames: u64, normal_frames: u64) -> &'static str {
    match (abnormal_frames, normal_frames) {
        (0, 0) => "no labelled frame",
        (0, _) => "no abnormal frame",
        (_, 0) => "no normal frame",
        _ => "scores not comparable",
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Seconds as `8.4 s` or `12:05 min`.
pub(super) fn seconds(value: f64) -> String {
    if value < 120.0 {
        return format!("{value:.1} s");
    }
    let whole = value.round() as u64;
    if whole < 7_200 {
        format!("{}:{:02} min", whole / 60, whole % 60)
    } else {
        format!("{}:{:02} h", whole / 3_600, whole % 3_600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_lose_their_meaning() {
        let hostile = "<a href=\"x\" title='y'>&\u{202e}\u{7}\n";
        let want = "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;\u{fffd}\u{fffd}\n";
        assert_eq!(Text(hostile).to_string(), want);
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(count(1_109_824), "1,109,824");
        assert_eq!(count(999), "999");
        assert_eq!(seconds(8.44), "8.4 s");
        assert_eq!(seconds(725.0), "12:05 min");
        assert_eq!(seconds(7_260.0), "2:01 h");
    }
}
