//! Pictures and scores as they come.

use std::sync::Arc;
use std::time::Duration;

use alarm_proto::CameraId;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::routes::Shared;
use super::screen::{NO_PICTURE, PATIENCE_MS, SLICE_MS, Screen};
use crate::health::lock;

/// Widest and highest picture that is shown, pixels.
const MAX_SIDE_PX: u32 = 960;

/// How a picture is to be.
#[derive(Debug, Deserialize)]
pub(super) struct How {
    /// With where the model looked.
    #[serde(default)]
    heat: bool,
}

/// From where on scores are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    #[serde(default)]
    from: u64,
}

/// `GET /api/cameras/<camera>/live.jpg`
pub(super) async fn live(
    State(shared): State<Arc<Shared>>,
    Path(camera): Path<String>,
    Query(how): Query<How>,
) -> Response {
    let Some(screen) = find(&shared, &camera) else { return unknown() };
    let none = (StatusCode::SERVICE_UNAVAILABLE, NO_PICTURE).into_response();
    if !await_sight(&shared, &screen, how.heat).await {
        return none;
    }
    // Taken when there is a place to draw it: requests that wait hold no pictures.
    let drawn = shared.work(move |shared| {
        let sight = screen.live.sight(shared.clock.monotonic_ms())?;
        Some(sight.jpeg(screen.gaze.as_ref().filter(|_| how.heat), MAX_SIDE_PX))
    });
    match drawn.await {
        Some(Some(Ok(jpeg))) => ([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response(),
        Some(None) => none,
        Some(Some(Err(_))) | None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether there is a picture to show.
async fn await_sight(shared: &Shared, screen: &Screen, heat: bool) -> bool {
    let until_ms = shared.clock.monotonic_ms() + PATIENCE_MS;
    loop {
        let now_ms = shared.clock.monotonic_ms();
        screen.live.want(heat, now_ms);
        let is_there = screen.live.sight(now_ms).is_some();
        if is_there || now_ms >= until_ms {
            return is_there;
        }
        tokio::time::sleep(Duration::from_millis(SLICE_MS)).await;
    }
}

/// `GET /api/cameras/<camera>/scores`
pub(super) async fn scores(
    State(shared): State<Arc<Shared>>,
    Path(camera): Path<String>,
    Query(From { from }): Query<From>,
) -> Response {
    let Some(screen) = find(&shared, &camera) else { return unknown() };
    let part = lock(&screen.trace).since(from);
    Json(part).into_response()
}

fn find(shared: &Shared, camera: &str) -> Option<Arc<Screen>> {
    let camera = CameraId::try_from(camera).ok()?;
    shared.screens.iter().find(|screen| screen.camera == camera).cloned()
}

fn unknown() -> Response {
    (StatusCode::NOT_FOUND, "no such camera\n").into_response()
}
