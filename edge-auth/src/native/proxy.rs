//! The way from the gate to the API.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use common::{Problem, limits};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use http_contract::{ClientAddress, Refused};

use super::Shell;

/// Where requests go, in turn.
#[derive(Clone)]
pub struct Upstreams {
    origins: Arc<[String]>,
    next: Arc<AtomicUsize>,
}

impl Upstreams {
    pub fn new(origins: &[String]) -> Self {
        Self {
            origins: origins.into(),
            next: Arc::default(),
        }
    }

    /// All of them, beginning with the one whose turn it is.
    pub fn in_turn(&self) -> impl Iterator<Item = &str> {
        let from = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.origins.len();
        (0..count).map(move |step| self.origins[(from + step) % count].as_str())
    }
}

/// Headers of one connection, not of the request (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
];

/// What is passed on to a service behind: the request's own headers, and where it came from. The refresh cookie is no
/// business of theirs.
pub fn passed_on(headers: &HeaderMap, address: Option<ClientAddress>) -> HeaderMap {
    let mut passed = headers.clone();
    HOP_BY_HOP.iter().for_each(|name| drop(passed.remove(name)));
    passed.remove(header::COOKIE);
    passed.remove(header::HOST);
    passed.remove("x-forwarded-for");
    if let Some(address) = address.and_then(|address| HeaderValue::from_str(&address.0.to_string()).ok()) {
        passed.insert("x-forwarded-for", address);
    }
    passed
}

pub async fn forward(State(shell): State<Shell>, request: Request) -> Result<Response, Refused> {
    let admitted = shell.edge.admit_api(request.uri().path(), request.headers());
    shell.figures.validated(&admitted);
    admitted?;
    let origin = shell.api.in_turn().next().ok_or_else(Problem::unavailable)?.to_owned();
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|_| Problem::invalid("The body did not arrive whole."))?
        .to_bytes();
    let mut onward = http::Request::new(Full::new(body));
    *onward.method_mut() = parts.method.clone();
    *onward.uri_mut() = target(&origin, parts.uri.path_and_query())?;
    *onward.headers_mut() = passed_on(&parts.headers, parts.extensions.get().copied());
    let answer = tokio::time::timeout(limits::CALL_DEADLINE * 2, shell.client.request(onward)).await;
    let response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::warn!(error = service::client::chain(&error), "the API is away");
            return Err(Refused(Problem::unavailable()));
        }
        Err(_) => {
            tracing::warn!("the API does not answer");
            return Err(Refused(Problem::unavailable()));
        }
    };
    let mut response = response.map(Body::new);
    HOP_BY_HOP
        .iter()
        .for_each(|name| drop(response.headers_mut().remove(name)));
    Ok(response)
}

fn target(origin: &str, path: Option<&PathAndQuery>) -> Result<Uri, Problem> {
    let path = path.map_or("/", PathAndQuery::as_str);
    format!("{origin}{path}").parse().map_err(|_| Problem::not_found())
}
