//! The reference page `docs/reference/mqtt.md` against the source: its examples are what a board tells.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;

use alarm_proto::{Alarm, BoardId, BootId, CameraId, EventKind, RecordId, Severity, SiteId};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use watchpostd::clock::ManualClock;
use watchpostd::command::{Clerk, Secret, Trust};
use watchpostd::health::Health;
use watchpostd::orders::Orders;
use watchpostd::standing::OngoingEvent;
use watchpostd::told::{CommandsTold, Reviews, StateTold};

const PAGE: &str = include_str!("../../docs/reference/mqtt.md");
const BOOT: BootId = BootId { counter: 7, random: 0x1234_5678 };

fn example(name: &str) -> Value {
    let fence = format!("```json,{name}\n");
    let text = PAGE.split(&fence).nth(1).unwrap().split("```").next().unwrap();
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Paths of all keys.
fn keys(value: &Value) -> BTreeSet<String> {
    let Value::Object(map) = value else {
        return BTreeSet::new();
    };
    let below =
        map.iter().flat_map(|(key, value)| keys(value).into_iter().map(move |k| format!("{key}.{k}")));
    below.chain(map.keys().cloned()).collect()
}

#[test]
fn the_state_has_the_keys_of_the_page() {
    let health = Health::default();
    let camera = health.add_camera(CameraId::try_from("north").unwrap());
    camera.stand(|standing| standing.event = Some(OngoingEvent { number: 3, peak: 0.875 }));
    let (site, board) = (SiteId::try_from("yard").unwrap(), BoardId::try_from("gate-2").unwrap());
    let model = [0xDE, 0xAD, 0xBE, 0xEF, 0, 1, 2, 3];
    let state = StateTold::of(
        (&site, &board, model),
        BOOT,
        &health,
        Some(CommandsTold { trust: "key", hold_until: "restart" }),
        2,
        86_400_000,
    );
    let (told, page) = (serde_json::to_value(&state).unwrap(), example("state"));
    assert_eq!(keys(&told), keys(&page));
    for key in ["site", "board", "model", "boot", "uptime_s", "degraded", "outbox_depth"] {
        assert_eq!(told[key], page[key], "{key}");
    }
}

#[test]
fn an_update_is_the_one_of_the_page() {
    let mut reviews = Reviews::new(SiteId::try_from("yard").unwrap(), BOOT, false);
    let mut alarm = Alarm {
        id: RecordId { board: BoardId::try_from("gate-2").unwrap(), boot: BOOT, seq: 42 },
        camera: CameraId::try_from("north").unwrap(),
        kind: EventKind::Raised,
        event: 3,
        severity: Severity::Warning,
        wall_clock_ms: Some(1_767_225_600_000),
        uptime_ms: 0,
        onset_media_ms: 12_800,
        media_ms: 14_300,
        score: 0.6,
        peak: 0.65,
        threshold: 0.5,
        model: [0xDE, 0xAD, 0xBE, 0xEF, 0, 1, 2, 3],
    };
    reviews.follow(&alarm).unwrap();
    alarm.id.seq = 43;
    alarm.kind = EventKind::Updated;
    alarm.severity = Severity::Critical;
    (alarm.score, alarm.peak) = (0.75, 0.875);
    let message = reviews.follow(&alarm).unwrap();
    assert_eq!(serde_json::to_value(&message).unwrap(), example("review"));
}

#[test]
fn the_commands_of_the_page_are_understood_and_answered() {
    let page = example("command");
    let orders = Arc::new(Orders::new(&[CameraId::try_from("north").unwrap()]));
    let key = b"0123456789abcdef0123456789abcdef";
    let folder = tempfile::tempdir().unwrap();
    let mut clerk = Clerk::new(
        "yard/gate-2".to_owned(),
        Trust::Key(Secret::new(key).unwrap()),
        folder.path().join("counter"),
        Arc::clone(&orders),
        Arc::new(ManualClock::default()),
    );
    let body = page.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(body.as_bytes());
    let code: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let payload = format!("{code} {body}");
    assert!(clerk.answer(payload.as_bytes()).unwrap().reply.ok);
    assert!(orders.of(&CameraId::try_from("north").unwrap()).is_snoozed(599_999));
    let again = clerk.answer(payload.as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&again.reply).unwrap(), example("reply"));
}
