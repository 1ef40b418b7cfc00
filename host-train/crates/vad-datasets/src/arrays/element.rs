//! How a number is stored, and how it becomes an `f32`.

use half::f16;

/// Kind, width and byte order of the elements of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    kind: Kind,
    bytes: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Signed,
    /// Truth values too: a byte that is 0 or 1.
    Unsigned,
}

impl Element {
    /// `f16`, `f32` or `f64`.
    pub(super) fn float(bytes: usize, big_endian: bool) -> Option<Self> {
        [2, 4, 8].contains(&bytes).then_some(Self { kind: Kind::Float, bytes, big_endian })
    }

    /// A whole number of 1, 2, 4 or 8 bytes.
    pub(super) fn integer(bytes: usize, signed: bool, big_endian: bool) -> Option<Self> {
        let kind = if signed { Kind::Signed } else { Kind::Unsigned };
        [1, 2, 4, 8].contains(&bytes).then_some(Self { kind, bytes, big_endian })
    }

    /// From NumPy's notation, such as `<f4`, `|b1` or `>i8`.
    pub(super) fn from_numpy(text: &str) -> Option<Self> {
        let mut letters = text.chars();
        let big_endian = match letters.next()? {
            '<' | '|' => false,
            '>' => true,
            // The writer's own order, which is little-endian wherever these files come from.
            '=' => false,
            _ => return None,
        };
        let kind = letters.next()?;
        let bytes = letters.as_str().parse().ok()?;
        match kind {
            'f' => Self::float(bytes, big_endian),
            'i' => Self::integer(bytes, true, big_endian),
            'u' => Self::integer(bytes, false, big_endian),
            'b' if bytes == 1 => Self::integer(1, false, big_endian),
            _ => None,
        }
    }

    /// Bytes of one element.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends the elements that `bytes` holds; bytes of half an element at the end are passed over.
    pub(super) fn append(&self, bytes: &[u8], values: &mut Vec<f32>) {
        let elements = bytes.chunks_exact(self.bytes);
        match (self.kind, self.bytes) {
            (Kind::Float, 2) => {
                values.extend(elements.map(|raw| f16::from_bits(self.bits(raw) as u16).to_f32()))
            }
            (Kind::Float, 4) => values.extend(elements.map(|raw| f32::from_bits(self.bits(raw) as u32))),
            (Kind::Float, _) => values.extend(elements.map(|raw| f64::from_bits(self.bits(raw)) as f32)),
            (Kind::Unsigned, _) => values.extend(elements.map(|raw| self.bits(raw) as f32)),
            (Kind::Signed, width) => {
                let unused = 64 - 8 * width as u32;
                // The shift to the left puts the sign where the shift to the right repeats it.
                values.extend(elements.map(|raw| (((self.bits(raw) << unused) as i64) >> unused) as f32));
            }
        }
    }

    /// The bytes of one element as a number, zeros above.
    fn bits(&self, raw: &[u8]) -> u64 {
        let add = |bits: u64, byte: &u8| (bits << 8) | u64::from(*byte);
        if self.big_endian { raw.iter().fold(0, add) } else { raw.iter().rev().fold(0, add) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, bytes: &[u8]) -> Vec<f32> {
        let mut values = Vec::new();
        Element::from_numpy(kind).unwrap().append(bytes, &mut values);
        values
    }

    #[test]
    fn every_kind_in_both_orders() {
        assert_eq!(read("<f2", &[0x00, 0x3c, 0x00, 0xc1, 0x01, 0x00]), [1.0, -2.5, 5.960_464_5e-8]);
        assert_eq!(read(">f2", &[0x3c, 0x00]), [1.0]);
        assert_eq!(read("<f4", &1.5_f32.to_le_bytes()), [1.5]);
        assert_eq!(read(">f4", &(-1.5_f32).to_be_bytes()), [-1.5]);
        assert_eq!(read("<f8", &0.1_f64.to_le_bytes()), [0.1]);
        assert_eq!(read("|u1", &[0, 255]), [0.0, 255.0]);
        assert_eq!(read("|b1", &[1, 0]), [1.0, 0.0]);
        assert_eq!(read("<i2", &(-3_i16).to_le_bytes()), [-3.0]);
        assert_eq!(read(">i8", &(-70_000_i64).to_be_bytes()), [-70_000.0]);
        assert!(read("<f4", &f32::NAN.to_le_bytes())[0].is_nan());
    }

    #[test]
    fn other_kinds_are_unknown() {
        for kind in ["|O", "<U8", "<f16", "f4", "<f3", "|S4", "<c8", "", "<f"] {
            assert_eq!(Element::from_numpy(kind), None, "{kind}");
        }
    }
}
