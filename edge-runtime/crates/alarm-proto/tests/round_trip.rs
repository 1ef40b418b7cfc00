//! What is encoded comes back, and stays within the sizes that the types promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use alarm_proto::{
    Alarm, DecodeError, EncodeError, Fault, Gap, MAX_FRAME_LEN, Message, MessageKind, decode, encode,
};
use proptest::prelude::*;
use support::{frame_of, longest, message};

proptest! {
    #[test]
    fn messages_come_back_as_they_were(message in message()) {
        let frame = frame_of(&message);
        prop_assert_eq!(decode(&frame), Ok(message.clone()));
        prop_assert!(frame.len() <= MessageKind::of(&message).max_frame_len());
    }

    #[test]
    fn frames_are_a_pure_function_of_the_message(message in message(), noise in any::<u8>()) {
        let mut used = [noise; MAX_FRAME_LEN];
        prop_assert_eq!(encode(&message, &mut used).unwrap(), frame_of(&message));
    }

    #[test]
    fn different_messages_have_different_frames(a in message(), b in message()) {
        prop_assert_eq!(a == b, frame_of(&a) == frame_of(&b));
    }

    #[test]
    fn records_keep_their_key(message in message()) {
        let returned = decode(&frame_of(&message)).unwrap();
        prop_assert_eq!(returned.record(), message.record());
        if let Some(id) = message.record() {
            prop_assert_eq!(&alarm_proto::Ack::of(id).record(), id);
            prop_assert_eq!(&id.board, message.board());
        }
    }
}

#[test]
fn the_longest_messages_have_the_stated_lengths() {
    let lengths = longest().map(|message| frame_of(&message).len());
    let stated = MessageKind::ALL.map(MessageKind::max_frame_len);
    // A gap falls short by one byte: its count cannot be as long as both ends of its range.
    assert_eq!(lengths, [stated[0], stated[1], stated[2], stated[3] - 1, stated[4]]);
    assert_eq!(stated.iter().max(), Some(&MAX_FRAME_LEN));
}

fn alarm() -> Alarm {
    let [Message::Alarm(alarm), ..] = longest() else { unreachable!() };
    alarm
}

fn gap() -> Gap {
    let [.., Message::Gap(gap), _] = longest() else { unreachable!() };
    gap
}

#[track_caller]
fn assert_refused(message: &Message, expected: &str) {
    let error = encode(message, &mut [0; MAX_FRAME_LEN]).map(<[u8]>::to_vec);
    assert!(matches!(error, Err(EncodeError::Invalid(_))), "{error:?}");
    let text = error.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(text.contains(expected), "{text:?} does not say {expected:?}");
}

#[test]
fn scores_that_are_not_finite_are_not_sent() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_refused(&Message::Alarm(Alarm { score: value, ..alarm() }), "alarm.score must be finite");
        assert_refused(&Message::Alarm(Alarm { peak: value, ..alarm() }), "alarm.peak must be finite");
        assert_refused(&Message::Alarm(Alarm { threshold: value, ..alarm() }), "alarm.threshold must be");
    }
}

#[test]
fn records_are_numbered_from_one() {
    let mut zero = alarm();
    zero.id.seq = 0;
    assert_refused(&Message::Alarm(zero), "alarm.id.seq must be at least 1");
    let [.., Message::Ack(mut ack), _, _] = longest() else { unreachable!() };
    ack.seq = 0;
    assert_refused(&Message::Ack(ack), "ack.seq must be at least 1");
}

#[test]
fn a_gap_counts_what_its_range_can_hold() {
    let refused = |first_seq, last_seq, dropped, expected| {
        assert_refused(&Message::Gap(Gap { first_seq, last_seq, dropped, ..gap() }), expected);
    };
    refused(0, 5, 1, "gap.first_seq must be at least 1");
    refused(6, 5, 1, "gap.last_seq must be at least gap.first_seq");
    refused(5, 6, 0, "gap.dropped must be 1 to");
    refused(5, 6, 3, "gap.dropped must be 1 to");
    refused(1, u64::MAX, 0, "gap.dropped must be 1 to");
    let all = Message::Gap(Gap { first_seq: 1, last_seq: u64::MAX, dropped: u64::MAX, ..gap() });
    assert_eq!(decode(&frame_of(&all)), Ok(all));
}

#[test]
fn a_fault_is_reported_after_it_began() {
    let [.., Message::Fault(fault)] = longest() else { unreachable!() };
    let early = Fault { began_uptime_ms: 8, uptime_ms: 7, ..fault };
    assert_refused(&Message::Fault(early), "fault.uptime_ms must be at least fault.began_uptime_ms");
}

#[test]
fn errors_say_what_to_do() {
    let mut frame = frame_of(&Message::Alarm(alarm()));
    frame[2] = 2;
    assert_eq!(decode(&frame), Err(DecodeError::Version { found: 2 }));
    let text = DecodeError::Version { found: 2 }.to_string();
    assert_eq!(text, "frame has schema version 2, but only 1 is known: update the older side");
}
