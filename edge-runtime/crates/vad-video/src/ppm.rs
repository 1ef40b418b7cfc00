//! The frame format between `ffmpeg` and this crate: binary PPM pictures, one after the other.
//!
//! Each picture carries its own size, so the size need not be predicted from the container (rotation, cropping).

use std::io::{self, BufRead, Read};

const MAX_LINE_BYTES: u64 = 32;

/// Reads one `P6\n<width> <height>\n255\n` header; `None` at a clean end of the stream.
///
/// # Errors
/// `UnexpectedEof` inside a header, `InvalidData` for anything that is not such a header.
pub(crate) fn read_header(from: &mut impl BufRead) -> io::Result<Option<(u32, u32)>> {
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    if read_line(from)? != "P6" {
        return Err(invalid());
    }
    let size = read_line(from)?;
    let (width, height) = size.split_once(' ').ok_or_else(invalid)?;
    let parsed = (width.parse().map_err(|_| invalid())?, height.parse().map_err(|_| invalid())?);
    if read_line(from)? != "255" {
        return Err(invalid());
    }
    Ok(Some(parsed))
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        let kind = if line.len() as u64 + 1 < MAX_LINE_BYTES {
            io::ErrorKind::UnexpectedEof
        } else {
            io::ErrorKind::InvalidData
        };
        return Err(io::Error::new(kind, "the frame header has no end"));
    }
    String::from_utf8(line).map_err(|_| invalid())
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a frame header")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_follow_one_another() {
        let mut stream: &[u8] = b"P6\n360 240\n255\nP6\n1 2\n255\n";
        assert_eq!(read_header(&mut stream).unwrap(), Some((360, 240)));
        assert_eq!(read_header(&mut stream).unwrap(), Some((1, 2)));
        assert_eq!(read_header(&mut stream).unwrap(), None);
    }

    #[test]
    fn everything_else_is_refused() {
        let endless = [b'P'; 10_000];
        let hostile: [&[u8]; 7] = [
            b"P5\n1 1\n255\n",
            b"P6\n1\n255\n",
            b"P6\n-1 1\n255\n",
            b"P6\n1 1\n65535\n",
            b"P6\n1 1",
            b"P",
            &endless,
        ];
        for bytes in hostile {
            let mut stream = bytes;
            assert!(read_header(&mut stream).is_err(), "{:?}", &bytes[..bytes.len().min(20)]);
        }
    }
}
