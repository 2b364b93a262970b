//! What every public door does with a request before and after its handler: an id, an allowed origin, a whole body in
//! time, figures, and one line in the log.

use std::{net::SocketAddr, panic::AssertUnwindSafe, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, MatchedPath, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use common::{Problem, limits};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use http_contract::{Caller, ClientAddress, Refused, headers, problem, unknown_route};
use ipnet::IpNet;

use crate::{
    metrics::{Handled, HttpMetrics, Route},
    minted,
};

/// How a door is kept.
#[derive(Clone)]
pub struct Door {
    /// `auth`, `api`, `ws`: in logs.
    pub service: &'static str,
    pub metrics: HttpMetrics,
    pub allowed_origins: Vec<String>,
    pub trusted_proxies: Vec<IpNet>,
}

/// The id of a request, for what is called on its behalf.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl Door {
    /// Puts the door before a router's routes and its fallback; an unknown method is `not-found` like an unknown route.
    pub fn keep(self, router: Router) -> Router {
        router
            .method_not_allowed_fallback(unknown_route)
            .layer(from_fn_with_state(self, pass))
    }
}

/// The place of a request in its trace (W3C Trace Context): the incoming trace goes on, else a new one begins unsampled.
struct Trace {
    trace_id: String,
    span_id: String,
    traceparent: String,
}

impl Trace {
    fn of(headers: &HeaderMap) -> Self {
        let span_id = minted::random().simple().to_string()[16..].to_owned();
        let incoming = headers::traceparent(headers).map(|text| (text[3..35].to_owned(), text[53..].to_owned()));
        let (trace_id, flags) = incoming.unwrap_or_else(|| (minted::random().simple().to_string(), "00".to_owned()));
        Self {
            traceparent: format!("00-{trace_id}-{span_id}-{flags}"),
            trace_id,
            span_id,
        }
    }
}

async fn pass(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = minted::id().to_string();
    let method = known_method(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unknown", MatchedPath::as_str)
        .to_owned();
    let labels = Route {
        route: route.clone(),
        method: method.to_owned(),
    };
    let active = door.metrics.active.get_or_create(&labels).clone();
    active.inc();
    let (trace, caller) = (Trace::of(request.headers()), Caller::default());
    if let Ok(traceparent) = HeaderValue::from_str(&trace.traceparent) {
        request.headers_mut().insert(headers::TRACEPARENT, traceparent);
    }
    request.extensions_mut().insert(caller.clone());
    let response = AssertUnwindSafe(handle(&door, request, next, &id))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            tracing::error!(request_id = %id, route, "a handler panicked");
            Refused(Problem::internal()).into_response()
        });
    active.dec();
    let (status, took) = (response.status().as_u16(), started.elapsed());
    door.metrics
        .requests
        .get_or_create(&Handled {
            route: route.clone(),
            method: method.to_owned(),
            code: status,
        })
        .inc();
    door.metrics
        .durations
        .get_or_create(&labels)
        .observe(took.as_secs_f64());
    let code = problem::code_of(&response).map(|code| format!("{code:?}"));
    tracing::info!(
        service = door.service,
        request_id = %id,
        trace_id = trace.trace_id,
        span_id = trace.span_id,
        user_id = caller.user().map(tracing::field::display),
        method,
        route,
        status,
        latency_ms = took.as_secs_f64() * 1000.0,
        code = code.as_deref(),
        "answered a request"
    );
    let mut response = problem::with_request_id(response, &id);
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A label must not be the client's to choose.
fn known_method(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        _ => "other",
    }
}

async fn handle(door: &Door, mut request: Request, next: Next, id: &str) -> Response {
    if let Err(problem) = headers::check_origin(request.headers(), &door.allowed_origins) {
        return Refused(problem).into_response();
    }
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let address = client_address(peer, request.headers(), &door.trusted_proxies);
        request.extensions_mut().insert(address);
    }
    request.extensions_mut().insert(RequestId(id.to_owned()));
    match whole(request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => {
            // What is left of the body is not read, so the connection can't be used again.
            let mut response = Refused(problem).into_response();
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

/// Reads the body before anything is done about it: at most 64 KiB, within [`limits::BODY_DEADLINE`].
async fn whole(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    if axum::body::HttpBody::is_end_stream(&body) {
        return Ok(Request::from_parts(parts, body));
    }
    let length = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limits::BODY_BYTES as u64) {
        return Err(Problem::payload_too_large());
    }
    let reading = Limited::new(body, limits::BODY_BYTES).collect();
    match tokio::time::timeout(limits::BODY_DEADLINE, reading).await {
        Ok(Ok(collected)) => Ok(Request::from_parts(parts, Body::from(collected.to_bytes()))),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::payload_too_large()),
        Ok(Err(_)) => Err(Problem::invalid("The body did not arrive whole.")),
        Err(_) => Err(Problem::invalid("The body did not arrive in time.")),
    }
}

/// The last address that no trusted proxy wrote about itself.
fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> ClientAddress {
    let is_trusted = |address: &std::net::IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut address = peer.ip();
    let said = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let chain: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    for hop in chain.iter().rev() {
        if !is_trusted(&address) {
            break;
        }
        match hop.parse() {
            Ok(said) => address = said,
            Err(_) => break,
        }
    }
    ClientAddress(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_who_the_client_is() {
        let peer: SocketAddr = "10.0.0.1:1".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "6.6.6.6, 9.9.9.9, 10.0.0.2".parse().unwrap());
        let address = |trusted: &[&str]| {
            let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
            client_address(peer, &headers, &trusted).0.to_string()
        };
        assert_eq!(address(&[]), "10.0.0.1");
        assert_eq!(address(&["10.0.0.0/8"]), "9.9.9.9");
    }
}
