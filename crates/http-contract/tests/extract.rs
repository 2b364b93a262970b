//! The extractors at a router: each way that a request can be wrong, and what it is told.

#![allow(clippy::unwrap_used)]

use axum::{Router, body::Body as Bytes, response::Response, routing::get};
use common::{RoomId, UserId, limits, text::RoomName};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use http_contract::{Body, PathId, Query, extract::PathIds, problem::with_request_id, unknown_route};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;

#[derive(Deserialize)]
struct Draft {
    name: RoomName,
}

#[derive(Deserialize)]
struct Window {
    limit: Option<u32>,
}

fn router() -> Router {
    Router::new()
        .route(
            "/body",
            get(unknown_route).post(|Body(draft): Body<Draft>| async move { draft.name.to_string() }),
        )
        .route(
            "/maybe",
            axum::routing::post(|draft: Option<Body<Draft>>| async move {
                draft.map_or("none".to_owned(), |draft| draft.0.name.to_string())
            }),
        )
        .route(
            "/rooms/{roomId}",
            get(|PathId(id): PathId<RoomId>| async move { id.to_string() }),
        )
        .route(
            "/rooms/{roomId}/members/{userId}",
            get(|PathIds(room, user): PathIds<RoomId, UserId>| async move { format!("{room} {user}") }),
        )
        .route(
            "/page",
            get(|Query(window): Query<Window>| async move { window.limit.unwrap_or(7).to_string() }),
        )
}

/// The status, and the code and first pointer of a problem.
async fn told(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json");
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    if !is_problem {
        return (status, String::from_utf8(bytes.to_vec()).unwrap(), String::new());
    }
    let problem: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], "about:blank");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (status, text(&problem["code"]), text(&problem["errors"][0]["pointer"]))
}

async fn posted(path: &str, kind: Option<&str>, body: impl Into<Bytes>) -> (u16, String, String) {
    let mut request = Request::post(path);
    if let Some(kind) = kind {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    told(router().oneshot(request.body(body.into()).unwrap()).await.unwrap()).await
}

async fn got(path: &str) -> (u16, String, String) {
    let request = Request::get(path).body(Bytes::empty()).unwrap();
    told(router().oneshot(request).await.unwrap()).await
}

fn expected(status: u16, code: &str, pointer: &str) -> (u16, String, String) {
    (status, code.to_owned(), pointer.to_owned())
}

const JSON: Option<&str> = Some("application/json");

#[tokio::test]
async fn a_body_is_json_or_refused() {
    let good = r#"{"name":"Tea","later":[1]}"#;
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(posted("/body", Some(kind), good).await, expected(200, "Tea", ""));
    }
    for kind in [None, Some("text/plain"), Some("application/json5"), Some("")] {
        assert_eq!(
            posted("/body", kind, good).await,
            expected(415, "unsupported-media-type", ""),
            "{kind:?}"
        );
    }
    for (bad, pointer) in [
        ("", ""),
        ("{", ""),
        ("null", ""),
        ("[]", ""),
        (r#"{"name":7}"#, "/name"),
        (r#"{"name":""}"#, "/name"),
        (r#"{"name":"a\u0000b"}"#, "/name"),
        (r#"{"name":"\ud800"}"#, "/name"),
        (r#"{"name":"x"} {}"#, ""),
    ] {
        assert_eq!(
            posted("/body", JSON, bad).await,
            expected(400, "invalid-request", pointer),
            "{bad}"
        );
    }
    assert_eq!(posted("/body", JSON, vec![b'{', 0xff, b'}']).await.0, 400);
}

#[tokio::test]
async fn a_body_has_a_largest_size() {
    let body = |bytes: usize| {
        let empty = r#"{"name":"x","pad":""}"#.len();
        format!(r#"{{"name":"x","pad":"{}"}}"#, "y".repeat(bytes - empty))
    };
    assert_eq!(posted("/body", JSON, body(limits::BODY_BYTES)).await.0, 200);
    let too_large = expected(413, "payload-too-large", "");
    assert_eq!(posted("/body", JSON, body(limits::BODY_BYTES + 1)).await, too_large);
    let announced = Request::post("/body")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, limits::BODY_BYTES + 1)
        .body(Bytes::empty())
        .unwrap();
    assert_eq!(told(router().oneshot(announced).await.unwrap()).await, too_large);
}

#[tokio::test]
async fn an_optional_body_may_be_absent_but_not_wrong() {
    assert_eq!(posted("/maybe", None, "").await, expected(200, "none", ""));
    assert_eq!(posted("/maybe", JSON, "").await, expected(200, "none", ""));
    assert_eq!(
        posted("/maybe", JSON, r#"{"name":"Tea"}"#).await,
        expected(200, "Tea", "")
    );
    assert_eq!(
        posted("/maybe", None, "{}").await,
        expected(415, "unsupported-media-type", "")
    );
    assert_eq!(posted("/maybe", JSON, "{").await.0, 400);
    assert_eq!(posted("/maybe", JSON, "x".repeat(limits::BODY_BYTES + 1)).await.0, 413);
}

#[tokio::test]
async fn ids_of_a_path_are_canonical_or_lead_nowhere() {
    let id = "0190a6b4-7e70-7c3a-8f00-0123456789ab";
    assert_eq!(got(&format!("/rooms/{id}")).await, expected(200, id, ""));
    assert_eq!(
        got(&format!("/rooms/{id}/members/{id}")).await,
        expected(200, &format!("{id} {id}"), "")
    );
    for bad in [
        "x",
        &id.to_uppercase(),
        &id.replace('-', ""),
        &format!("{{{id}}}"),
        "%00",
        "%ff",
    ] {
        for path in [
            format!("/rooms/{bad}"),
            format!("/rooms/{id}/members/{bad}"),
            format!("/rooms/{bad}/members/{id}"),
        ] {
            let path = path.replace('{', "%7B").replace('}', "%7D");
            assert_eq!(got(&path).await, expected(404, "not-found", ""), "{path}");
        }
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_pointed_at() {
    assert_eq!(got("/page").await, expected(200, "7", ""));
    assert_eq!(got("/page?limit=3&later=1").await, expected(200, "3", ""));
    for bad in ["x", "-1", "", "4294967296"] {
        assert_eq!(
            got(&format!("/page?limit={bad}")).await,
            expected(400, "invalid-request", "?limit"),
            "{bad}"
        );
    }
    assert_eq!(got("/page?limit=1&limit=2").await.0, 400);
}

#[tokio::test]
async fn the_door_writes_the_requests_id_into_a_problem() {
    let refused = got_raw("/rooms/x").await;
    let response = with_request_id(refused, "the-id");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["x-request-id"], "the-id");
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(problem["requestId"], "the-id");
}

async fn got_raw(path: &str) -> Response {
    let request = Request::get(path).body(Bytes::empty()).unwrap();
    router().oneshot(request).await.unwrap()
}
