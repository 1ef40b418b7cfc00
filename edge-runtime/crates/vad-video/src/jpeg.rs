//! Whether a JPEG file is all there.
//!
//! The decoder fills what is missing of a cut-off JPEG with grey, so completeness is checked before: the marker
//! segments are walked (ITU-T T.81, annex B) until the end-of-image marker.

/// True if the file is a JPEG that reaches its end-of-image marker.
pub(crate) fn is_complete(bytes: &[u8]) -> bool {
    const SOI: [u8; 2] = [0xFF, 0xD8];
    let Some(mut rest) = bytes.strip_prefix(&SOI) else {
        return false;
    };
    loop {
        let Some((marker, after)) = next_marker(rest) else {
            return false;
        };
        rest = match marker {
            0xD9 => return true,
            // TEM and the restart markers stand alone.
            0x01 | 0xD0..=0xD7 => after,
            _ => match skip_segment(after) {
                Some(after) => after,
                None => return false,
            },
        };
    }
}

/// The next marker's code and what follows it, skipping entropy-coded bytes (where `FF 00` is a stuffed FF).
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = bytes;
    loop {
        let at = rest.iter().position(|&byte| byte == 0xFF)?;
        let after = &rest[at + 1..];
        match *after.first()? {
            0x00 => rest = &after[1..],
            // Fill bytes before a marker.
            0xFF => rest = after,
            marker => return Some((marker, &after[1..])),
        }
    }
}

fn skip_segment(bytes: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]));
    bytes.get(length.max(2)..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_truncation_is_noticed() {
        let picture = image::RgbImage::from_fn(40, 30, |x, y| {
            image::Rgb([(x * 6) as u8, (y * 8) as u8, (x * y) as u8])
        });
        let mut jpeg = Vec::new();
        picture.write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).unwrap();
        assert!(is_complete(&jpeg));
        for length in 0..jpeg.len() {
            assert!(!is_complete(&jpeg[..length]), "cut to {length} of {} bytes", jpeg.len());
        }
        jpeg.extend_from_slice(b"trailing bytes of a camera's maker");
        assert!(is_complete(&jpeg));
    }
}
