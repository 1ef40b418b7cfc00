//! Bytes from anyone: all refused but the one encoding of a valid message, and nothing panics.

mod support;

use alarm_proto::{DecodeError, MAX_FRAME_LEN, Message, SCHEMA_VERSION, decode};
use proptest::prelude::*;
use support::{forged, frame_of, longest, message, payload_of};

/// A decoder may accept nothing that an encoder would not have written.
fn accepted_only_if_canonical(frame: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(message) = decode(frame) {
        prop_assert_eq!(frame_of(&message), frame);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn random_payloads_in_a_good_frame_do_no_harm(
        kind in 0u8..8, payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        accepted_only_if_canonical(&forged(SCHEMA_VERSION, kind, &payload))?;
    }

    #[test]
    fn damaged_payloads_in_a_good_frame_do_no_harm(
        message in message(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let frame = frame_of(&message);
        let mut payload = payload_of(&frame).to_vec();
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        accepted_only_if_canonical(&forged(SCHEMA_VERSION, frame[3], &payload))?;
    }

    #[test]
    fn every_flipped_bit_is_refused(message in message()) {
        let frame = frame_of(&message);
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let named = match (bit / 8, decode(&damaged)) {
                (0..2, refused) => matches!(refused, Err(DecodeError::Magic { .. })),
                (2, refused) => matches!(refused, Err(DecodeError::Version { .. })),
                (_, refused) => matches!(refused, Err(DecodeError::Crc { .. })),
            };
            prop_assert!(named, "bit {}", bit);
        }
    }

    #[test]
    fn every_burst_of_32_bits_is_refused(message in message(), pattern in 1u32.., at in any::<prop::sample::Index>()) {
        let mut damaged = frame_of(&message);
        let at = at.index(damaged.len() - 3);
        for (byte, flips) in damaged[at..].iter_mut().zip(pattern.to_le_bytes()) {
            *byte ^= flips;
        }
        prop_assert!(decode(&damaged).is_err());
    }

    #[test]
    fn every_truncation_is_refused(message in message()) {
        let frame = frame_of(&message);
        for len in 0..frame.len() {
            prop_assert!(decode(&frame[..len]).is_err(), "length {}", len);
            // With a right CRC too: the payload itself says where it ends.
            if let Some(payload_len) = len.checked_sub(4).filter(|len| *len < frame.len() - 8) {
                let cut = forged(SCHEMA_VERSION, frame[3], &payload_of(&frame)[..payload_len]);
                prop_assert!(decode(&cut).is_err(), "payload of {}", payload_len);
            }
        }
    }

    #[test]
    fn trailing_bytes_are_refused(message in message(), extra in prop::collection::vec(any::<u8>(), 1..40)) {
        let frame = frame_of(&message);
        prop_assert!(decode(&[&frame[..], &extra[..]].concat()).is_err());
        let longer = forged(SCHEMA_VERSION, frame[3], &[payload_of(&frame), &extra[..]].concat());
        let refused = decode(&longer);
        if longer.len() <= MAX_FRAME_LEN {
            prop_assert_eq!(refused, Err(DecodeError::Trailing { extra: extra.len() }));
        } else {
            prop_assert_eq!(refused, Err(DecodeError::Length { len: longer.len() }));
        }
    }

    #[test]
    fn other_versions_and_kinds_are_refused(message in message(), byte in any::<u8>()) {
        let frame = frame_of(&message);
        if byte != SCHEMA_VERSION {
            let other = forged(byte, frame[3], payload_of(&frame));
            prop_assert_eq!(decode(&other), Err(DecodeError::Version { found: byte }));
        }
        if !(1..=5).contains(&byte) {
            let other = forged(SCHEMA_VERSION, byte, payload_of(&frame));
            prop_assert_eq!(decode(&other), Err(DecodeError::Kind { found: byte }));
        }
    }

    #[test]
    fn a_payload_is_not_read_as_another_kind(message in message(), kind in 1u8..=5) {
        let frame = frame_of(&message);
        accepted_only_if_canonical(&forged(SCHEMA_VERSION, kind, payload_of(&frame)))?;
    }
}

/// Payload of an acknowledgement: board "b", boot 1-2, the given bytes as `seq`.
fn ack_with_seq(seq: &[u8]) -> Vec<u8> {
    forged(SCHEMA_VERSION, 3, &[&[1, b'b', 1, 2], seq].concat())
}

#[test]
fn numbers_have_one_encoding() {
    assert!(decode(&ack_with_seq(&[5])).is_ok());
    assert_eq!(decode(&ack_with_seq(&[0x85, 0x00])), Err(DecodeError::NotCanonical));
    assert_eq!(decode(&ack_with_seq(&[0x85, 0x80, 0x00])), Err(DecodeError::NotCanonical));
    let too_long = [&[0xff; 9][..], &[0x7f]].concat();
    assert!(matches!(decode(&ack_with_seq(&too_long)), Err(DecodeError::Payload(_))));
}

#[test]
fn rules_of_fields_hold_on_receipt() {
    assert!(matches!(decode(&ack_with_seq(&[0])), Err(DecodeError::Invalid(_))));
    for (offset, value) in [(0, f32::NAN), (4, f32::INFINITY), (8, f32::NEG_INFINITY)] {
        let frame = frame_of(&longest()[0]);
        let mut payload = payload_of(&frame).to_vec();
        // Three floats and eight bytes of the model end the payload.
        let at = payload.len() - 20 + offset;
        payload[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let refused = decode(&forged(SCHEMA_VERSION, 1, &payload));
        assert!(matches!(refused, Err(DecodeError::Invalid(_))), "{refused:?}");
    }
}

#[test]
fn names_hold_their_rules_on_receipt() {
    let ack_for = |board: &[u8]| {
        let payload = [&[board.len() as u8][..], board, &[1, 2, 3]].concat();
        decode(&forged(SCHEMA_VERSION, 3, &payload))
    };
    assert!(ack_for(b"north-gate").is_ok());
    for board in [&b""[..], b"a/b", b"+", b"#", b"UPPER", b"\xff\xfe", b"nul\0", &[b'a'; 33]] {
        assert!(matches!(ack_for(board), Err(DecodeError::Payload(_))), "{board:?}");
    }
}

#[test]
fn a_length_field_cannot_reach_beyond_the_frame() {
    for length in [2, 32, 127] {
        let payload = [length, b'b', 1, 2, 3];
        assert!(decode(&forged(SCHEMA_VERSION, 3, &payload)).is_err(), "{length}");
    }
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f, b'b', 1, 2, 3];
    assert!(decode(&forged(SCHEMA_VERSION, 3, &huge)).is_err());
}

#[test]
fn frames_over_the_limit_are_refused_unread() {
    let long = vec![b'W'; 1 << 20];
    assert_eq!(decode(&long), Err(DecodeError::Length { len: 1 << 20 }));
    let message: Message = longest()[0].clone();
    assert_eq!(frame_of(&message).len(), MAX_FRAME_LEN);
}
