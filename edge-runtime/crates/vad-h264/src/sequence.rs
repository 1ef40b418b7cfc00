//! What a sequence parameter set says about its pictures (ITU-T H.264, 7.3.2.1.1), read before a decoder acts on it.

use crate::units::without_escapes;

/// Longest set that is read, bytes. Those of cameras have some thirty.
const MAX_BYTES: usize = 1_024;
/// Profiles whose sets say more about colours and scaling.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 134, 135, 138, 139];
/// Most pictures in one cycle of picture order counts.
const MAX_CYCLE: u32 = 255;

/// What matters of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// Size of the coded picture in macroblocks of 16x16 pixels, before cropping.
    pub(crate) size_mb: (u64, u64),
    /// Pictures that the decoder must keep.
    pub(crate) references: u32,
    /// 8 bits, colours at half the resolution.
    pub(crate) is_plain: bool,
    /// No half pictures.
    pub(crate) is_progressive: bool,
    /// Luma from 0 to 255 instead of 16 to 235.
    pub(crate) is_full_range: bool,
}

impl Sequence {
    /// Reads a unit of type 7; `None` where it is damaged.
    pub(crate) fn read(unit: &[u8]) -> Option<Self> {
        let content = without_escapes(unit.get(1..unit.len().min(MAX_BYTES))?);
        let mut bits = Bits { bytes: &content, at: 0 };
        let profile = bits.number(8)?;
        // Constraints and level.
        bits.number(16)?;
        bits.exp_golomb()?;
        let is_plain = if HIGH_PROFILES.contains(&profile) { colours(&mut bits)? } else { true };
        bits.exp_golomb()?;
        order_counts(&mut bits)?;
        let references = bits.exp_golomb()?;
        bits.flag()?;
        let width_mb = u64::from(bits.exp_golomb()?) + 1;
        let height_units = u64::from(bits.exp_golomb()?) + 1;
        let is_progressive = bits.flag()?;
        let height_mb = if is_progressive { height_units } else { height_units * 2 };
        if !is_progressive {
            bits.flag()?;
        }
        bits.flag()?;
        if bits.flag()? {
            for _ in 0..4 {
                bits.exp_golomb()?;
            }
        }
        let is_full_range = bits.flag()? && is_full_range(&mut bits).unwrap_or(false);
        Some(Self { size_mb: (width_mb, height_mb), references, is_plain, is_progressive, is_full_range })
    }
}

/// Whether a set of a high profile has 8 bits and half the resolution for colours.
fn colours(bits: &mut Bits<'_>) -> Option<bool> {
    let chroma_format = bits.exp_golomb()?;
    if chroma_format == 3 {
        bits.flag()?;
    }
    let (luma_bits, chroma_bits) = (bits.exp_golomb()?, bits.exp_golomb()?);
    bits.flag()?;
    if bits.flag()? {
        let lists = if chroma_format == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.flag()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(chroma_format == 1 && luma_bits == 0 && chroma_bits == 0)
}

fn scaling_list(bits: &mut Bits<'_>, length: u32) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..length {
        if next != 0 {
            next = (last + i64::from(bits.signed()?)).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn order_counts(bits: &mut Bits<'_>) -> Option<()> {
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?;
        }
        1 => {
            bits.flag()?;
            bits.signed()?;
            bits.signed()?;
            let cycle = bits.exp_golomb().filter(|&length| length <= MAX_CYCLE)?;
            for _ in 0..cycle {
                bits.signed()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// The beginning of annex E's parameters; what is missing means no.
fn is_full_range(bits: &mut Bits<'_>) -> Option<bool> {
    const EXTENDED_ASPECT: u32 = 255;
    if bits.flag()? && bits.number(8)? == EXTENDED_ASPECT {
        bits.number(32)?;
    }
    if bits.flag()? {
        bits.flag()?;
    }
    if !bits.flag()? {
        return Some(false);
    }
    bits.number(3)?;
    bits.flag()
}

/// Bits, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = (byte >> (7 - self.at % 8)) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// At most 32 bits.
    fn number(&mut self, bits: u32) -> Option<u32> {
        let mut value = 0_u64;
        for _ in 0..bits {
            value = (value << 1) | u64::from(self.flag()?);
        }
        u32::try_from(value).ok()
    }

    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros > 31 {
            return None;
        }
        let offset = (1_u64 << zeros) - 1;
        u32::try_from(offset + u64::from(self.number(zeros)?)).ok()
    }

    fn signed(&mut self) -> Option<i32> {
        let code = i64::from(self.exp_golomb()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 1 { magnitude } else { -magnitude }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// x264: high profile, 640x360, full range.
    const HIGH: [u8; 27] = [
        0x67, 0x64, 0x00, 0x16, 0xac, 0xd9, 0x40, 0xa0, 0x2f, 0xf9, 0x70, 0x16, 0xc8, 0x00, 0x00, 0x03, 0x00,
        0x08, 0x00, 0x00, 0x03, 0x00, 0xa0, 0x78, 0xb1, 0x6c, 0xb0,
    ];
    /// x264: baseline, 66x50.
    const BASELINE: [u8; 25] = [
        0x67, 0x42, 0xc0, 0x0a, 0xd9, 0x05, 0x27, 0x88, 0x88, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00,
        0x00, 0x03, 0x00, 0x50, 0x3c, 0x48, 0x99, 0x20,
    ];
    /// x264: 4:2:2, 320x240.
    const HALF_COLOUR: [u8; 25] = [
        0x67, 0x7a, 0x00, 0x0c, 0xbc, 0xd9, 0x41, 0x41, 0xfb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00,
        0x00, 0x03, 0x01, 0x40, 0xf1, 0x42, 0x99, 0x60,
    ];
    /// x264: interlaced, 320x240.
    const INTERLACED: [u8; 26] = [
        0x67, 0x64, 0x00, 0x15, 0xac, 0xd9, 0x41, 0x41, 0x0f, 0xcb, 0x80, 0x88, 0x00, 0x00, 0x03, 0x00, 0x08,
        0x00, 0x00, 0x03, 0x00, 0xa0, 0xf8, 0xa1, 0x4c, 0xb0,
    ];

    #[test]
    fn numbers_are_read_as_the_standard_writes_them() {
        // 1, 010, 011, 00100, and what is left.
        let mut bits = Bits { bytes: &[0b1010_0110, 0b0100_0000], at: 0 };
        assert_eq!([(); 4].map(|()| bits.exp_golomb()), [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(bits.exp_golomb(), None);
        let mut bits = Bits { bytes: &[0b0100_1100, 0b1000_0101], at: 0 };
        assert_eq!([(); 4].map(|()| bits.signed()), [Some(1), Some(-1), Some(2), Some(-2)]);
    }

    #[test]
    fn a_damaged_set_is_none() {
        assert_eq!(Sequence::read(&[]), None);
        assert_eq!(Sequence::read(&[0x67]), None);
        assert_eq!(Sequence::read(&HIGH[..6]), None);
        assert_eq!(Sequence::read(&[0; 5_000]), None);
    }

    #[test]
    fn what_an_encoder_wrote_is_read() {
        let read = |set: &[u8]| {
            let s = Sequence::read(set).unwrap();
            (s.size_mb, s.is_plain, s.is_progressive, s.is_full_range)
        };
        assert_eq!(read(&HIGH), ((40, 23), true, true, true));
        assert_eq!(read(&BASELINE), ((5, 4), true, true, false));
        assert_eq!(read(&HALF_COLOUR), ((20, 15), false, true, false));
        assert_eq!(read(&INTERLACED), ((20, 16), true, false, false));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Sequence::read(&bytes);
            let _ = Sequence::read(&[&HIGH[..4], &bytes].concat());
        }
    }
}
