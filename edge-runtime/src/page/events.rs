//! Events for a list, and their files.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alarm_proto::CameraId;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;
use tower_http::services::ServeFile;

use super::routes::Shared;
use crate::evidence::{EventName, Listing, Part, Sheet};
use crate::health::lock;

/// Events of one answer.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct EventLine {
    /// `<camera>/<boot>-<seq>`, unique for ever on this board.
    pub id: String,
    pub camera: String,
    /// Its number on its camera.
    pub number: u32,
    /// `warning` or `critical`.
    pub severity: String,
    /// Unix milliseconds; absent while the board did not know the time.
    pub wall_clock_ms: Option<u64>,
    /// Greatest smoothed score, 0 to 1.
    pub peak: f32,
    /// Whether it has ended.
    pub is_over: bool,
    /// Where its picture is, once there is one.
    pub snapshot: Option<String>,
    /// Where its video is, once it is complete.
    pub clip: Option<String>,
}

impl EventLine {
    fn of(name: &EventName, sheet: &Sheet) -> Self {
        let path = |part: Part| format!("api/evidence/{}/{}", name.camera, name.file(part));
        Self {
            id: name.to_string(),
            camera: sheet.camera.clone(),
            number: sheet.event,
            severity: sheet.severity.clone(),
            wall_clock_ms: sheet.wall_clock_ms,
            peak: sheet.peak,
            is_over: sheet.is_complete || sheet.cleared_media_ms.is_some(),
            snapshot: sheet.snapshot.as_ref().map(|_| path(Part::Snapshot)),
            clip: sheet.clip.as_ref().filter(|_| sheet.is_complete).map(|_| path(Part::Clip)),
        }
    }
}

/// Which events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Older than this one: an id of an earlier answer.
    before: Option<String>,
    /// At most so many, 1 to 200. Default: 50.
    limit: Option<usize>,
}

/// `GET /api/events`, newest first.
pub(super) async fn list(State(shared): State<Arc<Shared>>, Query(which): Query<Which>) -> Response {
    let limit = which.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let before = match which.before.as_deref().map(parse_id) {
        Some(None) => return (StatusCode::BAD_REQUEST, "`before` is no id of an event\n").into_response(),
        Some(name) => name,
        None => None,
    };
    let listed = tokio::task::spawn_blocking(move || events(&shared, before.as_ref(), limit)).await;
    listed.map_or_else(
        |_| StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |lines| Json(lines).into_response(),
    )
}

fn parse_id(id: &str) -> Option<EventName> {
    let (camera, stem) = id.split_once('/')?;
    EventName::parse(&CameraId::try_from(camera).ok()?, stem)
}

/// What the journals know of this run, and the evidence of this and earlier ones, which knows more.
fn events(shared: &Shared, before: Option<&EventName>, limit: usize) -> Vec<EventLine> {
    let mut all: BTreeMap<((u32, u64), EventName), EventLine> = BTreeMap::new();
    let is_older = |name: &EventName| before.is_none_or(|before| name.age_key() < before.age_key());
    for screen in &shared.screens {
        for (name, line) in lock(&screen.journal).events().filter(|(name, _)| is_older(name)) {
            all.insert((name.age_key(), name.clone()), line.clone());
        }
    }
    let kept = shared.evidence.as_ref().map(|listing: &Mutex<Listing>| lock(listing).newest(before, limit));
    for (name, sheet) in kept.into_iter().flatten() {
        let line = EventLine::of(&name, &sheet);
        all.insert((name.age_key(), name), line);
    }
    all.into_values().rev().take(limit).collect()
}

/// `GET /api/evidence/<camera>/<file>`; parts of a file, too.
pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    Path((camera, file)): Path<(String, String)>,
    request: Request,
) -> Response {
    let path = shared.evidence.as_ref().and_then(|listing| {
        let name = CameraId::try_from(camera.as_str()).ok()?;
        let (stem, ending) = file.rsplit_once('.')?;
        let part = Part::ALL.into_iter().find(|part| part.ending() == ending)?;
        Some(EventName::parse(&name, stem)?.path(lock(listing).folder(), part))
    });
    let Some(path) = path else {
        return (StatusCode::NOT_FOUND, "no such evidence\n").into_response();
    };
    match ServeFile::new(path).oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}
