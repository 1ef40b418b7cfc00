//! `GET /metrics` for Prometheus, in the text format of OpenMetrics. Names and units follow its conventions: seconds, bytes, `_total`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::process;
use super::routes::Shared;
use super::screen::Screen;
use crate::health::{CameraHealth, CameraState, lock};
use crate::link::LinkStats;
use crate::picture::PictureFault;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCamera {
    camera: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFault {
    camera: String,
    fault: String,
}

type Float = Gauge<f64, AtomicU64>;

pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let mut text = String::new();
    match write(&mut text, &shared) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn write(text: &mut String, shared: &Shared) -> std::fmt::Result {
    let mut registry = Registry::default();
    process::register(&mut registry);
    let board = registry.sub_registry_with_prefix("watchpost");
    let about = &shared.about;
    let info = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("site", about.site.to_string()),
        ("board", about.board.to_string()),
        ("model", about.model.clone()),
    ];
    board.register("board", "The board and what it runs", Info::new(info.to_vec()));
    gauge(board, "degraded", "Things that are wrong with the board", shared.health.degraded().len() as u64);
    gauge(board, "outbox_records", "Records that wait for the hub's acknowledgement", shared.desk.depth());
    cameras(board, &shared.health.cameras(), shared.clock.monotonic_ms());
    events(board, &shared.screens);
    shared.link.iter().for_each(|link| of_link(board, link));
    encode(text, &registry)
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
}

fn cameras(registry: &mut Registry, cameras: &[Arc<CameraHealth>], now_ms: u64) {
    let (up, armed, event): (Family<_, Gauge>, Family<_, Gauge>, Family<_, Gauge>) = Default::default();
    let (score, raise): (Family<_, Float>, Family<_, Float>) = Default::default();
    let (frame_age, score_age): (Family<_, Float>, Family<_, Float>) = Default::default();
    let (frames, missed, clips): (Family<_, Counter>, Family<_, Counter>, Family<_, Counter>) =
        Default::default();
    let faults: Family<OfFault, Gauge> = Family::default();
    for camera in cameras {
        let of = OfCamera { camera: camera.id.to_string() };
        let (standing, ages) = (camera.standing(), camera.ages_ms(now_ms));
        up.get_or_create(&of).set((camera.state() == CameraState::Live).into());
        armed.get_or_create(&of).set(standing.hindrances.is_some_and(|h| h.is_armed()).into());
        event.get_or_create(&of).set(standing.event.is_some().into());
        frames.get_or_create(&of).inc_by(camera.frames());
        missed.get_or_create(&of).inc_by(camera.missed());
        clips.get_or_create(&of).inc_by(camera.clips());
        let seconds = |ms: Option<u64>| ms.map(|ms| ms as f64 / 1_000.0);
        // What is not known yet has no value rather than a wrong one.
        let values = [
            (&frame_age, seconds(ages.frame)),
            (&score_age, seconds(ages.score)),
            (&score, standing.score.map(f64::from)),
            (&raise, standing.thresholds.map(|pair| pair.raise.into())),
        ];
        for (family, value) in values {
            if let Some(value) = value {
                family.get_or_create(&of).set(value);
            }
        }
        for fault in PictureFault::ALL {
            let of = OfFault { camera: camera.id.to_string(), fault: fault.to_string() };
            faults.get_or_create(&of).set((camera.picture_fault() == Some(fault)).into());
        }
    }
    registry.register("camera_up", "Whether pictures come", up);
    registry.register("camera_armed", "Whether it may alarm", armed);
    registry.register("camera_event_active", "Whether an event goes on", event);
    registry.register("camera_picture_fault", "Whether this is wrong with the picture", faults);
    registry.register("camera_frames", "Pictures taken", frames);
    registry.register("camera_missed_frames", "Pictures left out because the board was too slow", missed);
    registry.register("camera_clips", "Clips scored", clips);
    registry.register("camera_score_ratio", "Latest smoothed score, 0 to 1", score);
    registry.register("camera_raise_threshold_ratio", "Score from which on it alarms, 0 to 1", raise);
    registry.register_with_unit(
        "camera_frame_age",
        "Time since the latest picture",
        Unit::Seconds,
        frame_age,
    );
    registry.register_with_unit("camera_score_age", "Time since the latest score", Unit::Seconds, score_age);
}

fn events(registry: &mut Registry, screens: &[Arc<Screen>]) {
    let raised: Family<OfCamera, Counter> = Family::default();
    for screen in screens {
        let of = OfCamera { camera: screen.camera.to_string() };
        raised.get_or_create(&of).inc_by(lock(&screen.journal).raised());
    }
    registry.register("camera_events", "Events announced", raised);
}

fn of_link(registry: &mut Registry, link: &LinkStats) {
    gauge(registry, "hub_connected", "Whether the hub's broker is reached", link.is_connected().into());
    let counters = [
        ("hub_connections", "Connections that came up", link.connections()),
        ("hub_published_records", "Records sent, repetitions included", link.published()),
        ("hub_delivered_records", "Records that the hub acknowledged", link.delivered()),
    ];
    for (name, help, value) in counters {
        registry.register(name, help, ConstCounter::new(value));
    }
}
