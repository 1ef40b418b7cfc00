//! Commands, good and hostile.

use super::*;
use crate::clock::ManualClock;
use alarm_proto::CameraId;
use hmac::{Hmac, Mac};
use proptest::prelude::*;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A valid time.
const NOW_MS: u64 = crate::clock::EARLIEST_VALID_WALL_MS + 86_400_000;

fn camera(name: &str) -> CameraId {
    CameraId::try_from(name).unwrap()
}

struct Office {
    clerk: Clerk,
    orders: Arc<Orders>,
    clock: Arc<ManualClock>,
}

impl Office {
    fn new(trust: Trust, counter_file: &Path) -> Self {
        let orders = Arc::new(Orders::new(&[camera("north"), camera("south")]));
        let clock = Arc::new(ManualClock::default());
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let clerk =
            Clerk::new("yard/gate-1".to_owned(), trust, counter_file.to_owned(), Arc::clone(&orders), time);
        Self { clerk, orders, clock }
    }

    fn says(&mut self, payload: &str) -> Result<(), String> {
        self.clock.advance_ms(1_000);
        let Answer { reply, .. } = self.clerk.answer(payload.as_bytes()).unwrap();
        assert_eq!(reply.ok, reply.error.is_none());
        reply.error.map_or(Ok(()), Err)
    }
}

#[test]
fn a_picture_is_taken_of_one_camera_and_comes_with_the_answer() {
    let mut office = with_broker();
    let asked = br#"{"command":"snapshot","camera":"north"}"#;
    let refused = office.clerk.answer(asked).unwrap();
    assert_eq!((refused.reply.ok, refused.picture), (false, None), "nothing takes pictures yet");
    office.orders.on_snapshot(Arc::new(|camera| match camera.as_str() {
        "north" => Ok(vec![1, 2, 3]),
        _ => Err("the camera gives no picture now".to_owned()),
    }));
    let answer = office.clerk.answer(asked).unwrap();
    assert_eq!((answer.reply.ok, answer.picture), (true, Some((camera("north"), vec![1, 2, 3]))));
    let many = office.says(r#"{"command":"snapshot","camera":"north"}"#).unwrap_err();
    assert!(many.contains("too many pictures"), "{many}");
    office.clock.advance_ms(5_000);
    let none = office.says(r#"{"command":"snapshot","camera":"south"}"#).unwrap_err();
    assert!(none.contains("no picture now"), "{none}");
    assert!(office.says(r#"{"command":"snapshot"}"#).unwrap_err().contains("needs `camera`"));
}

fn with_broker() -> Office {
    Office::new(Trust::Broker, Path::new("/nowhere/counter"))
}

fn with_key(folder: &Path) -> Office {
    Office::new(Trust::Key(Secret::new(KEY).unwrap()), &folder.join("counter"))
}

fn signed_with(key: &[u8], body: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(body.as_bytes());
    let code: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{code} {body}")
}

fn signed(counter: u64, rest: &str) -> String {
    signed_until(NOW_MS, counter, rest)
}

fn signed_until(valid_until_ms: u64, counter: u64, rest: &str) -> String {
    let head = format!("\"board\":\"yard/gate-1\",\"counter\":{counter},\"valid_until_ms\":{valid_until_ms}");
    signed_with(KEY, &format!("{{{head},{rest}}}"))
}

#[test]
fn each_command_does_its_thing() {
    let mut office = with_broker();
    let seen = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&seen);
    office.orders.on_acknowledge(Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    }));
    office.says(r#"{"command":"disarm","camera":"north"}"#).unwrap();
    assert!(
        office.orders.of(&camera("north")).is_disarmed && !office.orders.of(&camera("south")).is_disarmed
    );
    office.says(r#"{"command":"snooze","for_s":60}"#).unwrap();
    let now_ms = office.clock.monotonic_ms();
    let south = office.orders.of(&camera("south"));
    assert!(south.is_snoozed(now_ms + 59_999) && !south.is_snoozed(now_ms + 60_000));
    office.says(r#"{"command":"arm"}"#).unwrap();
    assert_eq!(office.orders.of(&camera("north")), crate::orders::Order::default());
    office.says(r#"{"command":"threshold","camera":"south","value":0.9}"#).unwrap();
    assert_eq!(office.orders.of(&camera("south")).raise_threshold, Some(0.9));
    office.says(r#"{"command":"threshold"}"#).unwrap();
    assert_eq!(office.orders.of(&camera("south")).raise_threshold, None);
    office.says(r#"{"command":"acknowledge","id":"7"}"#).unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[test]
fn wrong_commands_are_refused_in_words_and_do_nothing() {
    let cases = [
        ("", "not understood"),
        ("[]", "not understood"),
        ("{}", "missing field `command`"),
        (r#"{"command":"reboot"}"#, "unknown variant `reboot`"),
        (r#"{"command":"arm","extra":1}"#, "unknown field `extra`"),
        (r#"{"command":"arm","command":"disarm"}"#, "duplicate field"),
        (r#"{"command":"disarm","camera":"west"}"#, "no camera `west`; there are north, south"),
        (r#"{"command":"disarm","camera":"../north"}"#, "`camera`"),
        (r#"{"command":"disarm","for_s":5}"#, "belongs to snooze"),
        (r#"{"command":"snooze"}"#, "1 to 86400"),
        (r#"{"command":"snooze","for_s":0}"#, "1 to 86400"),
        (r#"{"command":"snooze","for_s":86401}"#, "1 to 86400"),
        (r#"{"command":"snooze","for_s":-1}"#, "not understood"),
        (r#"{"command":"threshold","value":1.5}"#, "outside 0 to 1"),
        (r#"{"command":"threshold","value":1e999}"#, "not understood"),
        (r#"{"command":"arm","value":0.5}"#, "belongs to threshold"),
        (r#"{"command":"acknowledge","camera":"north"}"#, "for all outputs"),
        (r#"{"command":"disarm","counter":1}"#, "belong to commands with a key"),
        (r#"{"command":"disarm","valid_until_ms":1}"#, "belong to commands with a key"),
        (r#"{"command":"acknowledge"}"#, "not ready"),
    ];
    for (payload, says) in cases {
        let mut office = with_broker();
        let error = office.says(payload).unwrap_err();
        assert!(error.contains(says), "{payload}: {error}");
        assert_eq!(office.orders.of(&camera("north")), crate::orders::Order::default());
    }
    let long = format!(r#"{{"command":"arm","id":"{}"}}"#, "x".repeat(2_000));
    assert!(with_broker().says(&long).unwrap_err().contains("1024"));
}

#[test]
fn a_command_with_a_key_is_done_once_and_after_a_restart_neither() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = with_key(folder.path());
    let first = signed(5, r#""command":"disarm""#);
    office.says(&first).unwrap();
    office.says(&signed(6, r#""command":"arm""#)).unwrap();
    assert!(office.says(&first).unwrap_err().contains("5 is not above 6"));
    assert!(!office.orders.of(&camera("north")).is_disarmed);
    let mut after_restart = with_key(folder.path());
    for again in [&first, &signed(6, r#""command":"disarm""#)] {
        assert!(after_restart.says(again).unwrap_err().contains("is not above 6"));
    }
    assert!(!after_restart.orders.of(&camera("north")).is_disarmed);
    after_restart.says(&signed(7, r#""command":"disarm""#)).unwrap();
}

#[test]
fn a_command_that_was_held_back_is_not_done_where_the_time_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = with_key(folder.path());
    office.clock.set_wall_ms(NOW_MS);
    let held_back = signed_until(NOW_MS - 1, 1, r#""command":"disarm""#);
    assert!(office.says(&held_back).unwrap_err().contains("is over"));
    let for_ever = signed_until(NOW_MS + MAX_VALIDITY_MS + 1, 1, r#""command":"disarm""#);
    assert!(office.says(&for_ever).unwrap_err().contains("more than an hour ahead"));
    assert!(!office.orders.of(&camera("north")).is_disarmed);
    office.says(&signed_until(NOW_MS + MAX_VALIDITY_MS, 1, r#""command":"disarm""#)).unwrap();
    office.says(&signed_until(NOW_MS, 2, r#""command":"arm""#)).unwrap();
    // Without a valid clock the counter alone decides.
    office.clock.set_wall_ms(0);
    office.says(&signed_until(1, 3, r#""command":"disarm""#)).unwrap();
}

/// `printf %s "$body" | openssl dgst -sha256 -hmac "$key"`
#[test]
fn the_code_is_what_other_programs_compute() {
    let body = r#"{"board":"yard/gate-1","counter":1,"valid_until_ms":1767225600000,"command":"disarm"}"#;
    let folder = tempfile::tempdir().unwrap();
    with_key(folder.path())
        .says(&format!("bef3e9547ea014c25817ea56267213251d322abc954369691be463c0e698934f {body}"))
        .unwrap();
}

#[test]
fn forged_and_foreign_commands_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = with_key(folder.path());
    let good = signed(1, r#""command":"disarm""#);
    let other_board = signed_with(KEY, r#"{"board":"yard/gate-2","counter":1,"command":"disarm"}"#);
    let no_board = signed_with(KEY, r#"{"counter":1,"command":"disarm"}"#);
    let no_counter = signed_with(KEY, r#"{"board":"yard/gate-1","command":"disarm"}"#);
    let no_end = signed_with(KEY, r#"{"board":"yard/gate-1","counter":1,"command":"disarm"}"#);
    let cases = [
        (r#"{"command":"disarm"}"#.to_owned(), "does not fit"),
        (signed_with(&[7; 32], &good[65..]), "does not fit"),
        (good.replace("disarm", "arm"), "does not fit"),
        (good.replacen(' ', "  ", 1), "does not fit"),
        (good[1..].to_owned(), "does not fit"),
        (other_board, "`board` must be"),
        (no_board, "`board` must be"),
        (no_counter, "`counter` is missing"),
        (no_end, "`valid_until_ms` is missing"),
    ];
    for (payload, says) in cases {
        let error = office.says(&payload).unwrap_err();
        assert!(error.contains(says), "{payload}: {error}");
    }
    assert!(!office.orders.of(&camera("north")).is_disarmed);
    office.says(&good).unwrap();
}

#[test]
fn a_counter_that_cannot_be_read_or_stored_stops_commands() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("counter"), "twelve").unwrap();
    let error = with_key(folder.path()).says(&signed(13, r#""command":"disarm""#)).unwrap_err();
    assert!(error.contains("cannot be read") && error.contains("last one used"), "{error}");
    let mut homeless = with_key(&folder.path().join("missing"));
    let error = homeless.says(&signed(1, r#""command":"disarm""#)).unwrap_err();
    assert!(error.contains("cannot be stored"), "{error}");
    assert!(!homeless.orders.of(&camera("north")).is_disarmed);
}

#[test]
fn a_flood_of_forgeries_takes_nothing_from_who_has_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = with_key(folder.path());
    let answers = (0..1_000).filter(|_| office.clerk.answer(b"forged").is_some()).count();
    assert_eq!(answers, 10);
    let done = (1..=20).filter(|n| {
        office
            .clerk
            .answer(signed(*n, r#""command":"disarm""#).as_bytes())
            .is_some_and(|answer| answer.reply.ok)
    });
    assert_eq!(done.count(), 10, "ten at once");
    office.says(&signed(21, r#""command":"arm""#)).unwrap();
}

#[test]
fn keys_are_long_and_hidden() {
    assert!(Secret::new(&KEY[1..]).is_none());
    assert!(!format!("{:?}", Trust::Key(Secret::new(KEY).unwrap())).contains("01234"));
}

proptest! {
    #[test]
    fn no_payload_does_harm(payload in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let folder = tempfile::tempdir().unwrap();
        for mut office in [with_broker(), with_key(folder.path())] {
            let Answer { reply, .. } = office.clerk.answer(&payload).unwrap();
            prop_assert!(!reply.ok);
            prop_assert!(serde_json::to_vec(&reply).unwrap().len() < 4_096);
        }
    }

    #[test]
    fn one_wrong_byte_is_one_too_many(at in 0_usize..100, flip in 1_u8..=255) {
        let folder = tempfile::tempdir().unwrap();
        let mut payload = signed(1, r#""command":"disarm","camera":"north""#).into_bytes();
        let at = at % payload.len();
        // The case of a digit of the code means nothing.
        prop_assume!(!(at < 64 && payload[at].eq_ignore_ascii_case(&(payload[at] ^ flip))));
        payload[at] ^= flip;
        let mut office = with_key(folder.path());
        prop_assert!(!office.clerk.answer(&payload).unwrap().reply.ok);
        prop_assert!(!office.orders.of(&camera("north")).is_disarmed);
    }
}
