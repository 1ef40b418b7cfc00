//! NAL units of an access unit in the byte stream format (ITU-T H.264, annex B).

/// A slice of a picture that needs others.
pub(crate) const SLICE: u8 = 1;
/// A slice of a key frame.
pub(crate) const KEY_SLICE: u8 = 5;
/// Sequence parameter set.
pub(crate) const SEQUENCE: u8 = 7;
/// Picture parameter set.
pub(crate) const PICTURE: u8 = 8;

/// Every unit, without its start code; never an empty one.
pub(crate) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let here = rest?;
        let length = start_code(here).unwrap_or(here.len());
        rest = after_start_code(&here[length..]);
        Some(&here[..length])
    })
    .filter(|unit| !unit.is_empty())
}

/// Type of a unit, 0 to 31.
pub(crate) fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 0x1f)
}

/// A unit's content without the bytes that keep it from looking like a start code.
pub(crate) fn without_escapes(unit: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        content.push(byte);
    }
    content
}

fn start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    start_code(bytes).map(|at| &bytes[at + 3..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_behind_start_codes_of_either_length() {
        let stream = [9, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 0, 0, 1, 0, 0, 1, 0x65, 2, 3];
        let found: Vec<&[u8]> = units(&stream).collect();
        assert_eq!(found, [&[0x67, 1][..], &[0x68], &[0x65, 2, 3]]);
        assert_eq!(found.iter().map(|unit| kind(unit)).collect::<Vec<_>>(), [SEQUENCE, PICTURE, KEY_SLICE]);
        assert_eq!(units(&[]).chain(units(&[0, 0])).chain(units(&[0, 0, 1])).count(), 0);
    }

    #[test]
    fn escapes_are_taken_out() {
        assert_eq!(without_escapes(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [1, 0, 0, 1, 0, 0, 0, 0]);
    }
}
