//! Which address shows what.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alarm_proto::{BoardId, BootId, SiteId};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::Semaphore;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use super::access::{Access, guard, log_in, log_out};
use super::screen::Screen;
use super::{events, look, metrics, state};
use crate::clock::Clock;
use crate::command::{Answer, Clerk, MAX_COMMAND_BYTES};
use crate::config::MetricsAccess;
use crate::desk::AlarmDesk;
use crate::evidence::Listing;
use crate::health::{Health, lock};
use crate::link::LinkStats;

/// Longest body of a request, bytes.
const MAX_BODY_BYTES: usize = 4_096;
/// Longest time for an answer to begin.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Which board, and what it runs.
#[derive(Debug, Clone)]
pub struct About {
    /// Where it is.
    pub site: SiteId,
    /// Its name.
    pub board: BoardId,
    /// Name and version of the model.
    pub model: String,
    /// First bytes of its hash.
    pub short_id: [u8; 8],
    /// The running boot.
    pub boot: BootId,
}

/// What every answer is made of.
pub(super) struct Shared {
    pub about: About,
    pub access: Access,
    pub clock: Arc<dyn Clock>,
    pub health: Arc<Health>,
    pub desk: Arc<AlarmDesk>,
    pub link: Option<Arc<LinkStats>>,
    pub screens: Vec<Arc<Screen>>,
    pub evidence: Option<EvidenceShown>,
    pub clerk: Option<Mutex<Clerk>>,
    pub metrics: MetricsAccess,
    /// For what takes its time.
    pub places: Arc<Semaphore>,
}

/// Evidence on the disk.
pub(super) struct EvidenceShown {
    pub folder: PathBuf,
    pub listing: Mutex<Listing>,
}

impl Shared {
    /// Does what takes its time, away from the event loop. What finds no place waits here, where a request that is given up
    /// is forgotten.
    pub(super) async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let shared = Arc::clone(self);
        let work = move || {
            let _place = place;
            work(&shared)
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// Whether the hub's broker is reached; nothing on a board that works alone.
    pub(super) fn connected(&self) -> Option<bool> {
        self.link.as_ref().map(|link| link.is_connected())
    }
}

/// The whole page.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let guarded = Router::new()
        .route("/api/board", get(state::board))
        .route("/api/state", get(state::state))
        .route("/api/cameras/{camera}/live.jpg", get(look::live))
        .route("/api/cameras/{camera}/scores", get(look::scores))
        .route("/api/events", get(events::list))
        .route("/api/evidence/{camera}/{file}", get(events::file))
        .route("/api/command", post(command));
    let metrics = Router::new().route("/metrics", get(metrics::metrics));
    let (guarded, open) = match shared.metrics {
        MetricsAccess::Token => (guarded.merge(metrics), Router::new()),
        MetricsAccess::Open => (guarded, metrics),
    };
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; \
                  connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
    guarded
        .layer(from_fn_with_state(Arc::clone(&shared), guard))
        .merge(open)
        .route("/api/session", post(log_in).delete(log_out))
        .route("/", get(|| asset("text/html; charset=utf-8", include_str!("web/index.html"))))
        .route("/page.css", get(|| asset("text/css; charset=utf-8", include_str!("web/page.css"))))
        .route("/page.js", get(|| asset("text/javascript; charset=utf-8", include_str!("web/page.js"))))
        .route("/icon.svg", get(|| asset("image/svg+xml", include_str!("web/icon.svg"))))
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_TIMEOUT))
        .layer(always(CONTENT_SECURITY_POLICY, policy))
        .layer(always(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(X_FRAME_OPTIONS, "DENY"))
        .layer(always(REFERRER_POLICY, "no-referrer"))
        // What is on it is the site's own matter, and of this moment.
        .layer(always(CACHE_CONTROL, "no-store"))
        .with_state(shared)
}

fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// `POST /api/command`: what MQTT takes too (`docs/reference/mqtt.md`). The type that it must have is what keeps the forms of
/// other sites away.
async fn command(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if shared.clerk.is_none() {
        return (StatusCode::FORBIDDEN, "this board takes no commands here (page.commands)\n")
            .into_response();
    }
    if !is_json(&headers) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "a command is application/json\n").into_response();
    }
    if body.len() > MAX_COMMAND_BYTES {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    // It may wait for a disk, or for a picture.
    let answer = shared.work(move |shared| Some(lock(shared.clerk.as_ref()?).answer(&body))).await;
    match answer.flatten().flatten() {
        Some(Answer { picture: Some((_, jpeg)), .. }) => {
            ([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response()
        }
        Some(Answer { reply, .. }) if reply.ok => Json(reply).into_response(),
        Some(Answer { reply, .. }) => (StatusCode::UNPROCESSABLE_ENTITY, Json(reply)).into_response(),
        None => (StatusCode::TOO_MANY_REQUESTS, "too many commands\n").into_response(),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
