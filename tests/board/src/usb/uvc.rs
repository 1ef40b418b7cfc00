//! Control transfers of a webcam: what it is, and how board and camera agree on a stream.

use super::descriptors::{self, INTERVAL, STREAMING};
use super::film::Format;
use super::redir::Setup;

/// Its name on the bus, and the name of its node on the board.
pub const PRODUCT: &str = "Watchpost test camera";
/// Header and data of a payload: as much as the kernel's driver asks for at once.
pub(super) const PAYLOAD_BYTES: usize = 16_384;
/// Bytes of the agreement in version 1.0 of the class.
const AGREEMENT_BYTES: u16 = 26;

const TO_DEVICE: u8 = 0x00;
const TO_ENDPOINT: u8 = 0x02;
const FROM_DEVICE: u8 = 0x80;
const CLASS_TO_INTERFACE: u8 = 0x21;
const CLASS_FROM_INTERFACE: u8 = 0xA1;
const CLEAR_FEATURE: u8 = 1;
const GET_DESCRIPTOR: u8 = 6;
const SET_CURRENT: u8 = 0x01;
const GET_CURRENT: u8 = 0x81;
const GET_LEAST: u8 = 0x82;
const GET_MOST: u8 = 0x83;
const GET_LENGTH: u8 = 0x85;
const GET_ABILITIES: u8 = 0x86;
const GET_DEFAULT: u8 = 0x87;
const PROBE: u8 = 1;
const COMMIT: u8 = 2;

/// What a control transfer came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What is read; nothing where something is written.
    Done(Vec<u8>),
    /// The same, and a stream begins or ends, so that the next picture begins at its begin.
    Restarted,
    /// The camera does not know it.
    Refused,
}

/// Answers a control transfer of a camera with one format.
pub(super) fn control(format: Format, setup: Setup, data: &[u8]) -> Outcome {
    let [selector, index] = [(setup.value >> 8) as u8, setup.value as u8];
    let answer = match (setup.request_type, setup.request) {
        (FROM_DEVICE, GET_DESCRIPTOR) => descriptor(format, selector, index),
        // A bulk stream is ended so. Nothing else in this camera can be switched off.
        (TO_ENDPOINT, CLEAR_FEATURE) => return Outcome::Restarted,
        (TO_DEVICE, CLEAR_FEATURE) => Some(Vec::new()),
        // Status of the device, an interface or an endpoint: nothing to tell.
        (0x80..=0x82, 0) => Some(vec![0, 0]),
        (CLASS_TO_INTERFACE, SET_CURRENT) if is_agreement(setup, selector) => {
            // There is one stream, so the answer is the same whatever is wished for.
            if data.len() != usize::from(AGREEMENT_BYTES) {
                return Outcome::Refused;
            }
            if selector == COMMIT {
                return Outcome::Restarted;
            }
            Some(Vec::new())
        }
        (CLASS_FROM_INTERFACE, request) if is_agreement(setup, selector) => match request {
            GET_CURRENT | GET_LEAST | GET_MOST | GET_DEFAULT => Some(agreement(format)),
            GET_LENGTH => Some(AGREEMENT_BYTES.to_le_bytes().to_vec()),
            // It can be read and written.
            GET_ABILITIES => Some(vec![3]),
            _ => None,
        },
        _ => None,
    };
    answer.map_or(Outcome::Refused, |mut bytes| {
        bytes.truncate(usize::from(setup.length));
        Outcome::Done(bytes)
    })
}

fn is_agreement(setup: Setup, selector: u8) -> bool {
    setup.index == u16::from(STREAMING) && matches!(selector, PROBE | COMMIT)
}

fn descriptor(format: Format, kind: u8, index: u8) -> Option<Vec<u8>> {
    match kind {
        1 => Some(descriptors::device()),
        2 if index == 0 => Some(descriptors::configuration(format)),
        3 => descriptors::string(index, PRODUCT),
        _ => None,
    }
}

/// The only stream there is.
fn agreement(format: Format) -> Vec<u8> {
    // No wishes of the camera's; the first format and size.
    let mut bytes = vec![0, 0, 1, 1];
    bytes.extend(INTERVAL.to_le_bytes());
    // Nothing to choose between key frames, rates, quality, window and delay.
    bytes.extend([0; 10]);
    bytes.extend(format.picture_bytes().to_le_bytes());
    bytes.extend((PAYLOAD_BYTES as u32).to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(request_type: u8, request: u8, value: u16, data: &[u8]) -> Outcome {
        let setup = Setup { request_type, request, value, index: 1, length: 255 };
        control(Format::Nv12, setup, data)
    }

    #[test]
    fn board_and_camera_agree_on_the_stream_that_there_is() {
        let Outcome::Done(offer) = ask(0xA1, GET_MOST, 0x0100, &[]) else { unreachable!() };
        assert_eq!(offer.len(), 26);
        assert_eq!(offer[2..8], [1, 1, 0x40, 0x42, 0x0F, 0], "format, size and 100 ms");
        assert_eq!(offer[18..], [0x00, 0xC2, 0x01, 0, 0, 0x40, 0, 0], "115200 bytes in payloads of 16384");
        assert_eq!(ask(0x21, SET_CURRENT, 0x0100, &[0; 26]), Outcome::Done(Vec::new()));
        assert_eq!(ask(0xA1, GET_CURRENT, 0x0100, &[]), Outcome::Done(offer));
        assert_eq!(ask(0x21, SET_CURRENT, 0x0200, &[0; 26]), Outcome::Restarted);
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        assert_eq!(
            ask(0x21, SET_CURRENT, 0x0100, &[0; 34]),
            Outcome::Refused,
            "another version of the class"
        );
        assert_eq!(ask(0xA1, GET_CURRENT, 0x0300, &[]), Outcome::Refused);
        assert_eq!(ask(0x80, GET_DESCRIPTOR, 0x0600, &[]), Outcome::Refused, "no other speed");
        assert_eq!(ask(0x40, 1, 0, &[]), Outcome::Refused);
    }

    #[test]
    fn no_more_is_given_than_is_asked_for() {
        let setup = Setup { request_type: 0x80, request: GET_DESCRIPTOR, value: 0x0200, index: 0, length: 9 };
        let Outcome::Done(bytes) = control(Format::Mjpeg, setup, &[]) else { unreachable!() };
        assert_eq!(bytes.len(), 9);
    }
}
