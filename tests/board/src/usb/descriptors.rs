//! What a webcam says of itself: USB Video Class 1.0 with one format in one size, streamed through a bulk endpoint.

use super::film::{Format, RATE_HZ};
use super::redir::Device;
use crate::vivid::{HEIGHT_PX, WIDTH_PX};

/// The endpoint that pictures come from, towards the board.
pub(super) const ENDPOINT: u8 = 0x81;
/// The interface that it belongs to.
pub(super) const STREAMING: u8 = 1;
/// Longest packet of a bulk endpoint at high speed.
const PACKET_BYTES: u16 = 512;
/// Time between two pictures, in 100 ns.
pub(super) const INTERVAL: u32 = 10_000_000 / RATE_HZ;

const VIDEO: u8 = 0x0E;
const CONTROL_PART: u8 = 1;
const STREAMING_PART: u8 = 2;
/// A descriptor of the class, of an interface.
const CLASS_SPECIFIC: u8 = 0x24;
const VENDOR: u16 = 0x1D6B;
const PRODUCT: u16 = 0x0102;
const VERSION: u16 = 0x0100;
/// Of several interfaces that belong together.
const CLASS: [u8; 3] = [0xEF, 2, 1];
const CAMERA_TERMINAL: u8 = 1;
const OUTPUT_TERMINAL: u8 = 2;

/// What the emulator is told.
pub(super) const DEVICE: Device = Device {
    class: CLASS,
    vendor: VENDOR,
    product: PRODUCT,
    version: VERSION,
    interfaces: [[VIDEO, CONTROL_PART, 0], [VIDEO, STREAMING_PART, 0]],
    endpoint: ENDPOINT,
    endpoint_interface: STREAMING,
    packet_bytes: PACKET_BYTES,
};

/// The device's own descriptor. Its string 1 is its name.
pub(super) fn device() -> Vec<u8> {
    let mut bytes = vec![18, 1, 0x00, 0x02];
    bytes.extend(CLASS);
    bytes.push(64);
    for number in [VENDOR, PRODUCT, VERSION] {
        bytes.extend(number.to_le_bytes());
    }
    // No maker, the name, no serial number; one configuration.
    bytes.extend([0, 1, 0, 1]);
    bytes
}

/// Its only configuration, with all that is below it.
pub(super) fn configuration(format: Format) -> Vec<u8> {
    let parts = [
        // The two interfaces are one function.
        vec![8, 0x0B, 0, 2, VIDEO, 3, 0, 1],
        vec![9, 4, 0, 0, 0, VIDEO, CONTROL_PART, 0, 1],
        control(),
        vec![9, 4, STREAMING, 0, 1, VIDEO, STREAMING_PART, 0, 0],
        streaming(format),
        endpoint(),
    ]
    .concat();
    let mut bytes = vec![9, 2];
    bytes.extend((9 + parts.len() as u16).to_le_bytes());
    // Two interfaces; configuration 1, without a name; powered by the bus, half an ampere.
    bytes.extend([2, 1, 0, 0x80, 250]);
    bytes.extend(parts);
    bytes
}

/// A string: 0 names the language, 1 is the text.
pub(super) fn string(index: u8, text: &str) -> Option<Vec<u8>> {
    let units: Vec<u16> = match index {
        0 => vec![0x0409],
        1 => text.encode_utf16().collect(),
        _ => return None,
    };
    let mut bytes = vec![u8::try_from(2 + 2 * units.len()).ok()?, 3];
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    Some(bytes)
}

/// From the lens to the bus, with nothing to be set.
fn control() -> Vec<u8> {
    let lens = [18, CLASS_SPECIFIC, 2, CAMERA_TERMINAL, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0];
    let bus = [9, CLASS_SPECIFIC, 3, OUTPUT_TERMINAL, 0x01, 0x01, 0, CAMERA_TERMINAL, 0];
    let total = 13 + lens.len() as u16 + bus.len() as u16;
    let mut bytes = vec![13, CLASS_SPECIFIC, 1, 0x00, 0x01];
    bytes.extend(total.to_le_bytes());
    // A clock of 48 MHz, which nothing is timed by; one interface streams.
    bytes.extend(48_000_000_u32.to_le_bytes());
    bytes.extend([1, STREAMING]);
    bytes.extend(lens);
    bytes.extend(bus);
    bytes
}

fn streaming(format: Format) -> Vec<u8> {
    let parts = [format_of(format), frame(format), vec![6, CLASS_SPECIFIC, 0x0D, 1, 1, 4]].concat();
    let mut bytes = vec![14, CLASS_SPECIFIC, 1, 1];
    bytes.extend((14 + parts.len() as u16).to_le_bytes());
    bytes.extend([ENDPOINT, 0, OUTPUT_TERMINAL, 0, 0, 0, 1, 0]);
    bytes.extend(parts);
    bytes
}

fn format_of(format: Format) -> Vec<u8> {
    let code = match format {
        Format::Mjpeg => return vec![11, CLASS_SPECIFIC, 6, 1, 1, 0, 1, 0, 0, 0, 0],
        Format::Yuyv => b"YUY2",
        Format::Uyvy => b"UYVY",
        Format::Nv12 => b"NV12",
        Format::Grey => b"Y800",
    };
    let mut bytes = vec![27, CLASS_SPECIFIC, 4, 1, 1];
    bytes.extend(code);
    bytes.extend([0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71]);
    bytes.extend([format.bits_per_pixel(), 1, 0, 0, 0, 0]);
    bytes
}

fn frame(format: Format) -> Vec<u8> {
    let kind = if format == Format::Mjpeg { 7 } else { 5 };
    let mut bytes = vec![30, CLASS_SPECIFIC, kind, 1, 0];
    bytes.extend((WIDTH_PX as u16).to_le_bytes());
    bytes.extend((HEIGHT_PX as u16).to_le_bytes());
    let bits_per_s = format.picture_bytes() * 8 * RATE_HZ;
    for number in [bits_per_s, bits_per_s, format.picture_bytes(), INTERVAL] {
        bytes.extend(number.to_le_bytes());
    }
    // One rate.
    bytes.push(1);
    bytes.extend(INTERVAL.to_le_bytes());
    bytes
}

fn endpoint() -> Vec<u8> {
    let mut bytes = vec![7, 5, ENDPOINT, 2];
    bytes.extend(PACKET_BYTES.to_le_bytes());
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_descriptors_are_those_of_the_bytes() {
        assert_eq!(device().len(), 18);
        for format in [Format::Yuyv, Format::Nv12, Format::Grey, Format::Mjpeg, Format::Uyvy] {
            let bytes = configuration(format);
            let total = |at: usize| usize::from(bytes[at]) | usize::from(bytes[at + 1]) << 8;
            assert_eq!(total(2), bytes.len(), "{format:?}");
            let mut at = 0;
            let mut kinds = Vec::new();
            while at < bytes.len() {
                kinds.push((bytes[at + 1], at));
                at += usize::from(bytes[at]);
            }
            assert_eq!(at, bytes.len(), "{format:?}");
            // Headers of the class count what follows them up to the next descriptor of another kind.
            let headers = kinds.windows(2).filter(|pair| pair[0].0 == 4 && pair[1].0 == CLASS_SPECIFIC);
            for (header, field) in headers.map(|pair| pair[1].1).zip([5, 4]) {
                let after = kinds.iter().find(|(kind, at)| *kind != CLASS_SPECIFIC && *at > header);
                assert_eq!(after.map(|(_, at)| at - header), Some(total(header + field)), "{format:?}");
            }
        }
    }

    #[test]
    fn a_string_is_named_and_none_is_made_up() {
        assert_eq!(string(1, "Ab"), Some(vec![6, 3, b'A', 0, b'b', 0]));
        assert_eq!(string(0, "Ab"), Some(vec![4, 3, 9, 4]));
        assert_eq!(string(2, "Ab"), None);
    }
}
