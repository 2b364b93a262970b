//! What the door does for every request, whatever is behind it.

#![allow(clippy::unwrap_used)]

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    response::Response,
    routing::{get, post},
};
use common::{Problem, limits};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, header, request::Builder};
use http_body_util::BodyExt;
use http_contract::{ClientAddress, Refused, headers::is_traceparent};
use serde_json::Value;
use service::{Door, Metrics, metrics::HttpMetrics};
use tower::ServiceExt;

const OURS: &str = "https://chat.example";

fn door(metrics: &Metrics) -> Router {
    let router = Router::new()
        .route("/things/{id}", get(|| async { "a thing" }))
        .route("/echo", post(|body: Bytes| async move { body }))
        .route(
            "/trace",
            get(|headers: HeaderMap| async move { headers["traceparent"].as_bytes().to_vec() }),
        )
        .route(
            "/address",
            get(|Extension(at): Extension<ClientAddress>| async move { at.0.to_string() }),
        )
        .route(
            "/cached",
            get(|| async { ([(header::CACHE_CONTROL, "max-age=1")], "") }),
        )
        .route("/busy", get(|| async { Refused(Problem::rate_limited(1_500)) }))
        .route("/bug", get(panicking))
        .fallback(http_contract::unknown_route);
    let door = Door {
        service: "test",
        metrics: HttpMetrics::new(metrics, "test"),
        allowed_origins: vec![OURS.to_owned()],
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
    };
    door.keep(router)
}

async fn panicking() -> &'static str {
    panic!("a bug with a secret in it")
}

async fn asked(request: Builder, body: Body) -> Response {
    door(&Metrics::new("test", "pod"))
        .oneshot(request.body(body).unwrap())
        .await
        .unwrap()
}

async fn got(path: &str) -> Response {
    asked(Request::get(path), Body::empty()).await
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The code of a problem that is complete, with the id that the header has too.
async fn code(response: Response, status: u16) -> String {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(problem["requestId"], id);
    assert_eq!(problem["status"], status);
    problem["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_request_gets_an_id_of_ours() {
    let sent = "0190a6b4-7e70-7c3a-8f00-0123456789ab";
    let (first, second) = (
        asked(Request::get("/things/1").header("x-request-id", sent), Body::empty()).await,
        got("/things/1").await,
    );
    let id = |response: &Response| response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_ne!(id(&first), sent);
    assert_ne!(id(&first), id(&second));
}

#[tokio::test]
async fn unknown_routes_and_methods_are_not_found() {
    assert_eq!(code(got("/nothing").await, 404).await, "not-found");
    for method in ["POST", "DELETE", "OPTIONS", "BREW"] {
        let request = Request::builder().method(method).uri("/things/1");
        assert_eq!(
            code(asked(request, Body::empty()).await, 404).await,
            "not-found",
            "{method}"
        );
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let from = |origin: &'static str| asked(Request::get("/things/1").header(header::ORIGIN, origin), Body::empty());
    assert_eq!(from(OURS).await.status(), 200);
    for origin in [
        "https://evil.example",
        "null",
        "https://chat.example.evil.example",
        "http://chat.example",
        "",
    ] {
        assert_eq!(code(from(origin).await, 403).await, "forbidden", "{origin}");
    }
}

#[tokio::test]
async fn a_trace_goes_on_or_begins() {
    let with =
        |traceparent: &'static str| asked(Request::get("/trace").header("traceparent", traceparent), Body::empty());
    let incoming = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let onward = text(with(incoming).await).await;
    assert!(is_traceparent(&onward));
    assert_eq!((&onward[..36], &onward[52..]), (&incoming[..36], "-01"));
    assert_ne!(onward, incoming, "the request is a span of its own");
    for minted in [text(got("/trace").await).await, text(with("nonsense").await).await] {
        assert!(is_traceparent(&minted) && minted.ends_with("-00"), "{minted}");
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_that_says_nothing() {
    let response = got("/bug").await;
    assert_eq!(response.status(), 500);
    let body = text(response).await;
    assert!(body.contains("\"internal\"") && !body.contains("secret"), "{body}");
}

#[tokio::test]
async fn nothing_is_kept_unless_the_handler_says_so() {
    assert_eq!(got("/things/1").await.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(got("/cached").await.headers()[header::CACHE_CONTROL], "max-age=1");
}

#[tokio::test]
async fn who_has_to_wait_is_told_how_long() {
    let response = got("/busy").await;
    assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    assert_eq!(code(response, 429).await, "rate-limited");
}

#[tokio::test]
async fn bodies_are_bounded_however_they_come() {
    let pieces = |count: usize| {
        Body::from_stream(stream::iter(vec![
            Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024]));
            count
        ]))
    };
    assert_eq!(asked(Request::post("/echo"), pieces(64)).await.status(), 200);
    let response = asked(Request::post("/echo"), pieces(65)).await;
    assert_eq!(response.headers()[header::CONNECTION], "close");
    assert_eq!(code(response, 413).await, "payload-too-large");
    let announced = Request::post("/echo").header(header::CONTENT_LENGTH, limits::BODY_BYTES + 1);
    let never_read = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    assert_eq!(code(asked(announced, never_read).await, 413).await, "payload-too-large");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_ends_the_connection() {
    let begun = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"{"))]).chain(stream::pending());
    let response = asked(Request::post("/echo"), Body::from_stream(begun)).await;
    assert_eq!(response.headers()[header::CONNECTION], "close");
    assert_eq!(code(response, 400).await, "invalid-request");
}

#[tokio::test]
async fn the_address_is_the_peers_unless_a_trusted_proxy_says_otherwise() {
    let from = |peer: &str| {
        let peer: SocketAddr = peer.parse().unwrap();
        let request = Request::get("/address").header("x-forwarded-for", "6.6.6.6, 9.9.9.9");
        async move { text(asked(request.extension(ConnectInfo(peer)), Body::empty()).await).await }
    };
    assert_eq!(from("8.8.8.8:1").await, "8.8.8.8");
    assert_eq!(from("10.1.1.1:1").await, "9.9.9.9");
}

#[tokio::test]
async fn figures_name_the_route_and_never_what_a_client_chose() {
    let metrics = Metrics::new("test", "pod-7");
    let door = door(&metrics);
    for (method, path) in [
        ("GET", "/things/secret-1"),
        ("BREW", "/things/secret-2"),
        ("GET", "/secret-3"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        door.clone().oneshot(request).await.unwrap();
    }
    let text = metrics.text();
    assert!(!text.contains("secret") && !text.contains("BREW"), "{text}");
    for line in [
        r#"test_requests_total{service="test",pod="pod-7",version="0.1.0",route="/things/{id}",method="GET",code="200"} 1"#,
        r#"test_requests_total{service="test",pod="pod-7",version="0.1.0",route="/things/{id}",method="other",code="404"} 1"#,
        r#"test_requests_total{service="test",pod="pod-7",version="0.1.0",route="unknown",method="GET",code="404"} 1"#,
        r#"test_active_requests{service="test",pod="pod-7",version="0.1.0",route="/things/{id}",method="GET"} 0"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
