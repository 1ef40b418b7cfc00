//! Requests of the object store over the HTTP client that the hub's network code brings along anyway.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use tokio::time::timeout;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Within this time a request must be sent and its answer begin; a part of 8 MiB then needs 0.6 Mbit/s.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Makes clients for the object store.
#[derive(Clone)]
pub(super) enum Connector {
    /// For an endpoint without encryption.
    Plain(HttpConnector),
    /// With the machine's certificate authorities.
    Tls(HttpsConnector<HttpConnector>),
}

impl Connector {
    /// # Errors
    /// When the machine has no certificate authorities.
    pub fn new(is_plain: bool) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_WITHIN));
        if is_plain {
            return Ok(Self::Plain(tcp));
        }
        tcp.enforce_http(false);
        let builder = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| format!("no certificate authority is known: {error}"))?;
        Ok(Self::Tls(builder.https_or_http().enable_http1().wrap_connector(tcp)))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Tls(_) => "Tls",
        })
    }
}

impl object_store::client::HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(match self.clone() {
            Self::Plain(connector) => HttpClient::new(Service::new(connector)),
            Self::Tls(connector) => HttpClient::new(Service::new(connector)),
        })
    }
}

struct Service<C>(Client<C, HttpRequestBody>);

impl<C: Connect + Clone> Service<C> {
    fn new(connector: C) -> Self {
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }
}

impl<C> fmt::Debug for Service<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

#[async_trait]
impl<C: Connect + Clone + Send + Sync + 'static> HttpService for Service<C> {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = timeout(ANSWER_WITHIN, self.0.request(request)).await;
        let answer =
            answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?.map_err(|error| {
                let kind = if error.is_connect() {
                    HttpErrorKind::Connect
                } else {
                    kind_of(&error, HttpErrorKind::Unknown)
                };
                HttpError::new(kind, error)
            })?;
        let (parts, body) = answer.into_parts();
        let body = body.map_err(|error| HttpError::new(kind_of(&error, HttpErrorKind::Interrupted), error));
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

/// Which failures may be repeated: those in whose causes the connection was lost.
fn kind_of(error: &(dyn Error + 'static), otherwise: HttpErrorKind) -> HttpErrorKind {
    for error in causes(error) {
        if let Some(http) = error.downcast_ref::<hyper::Error>()
            && (http.is_closed() || http.is_incomplete_message() || http.is_canceled())
        {
            return HttpErrorKind::Request;
        }
        if error.is::<std::io::Error>() {
            return HttpErrorKind::Interrupted;
        }
    }
    otherwise
}

/// An error, its cause, the cause of that, and so on.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}
