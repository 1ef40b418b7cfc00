//! Events for a list, and their files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alarm_proto::{BootId, CameraId};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;
use tower_http::services::ServeFile;

use super::routes::{EvidenceShown, Shared};
use crate::evidence::{EventName, Part, Sheet};
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
    /// Of an event of this run, or of one that nothing will be added to any more.
    fn of(name: &EventName, sheet: &Sheet, folder: &std::path::Path, is_of_this_run: bool) -> Self {
        let is_final = sheet.is_complete || !is_of_this_run;
        // Drawn when it is raised, and again when it is complete: another address, since browsers keep what they have.
        let path =
            |part: Part| format!("api/evidence/{}/{}?v={}", name.camera, name.file(part), u8::from(is_final));
        // A power cut leaves the video without a word of it in the sheet.
        let has_clip = is_final && name.path(folder, Part::Clip).exists();
        Self {
            id: name.to_string(),
            camera: sheet.camera.clone(),
            number: sheet.event,
            severity: sheet.severity.clone(),
            wall_clock_ms: sheet.wall_clock_ms,
            peak: sheet.peak,
            is_over: is_final || sheet.cleared_media_ms.is_some(),
            snapshot: sheet.snapshot.as_ref().map(|_| path(Part::Snapshot)),
            clip: has_clip.then(|| path(Part::Clip)),
        }
    }

    /// The same with what the journal knows; a disk may have refused what came later.
    fn with(self, known: &Self) -> Self {
        Self {
            is_over: self.is_over || known.is_over,
            severity: known.severity.clone(),
            peak: self.peak.max(known.peak),
            ..self
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
    let listed = shared.work(move |shared| events(shared, before.as_ref(), limit)).await;
    listed.map_or_else(
        || StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |lines| Json(lines).into_response(),
    )
}

fn parse_id(id: &str) -> Option<EventName> {
    let (camera, stem) = id.split_once('/')?;
    EventName::parse(&CameraId::try_from(camera).ok()?, stem)
}

/// What the journals know of this run, and the evidence of this and earlier ones, which knows more.
fn events(shared: &Shared, before: Option<&EventName>, limit: usize) -> Vec<EventLine> {
    let mut known: BTreeMap<EventName, EventLine> = BTreeMap::new();
    for screen in &shared.screens {
        known.extend(lock(&screen.journal).events().cloned());
    }
    // Names of different boots cannot be compared, but those of this run are the latest, also where the outbox was lost.
    let mut boots: BTreeSet<BootId> = known.keys().map(|name| name.boot).collect();
    boots.insert(shared.about.boot);
    let age = |name: &EventName| (boots.contains(&name.boot), name.boot.counter, name.seq, name.clone());
    let is_older = |name: &EventName| before.is_none_or(|before| age(name) < age(before));
    let mut all: BTreeMap<_, EventLine> = BTreeMap::new();
    if let Some(EvidenceShown { folder, listing }) = &shared.evidence {
        let is_of_this_run = |name: &EventName| boots.contains(&name.boot);
        let is_over = |name: &EventName| !is_of_this_run(name);
        for (name, sheet) in lock(listing).newest(&age, &is_older, &is_over, limit) {
            let line = EventLine::of(&name, &sheet, folder, is_of_this_run(&name));
            let line = match known.remove(&name) {
                Some(known) => line.with(&known),
                None => line,
            };
            all.insert(age(&name), line);
        }
    }
    let only_known = known.into_iter().filter(|(name, _)| is_older(name));
    all.extend(only_known.map(|(name, line)| (age(&name), line)));
    all.into_values().rev().take(limit).collect()
}

/// `GET /api/evidence/<camera>/<file>`; parts of a file, too.
pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    Path((camera, file)): Path<(String, String)>,
    request: Request,
) -> Response {
    let path = shared.evidence.as_ref().and_then(|shown| {
        let name = CameraId::try_from(camera.as_str()).ok()?;
        let (stem, ending) = file.rsplit_once('.')?;
        let part = Part::ALL.into_iter().find(|part| part.ending() == ending)?;
        Some(EventName::parse(&name, stem)?.path(&shown.folder, part))
    });
    let Some(path) = path else {
        return (StatusCode::NOT_FOUND, "no such evidence\n").into_response();
    };
    match ServeFile::new(path).oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}
