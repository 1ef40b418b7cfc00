//! YUV4MPEG2: raw pictures behind a header that says their size. What writes them is outside, so sizes are checked before anything is
//! allocated, and a picture counts only when another one, a new header or the end follows it: a writer that changes the size and does
//! not say so would otherwise be seen as noise.

use std::io::{self, BufRead, Read};

use super::pixels::{Layout, MAX_SIDE_PX, Picture, decode};

/// Most pixels of a picture.
pub const MAX_PIXELS: u64 = 16 << 20;
/// Longest header, bytes.
const MAX_LINE: u64 = 256;
const STREAM: &[u8] = b"YUV4MPEG2";
const FRAME: &[u8] = b"FRAME";
/// Ways to write 4:2:0 with 8 bits; they differ in where a colour lies between the pixels.
const COLOURS: [&str; 4] = ["420", "420jpeg", "420mpeg2", "420paldv"];

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum Y4mError {
    /// The pipe failed.
    #[error("its pictures cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It begins with something else.
    #[error("what it writes is no YUV4MPEG2")]
    NoStream,
    /// A header without width or height, or with others than can be.
    #[error(
        "its pictures have no usable size; sides are 1 to {MAX_SIDE_PX} pixels, and a picture has {MAX_PIXELS} at most"
    )]
    Size,
    /// Another arrangement of colours.
    #[error("it writes its pictures as another kind than 4:2:0 with 8 bits")]
    Colours,
    /// A picture is not followed by what follows one.
    #[error("its pictures are not of the {width_px}x{height_px} pixels any more that it said")]
    Lost {
        /// Width that it said, pixels.
        width_px: u32,
        /// Height that it said, pixels.
        height_px: u32,
    },
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// The header of the stream.
    Beginning,
    /// A picture.
    Picture,
    /// Nothing.
    End,
}

/// One stream.
pub struct Y4m<R> {
    from: R,
    /// Of the next picture.
    size_px: (u32, u32),
    ahead: Ahead,
    payload: Vec<u8>,
}

/// A picture as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPicture<'a> {
    /// Width and height, pixels.
    pub size_px: (u32, u32),
    payload: &'a [u8],
}

impl RawPicture<'_> {
    /// The same as packed RGB8.
    ///
    /// # Errors
    /// Those of [`decode`].
    pub fn to_rgb(&self) -> Result<Picture, String> {
        decode(self.payload, Layout::I420, self.size_px)
    }
}

impl<R: BufRead> Y4m<R> {
    /// A stream that is not read from yet.
    pub fn new(from: R) -> Self {
        Self { from, size_px: (0, 0), ahead: Ahead::Beginning, payload: Vec::new() }
    }

    /// Reads the next picture up to the beginning of what follows it; `None` at the end, cut off or not. `arrived` is asked when the
    /// picture's last byte has come.
    ///
    /// # Errors
    /// [`Y4mError`]; nothing is to be read after it.
    pub fn next<T>(&mut self, arrived: impl FnOnce() -> T) -> Result<Option<(T, RawPicture<'_>)>, Y4mError> {
        if self.ahead == Ahead::Beginning {
            self.ahead = self.look_ahead()?;
        }
        if self.ahead == Ahead::End {
            return Ok(None);
        }
        let size_px = self.size_px;
        self.payload.resize(bytes_of(size_px), 0);
        match self.from.read_exact(&mut self.payload) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                self.ahead = Ahead::End;
                return Ok(None);
            }
            Err(e) => return Err(e.into()),
        }
        let at = arrived();
        self.ahead = self.look_ahead()?;
        Ok(Some((at, RawPicture { size_px, payload: &self.payload })))
    }

    fn look_ahead(&mut self) -> Result<Ahead, Y4mError> {
        let Some(line) = self.line()? else { return Ok(Ahead::End) };
        let mut words = line.split(|&byte| byte == b' ');
        let may_begin = self.ahead != Ahead::End;
        match words.next() {
            Some(FRAME) if self.size_px != (0, 0) => Ok(Ahead::Picture),
            Some(STREAM) if may_begin => {
                self.size_px = size_of(words)?;
                // Another header cannot follow.
                self.ahead = Ahead::End;
                self.look_ahead()
            }
            _ if self.size_px == (0, 0) => Err(Y4mError::NoStream),
            _ => Err(Y4mError::Lost { width_px: self.size_px.0, height_px: self.size_px.1 }),
        }
    }

    /// A header without its end of line; `None` where the stream ends before that.
    fn line(&mut self) -> Result<Option<Vec<u8>>, Y4mError> {
        let mut line = Vec::new();
        self.from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if line.pop() == Some(b'\n') {
            return Ok(Some(line));
        }
        // Whatever is that long is no header.
        let is_long = line.len() as u64 + 1 == MAX_LINE;
        Ok(is_long.then_some(line))
    }
}

fn size_of<'a>(parameters: impl Iterator<Item = &'a [u8]>) -> Result<(u32, u32), Y4mError> {
    let (mut width_px, mut height_px) = (0, 0);
    for parameter in parameters {
        let Some((&name, value)) = parameter.split_first() else { continue };
        let text = str::from_utf8(value).unwrap_or_default();
        let number = || text.parse::<u32>().map_err(|_| Y4mError::Size);
        match name {
            b'W' => width_px = number()?,
            b'H' => height_px = number()?,
            b'C' if !COLOURS.contains(&text) => return Err(Y4mError::Colours),
            _ => {}
        }
    }
    let sides = 1..=MAX_SIDE_PX;
    let is_usable = sides.contains(&width_px) && sides.contains(&height_px);
    if is_usable && u64::from(width_px) * u64::from(height_px) <= MAX_PIXELS {
        Ok((width_px, height_px))
    } else {
        Err(Y4mError::Size)
    }
}

/// Luma, and a quarter as much of either colour, rounded up; the size was checked.
fn bytes_of((width_px, height_px): (u32, u32)) -> usize {
    let (width, height) = (width_px as usize, height_px as usize);
    width * height + 2 * width.div_ceil(2) * height.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sizes of all pictures of a stream, and why it ended.
    fn sizes(bytes: &[u8]) -> (Vec<(u32, u32)>, Option<String>) {
        let mut stream = Y4m::new(bytes);
        let mut sizes = Vec::new();
        loop {
            match stream.next(|| ()) {
                Ok(Some(((), picture))) => sizes.push(picture.size_px),
                Ok(None) => return (sizes, None),
                Err(e) => return (sizes, Some(e.to_string())),
            }
        }
    }

    fn stream(header: &str, frames: &[usize]) -> Vec<u8> {
        let mut bytes = format!("{header}\n").into_bytes();
        for &length in frames {
            bytes.extend(b"FRAME\n");
            bytes.extend(std::iter::repeat_n(128, length));
        }
        bytes
    }

    #[test]
    fn pictures_come_in_the_size_of_their_header_odd_ones_too() {
        assert_eq!(sizes(&stream("YUV4MPEG2 C420 W4 H2 Ip F10:1 A1:1", &[12, 12])), (vec![(4, 2); 2], None));
        assert_eq!(sizes(&stream("YUV4MPEG2 W3 H3", &[17])), (vec![(3, 3)], None));
        let both = [stream("YUV4MPEG2 W4 H2", &[12]), stream("YUV4MPEG2 W2 H2", &[6, 6])].concat();
        assert_eq!(sizes(&both), (vec![(4, 2), (2, 2), (2, 2)], None));
        let red = [[81; 4].as_slice(), &[90], &[240]].concat();
        let bytes = [stream("YUV4MPEG2 W2 H2", &[]), b"FRAME Ip\n".to_vec(), red].concat();
        let mut stream = Y4m::new(&bytes[..]);
        let (at, picture) = stream.next(|| 7).unwrap().unwrap();
        assert_eq!((at, picture.to_rgb().unwrap().data), (7, [255, 0, 0].repeat(4)));
    }

    #[test]
    fn a_size_that_changes_without_a_word_is_noticed_before_a_picture_of_noise_is_shown() {
        for (said, lengths) in [("W4 H2", [12, 6]), ("W2 H2", [6, 12]), ("W4 H2", [12, 13])] {
            let frames: Vec<usize> = lengths.into_iter().flat_map(|length| [length; 9]).collect();
            let (sizes, error) = sizes(&stream(&format!("YUV4MPEG2 {said}"), &frames));
            assert_eq!(sizes.len(), 9, "{said}");
            assert!(error.unwrap().contains("any more"), "{said}");
        }
    }

    #[test]
    fn a_stream_that_is_cut_off_ends() {
        let whole = stream("YUV4MPEG2 W4 H2", &[12, 12]);
        for length in 0..whole.len() {
            let (sizes, error) = sizes(&whole[..length]);
            assert!(sizes.len() < 2 && error.is_none(), "{length}: {sizes:?} {error:?}");
        }
    }

    #[test]
    fn lies_are_refused_before_anything_is_allocated() {
        for (header, says) in [
            ("YUV4MPEG2 W4294967295 H4294967295", "size"),
            ("YUV4MPEG2 W99999999999999999999 H2", "size"),
            ("YUV4MPEG2 W8192 H8192", "size"),
            ("YUV4MPEG2 W0 H2", "size"),
            ("YUV4MPEG2 W-4 H2", "size"),
            ("YUV4MPEG2", "size"),
            ("YUV4MPEG2 W4 H2 C420p10", "4:2:0"),
            ("YUV4MPEG2 W4 H2 C444", "4:2:0"),
            ("Setting pipeline to PAUSED ...", "no YUV4MPEG2"),
            ("FRAME", "no YUV4MPEG2"),
            ("YUV4MPEG2 W4 H2\nYUV4MPEG2 W4 H2", "any more"),
            (&"x".repeat(100_000), "no YUV4MPEG2"),
        ] {
            let (sizes, error) = sizes(&stream(header, &[12]));
            assert!(sizes.is_empty() && error.as_ref().unwrap().contains(says), "{header:.40}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(header in "YUV4MPEG2 W[0-9]{1,2} H[0-9]{1,2}", bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            sizes(&bytes);
            sizes(&[header.as_bytes(), b"\nFRAME\n", &bytes].concat());
        }
    }
}
