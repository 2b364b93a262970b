//! HTTP requests of the public contract: problems as typed errors, and again only what may be asked again.

mod ask;
mod error;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde::de::DeserializeOwned;
use service::client;

use crate::{backoff, limits};

pub use ask::Ask;
pub use error::{HttpError, Refused};

/// What the server answered, 2xx.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
    /// `chat-seen` of a write: sent back, later requests are answered from nothing older.
    pub seen: Option<String>,
    /// `chat-stale`: the database had no leader, and what was acknowledged last may be missing.
    pub stale: bool,
}

impl Answer {
    /// # Errors
    /// When it is not what the contract says.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|error| HttpError::Unreadable(error.to_string()))
    }
}

/// One origin, such as `https://chat.example`.
#[derive(Clone)]
pub struct Http {
    origin: String,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    tries: u32,
    deadline: Duration,
}

impl Http {
    /// # Errors
    /// When the origin is no `http://` or `https://` URL, or there are no certificates to trust for the latter.
    pub fn new(origin: &str) -> Result<Self, HttpError> {
        let origin = origin.trim_end_matches('/');
        if !origin.starts_with("http://") && !origin.starts_with("https://") {
            return Err(HttpError::BadOrigin(origin.to_owned()));
        }
        let builder = HttpsConnectorBuilder::new();
        let builder = if origin.starts_with("https://") {
            let trusting = builder.with_native_roots();
            trusting.map_err(|error| HttpError::BadOrigin(format!("{origin}: {error}")))?
        } else {
            // Nothing is trusted, as nothing is asked of it.
            builder.with_tls_config(
                rustls::ClientConfig::builder()
                    .with_root_certificates(rustls::RootCertStore::empty())
                    .with_no_client_auth(),
            )
        };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limits::CONNECT));
        connector.enforce_http(false);
        let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            // Shorter than the servers' patience, so that a kept connection is rarely one that is just being closed.
            .pool_idle_timeout(Duration::from_secs(5))
            .build(connector);
        Ok(Self {
            origin: origin.to_owned(),
            client,
            tries: limits::TRIES,
            deadline: limits::ANSWER,
        })
    }

    /// Asks at most so many times, 6 unless given.
    #[must_use]
    pub fn trying(self, tries: u32) -> Self {
        Self { tries, ..self }
    }

    /// Waits so long for an answer, 35 s unless given.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Asks, and again what may be asked again, no sooner than `Retry-After` says.
    ///
    /// # Errors
    /// The last try's.
    pub async fn ask(&self, ask: &Ask) -> Result<Answer, HttpError> {
        let mut failures = 0;
        loop {
            let error = match self.once(ask).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures += 1;
            match error.again_after(ask.is_repeatable()) {
                Some(wait) if failures < self.tries && wait <= limits::LONGEST_WAIT => {
                    tokio::time::sleep(wait.max(backoff::jittered(failures))).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Answer, HttpError> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(format!("{}{}", self.origin, ask.path));
        for (name, value) in ask.headers() {
            request = request.header(name, value);
        }
        let body = ask.body.as_ref().map(ToString::to_string).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| HttpError::BadOrigin(error.to_string()))?;
        let answer = client::call(&self.client, request, self.deadline, limits::ANSWER_BYTES).await?;
        let (parts, body) = answer.into_parts();
        if !parts.status.is_success() {
            let wait = text(&parts.headers, header::RETRY_AFTER.as_str()).and_then(|wait| wait.parse().ok());
            let refused = Refused::read(parts.status, &body, wait.map(Duration::from_secs));
            return Err(HttpError::Refused(Box::new(refused)));
        }
        Ok(Answer {
            status: parts.status,
            body,
            seen: text(&parts.headers, "chat-seen").map(str::to_owned),
            stale: text(&parts.headers, "chat-stale") == Some("true"),
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
