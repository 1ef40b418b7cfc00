//! The board in JSON: what stays as it is, and what changes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::routes::Shared;
use crate::told::StateTold;
use crate::view::Area;

/// What a browser asks for once.
#[derive(Serialize)]
struct Board<'a> {
    site: &'a str,
    board: &'a str,
    version: &'static str,
    /// Name and version of the model.
    model: &'a str,
    /// Whether the model can tell where it looks.
    heat: bool,
    /// Whether pictures and videos of events are kept.
    evidence: bool,
    /// Whether commands are taken.
    commands: bool,
    cameras: Vec<CameraShown<'a>>,
}

#[derive(Serialize)]
struct CameraShown<'a> {
    id: &'a str,
    masks: Vec<Outline<'a>>,
    zones: Vec<Outline<'a>>,
}

/// Corners, 0 to 1 from the left and from the top.
#[derive(Serialize)]
struct Outline<'a> {
    name: &'a str,
    points: &'a [[f64; 2]],
}

fn outlines(areas: &[Area]) -> Vec<Outline<'_>> {
    areas.iter().map(|area| Outline { name: &area.name, points: area.shape.points() }).collect()
}

/// `GET /api/board`
pub(super) async fn board(State(shared): State<Arc<Shared>>) -> Response {
    let cameras = shared.screens.iter().map(|screen| CameraShown {
        id: screen.camera.as_str(),
        masks: outlines(&screen.view.masks),
        zones: outlines(&screen.view.zones),
    });
    let board = Board {
        site: shared.about.site.as_str(),
        board: shared.about.board.as_str(),
        version: env!("CARGO_PKG_VERSION"),
        model: &shared.about.model,
        heat: shared.screens.iter().any(|screen| screen.gaze.is_some()),
        evidence: shared.evidence.is_some(),
        commands: shared.clerk.is_some(),
        cameras: cameras.collect(),
    };
    Json(board).into_response()
}

/// What a browser asks for again and again.
#[derive(Serialize)]
struct Now {
    #[serde(flatten)]
    told: StateTold,
    /// Whether the hub's broker is reached; absent on a board that works alone.
    connected: Option<bool>,
    now_ms: u64,
}

/// `GET /api/state`: as it is told over MQTT, and a little more.
pub(super) async fn state(State(shared): State<Arc<Shared>>) -> Response {
    let now_ms = shared.clock.monotonic_ms();
    let about = &shared.about;
    let who = (&about.site, &about.board, about.short_id);
    let told = StateTold::of(who, about.boot, &shared.health, None, shared.desk.depth(), now_ms);
    Json(Now { told, connected: shared.connected(), now_ms }).into_response()
}
