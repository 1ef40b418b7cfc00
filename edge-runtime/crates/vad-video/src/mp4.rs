//! Whether an mp4 or mov file is as long as its boxes say.
//!
//! A file cut inside its last box (an index kept at the end, metadata) can still give every frame; it is cut off all
//! the same. Only the top-level boxes are walked (ISO/IEC 14496-12, section 4.2): 8 bytes are read of each.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Boxes that stand at the top level. Anything else ends the walk: bytes after the last box are no damage.
const TOP_LEVEL: [&[u8; 4]; 15] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"moof", b"mfra", b"sidx", b"ssix",
    b"styp", b"meta", b"udta", b"pnot",
];
const MAX_BOXES: usize = 1_000_000;

/// The name of the last box and how many of its bytes are missing; `None` for a complete file and for any file that
/// is no mp4.
pub(crate) fn missing_bytes(path: &Path) -> io::Result<Option<(String, u64)>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut begin = 0_u64;
    for _ in 0..MAX_BOXES {
        let Some((kind, size)) = read_box(&mut file, begin, length)? else {
            break;
        };
        let end = begin.saturating_add(size);
        if end > length {
            return Ok(Some((String::from_utf8_lossy(&kind).into_owned(), end - length)));
        }
        begin = end;
    }
    Ok(None)
}

/// Type and size of the box at `begin`; `None` where no box with a size stands.
fn read_box(file: &mut File, begin: u64, length: u64) -> io::Result<Option<([u8; 4], u64)>> {
    const HEADER: u64 = 8;
    const LONG_HEADER: u64 = 16;
    if length.saturating_sub(begin) < HEADER {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(begin))?;
    let (mut size, mut kind) = ([0; 4], [0; 4]);
    file.read_exact(&mut size)?;
    file.read_exact(&mut kind)?;
    if !TOP_LEVEL.contains(&&kind) {
        return Ok(None);
    }
    Ok(match u32::from_be_bytes(size) {
        // The last box, up to the end of the file.
        0 => None,
        1 if length - begin < LONG_HEADER => Some((kind, LONG_HEADER)),
        1 => {
            let mut long = [0; 8];
            file.read_exact(&mut long)?;
            Some((kind, u64::from_be_bytes(long))).filter(|&(_, size)| size >= LONG_HEADER)
        }
        size => Some((kind, u64::from(size))).filter(|&(_, size)| size >= HEADER),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(bytes: &[u8]) -> Option<(String, u64)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        missing_bytes(file.path()).unwrap()
    }

    fn boxed(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len() + 8).unwrap();
        [&size.to_be_bytes(), kind.as_slice(), payload].concat()
    }

    #[test]
    fn every_cut_inside_a_box_is_noticed() {
        let long = [&1_u32.to_be_bytes(), b"mdat".as_slice(), &20_u64.to_be_bytes(), &[7; 4]].concat();
        let file = [boxed(b"ftyp", b"isom"), long, boxed(b"moov", &[1; 30])].concat();
        assert_eq!(missing(&file), None);
        // Fewer than 8 bytes of a box do not name it.
        let unnamed: Vec<usize> = [0, 12, 32].iter().flat_map(|&border| border..border + 8).collect();
        for length in 0..file.len() {
            assert_eq!(missing(&file[..length]).is_none(), unnamed.contains(&length), "cut to {length}");
        }
        assert_eq!(missing(&file[..file.len() - 3]), Some(("moov".to_owned(), 3)));
    }

    #[test]
    fn other_files_and_trailing_bytes_are_no_damage() {
        assert_eq!(missing(b"RIFF\xff\xff\xff\x7fAVI LIST"), None);
        assert_eq!(missing(&[boxed(b"ftyp", b"isom"), b"maker's trailing note".to_vec()].concat()), None);
        assert_eq!(missing(&[&0_u32.to_be_bytes(), b"mdat".as_slice(), &[7; 100]].concat()), None);
        assert_eq!(missing(&[&3_u32.to_be_bytes(), b"free".as_slice(), &[7; 100]].concat()), None);
    }
}
