//! Who may look: whoever shows the token, with each request (`Authorization: Bearer`) or once, for a cookie.
//!
//! # Invariants
//! - Token and session are compared in constant time; neither stands in a log, in `Debug` or in an address.
//! - A wrong token is answered late, and a right one never locked out: guessing is slow, and nobody can keep the operator away.
//! - Sessions are few, end by monotonic time and with the program.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::routes::Shared;
use crate::clock::Clock;
use crate::health::lock;
use crate::hex;

const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=256;
const SESSION_MS: u64 = 12 * 3_600_000;
/// The oldest ends when there is one more.
const MAX_SESSIONS: usize = 32;
const REFUSAL_DELAY: Duration = Duration::from_millis(500);

/// What opens the page; kept as its hash, which `Debug` hides too.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// 16 to 256 printable characters without a space, else `None`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let is_fit = TOKEN_BYTES.contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        is_fit.then(|| Self(Sha256::digest(bytes).into()))
    }

    fn is(&self, given: &[u8]) -> bool {
        self.0.ct_eq(&Sha256::digest(given)).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// A session's name, known to one browser.
type SessionId = [u8; 16];

/// See the module's documentation.
pub(super) struct Access {
    token: Token,
    /// Name of the cookie; browsers do not tell ports apart, and boards are looked at through tunnels.
    cookie: String,
    is_tls: bool,
    clock: Arc<dyn Clock>,
    /// Oldest first, each with its end.
    sessions: Mutex<VecDeque<(SessionId, u64)>>,
}

impl Access {
    pub(super) fn new(token: Token, cookie: String, is_tls: bool, clock: Arc<dyn Clock>) -> Self {
        Self { token, cookie, is_tls, clock, sessions: Mutex::default() }
    }

    fn is_open_to(&self, headers: &HeaderMap) -> bool {
        let has_token = bearer(headers).is_some_and(|given| self.token.is(given));
        has_token || self.sessions_of(headers).any(|id| self.knows(id))
    }

    /// A browser may have several cookies of the name.
    fn sessions_of<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = SessionId> + 'a {
        let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|text| text.split(';'));
        pairs.filter_map(|pair| {
            let digits = pair.trim().strip_prefix(self.cookie.as_str())?.strip_prefix('=')?;
            hex::decode(digits.as_bytes())?.try_into().ok()
        })
    }

    fn knows(&self, id: SessionId) -> bool {
        let now_ms = self.clock.monotonic_ms();
        let mut sessions = lock(&self.sessions);
        sessions.retain(|(_, until_ms)| now_ms < *until_ms);
        // All of them, so that the time tells nothing.
        sessions.iter().fold(false, |known, (session, _)| known | bool::from(session.ct_eq(&id)))
    }

    fn begin(&self) -> Result<String, getrandom::Error> {
        let mut id = SessionId::default();
        getrandom::fill(&mut id)?;
        let mut sessions = lock(&self.sessions);
        if sessions.len() == MAX_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back((id, self.clock.monotonic_ms().saturating_add(SESSION_MS)));
        Ok(self.cookie(&hex::encode(&id), SESSION_MS / 1_000))
    }

    fn cookie(&self, value: &str, max_age_s: u64) -> String {
        let secure = if self.is_tls { "; Secure" } else { "" };
        format!("{}={value}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Strict{secure}", self.cookie)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// Lets those through who may look.
pub(super) async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if shared.access.is_open_to(request.headers()) {
        return next.run(request).await;
    }
    // A request without a token is a browser that is about to ask for one.
    if request.headers().contains_key(AUTHORIZATION) {
        tokio::time::sleep(REFUSAL_DELAY).await;
    }
    refused()
}

fn refused() -> Response {
    let challenge = [(WWW_AUTHENTICATE, "Bearer realm=\"watchpostd\"")];
    (StatusCode::UNAUTHORIZED, challenge, "the token of page.token_file is needed\n").into_response()
}

/// What a log-in says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    token: String,
}

/// Begins a session.
pub(super) async fn log_in(State(shared): State<Arc<Shared>>, Json(given): Json<LogIn>) -> Response {
    if !shared.access.token.is(given.token.as_bytes()) {
        tokio::time::sleep(REFUSAL_DELAY).await;
        tracing::debug!("a wrong token for the page");
        return refused();
    }
    match shared.access.begin() {
        Ok(cookie) => (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response(),
        Err(error) => {
            tracing::error!(%error, "no random numbers for a session");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Ends the session of a browser.
pub(super) async fn log_out(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    for id in shared.access.sessions_of(&headers) {
        lock(&shared.access.sessions).retain(|(session, _)| *session != id);
    }
    (StatusCode::NO_CONTENT, [(SET_COOKIE, shared.access.cookie("", 0))]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use axum::http::HeaderValue;

    const TOKEN: &[u8] = b"0123456789abcdef";

    fn access() -> (Access, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        (
            Access::new(
                Token::new(TOKEN).unwrap(),
                "watchpost_yard_b".to_owned(),
                true,
                Arc::clone(&clock) as Arc<dyn Clock>,
            ),
            clock,
        )
    }

    fn with(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_token_has_a_least_length_and_does_not_show() {
        assert!(Token::new(b"0123456789abcde").is_none());
        assert!(Token::new(b"0123456789 abcdef").is_none());
        assert!(Token::new(&[b'x'; 257]).is_none());
        assert_eq!(format!("{:?}", Token::new(TOKEN).unwrap()), "Token");
    }

    #[test]
    fn the_token_opens_and_nothing_like_it_does() {
        let (access, _) = access();
        assert!(access.is_open_to(&with(AUTHORIZATION, "Bearer 0123456789abcdef")));
        assert!(access.is_open_to(&with(AUTHORIZATION, "bearer 0123456789abcdef")));
        for wrong in [
            "Bearer 0123456789abcdeF",
            "Bearer ",
            "bearer",
            "Basic 0123456789abcdef",
            "Bearer 0123456789abcdef0",
        ] {
            assert!(!access.is_open_to(&with(AUTHORIZATION, wrong)), "{wrong}");
        }
        assert!(!access.is_open_to(&HeaderMap::new()));
    }

    #[test]
    fn a_session_lasts_half_a_day_and_old_ones_give_way() {
        let (access, clock) = access();
        let cookie = |set: &str| with(COOKIE, &format!("other=1; {}", set.split(';').next().unwrap()));
        let first = access.begin().unwrap();
        assert!(first.contains("HttpOnly") && first.contains("SameSite=Strict") && first.contains("Secure"));
        assert!(access.is_open_to(&cookie(&first)));
        for _ in 0..MAX_SESSIONS {
            access.begin().unwrap();
        }
        assert!(!access.is_open_to(&cookie(&first)), "one too many");
        let last = access.begin().unwrap();
        clock.advance_ms(SESSION_MS - 1);
        assert!(access.is_open_to(&cookie(&last)));
        clock.advance_ms(1);
        assert!(!access.is_open_to(&cookie(&last)));
        for foreign in ["watchpost_yard_b=", "watchpost_yard_b=zz", "watchpost_yard=00", "watchpost_yard_b"] {
            assert!(!access.is_open_to(&with(COOKIE, foreign)), "{foreign}");
        }
    }
}
