//! Each route of `/auth`: what it answers, what it asks of the core, and each way to be refused.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use axum::{Router, body::Body};
use common::{
    SessionId, Timestamp, jwk::SigningKey, key_ring::KeyRing, limits, revocation::RevocationList, token::Scope,
};
use db_api::Refusal;
use edge_auth::{Edge, SecureCookies, Source, auth};
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use support::{ISSUER, ORIGIN, Scripted, claims, session_id, signed, signing_key, user_id};
use tower::ServiceExt;
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1_900_000_000_000);
const PASSWORD: &str = "correct horse";
const COOKIE: &str = "chat_refresh=old-refresh-token";

struct Answer {
    status: u16,
    headers: HeaderMap,
    json: Value,
}

impl Answer {
    fn cookie(&self) -> &str {
        self.headers[header::SET_COOKIE].to_str().unwrap()
    }

    fn refused(&self) -> (u16, &str) {
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json",
            "{}",
            self.json
        );
        assert!(!self.headers.contains_key(header::SET_COOKIE));
        (self.status, self.json["code"].as_str().unwrap())
    }

    fn pointer(&self) -> &str {
        assert_eq!(self.refused(), (400, "invalid-request"));
        self.json["errors"][0]["pointer"].as_str().unwrap()
    }
}

struct Fixture {
    core: Arc<Scripted>,
    router: Router,
}

impl Fixture {
    fn new() -> Self {
        let core = support::core();
        let source = Source {
            now: || NOW,
            id: || Uuid::from_u128(1),
        };
        let (origins, cookies) = (vec![ORIGIN.to_owned()], SecureCookies::Auto);
        let edge = Edge::new(
            core.clone(),
            KeyRing::of(signing_key()),
            ISSUER.to_owned(),
            origins,
            cookies,
            source,
        );
        edge.admission().take(RevocationList::new(1, NOW, &[ended_session()]));
        Self {
            core,
            router: auth::router(edge),
        }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "chat.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .router
            .clone()
            .oneshot(request.body(body.into()).unwrap())
            .await
            .unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            headers,
            json: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &[("content-type", "application/json")], body.to_string())
            .await
    }

    async fn bare(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("POST", path, headers, "").await
    }
}

/// One that the door was told of.
fn ended_session() -> SessionId {
    SessionId(Uuid::from_u128(66))
}

fn bearer(claims: &common::token::Claims) -> String {
    format!("Bearer {}", signed(&signing_key(), claims))
}

fn credentials() -> Value {
    json!({ "username": "ada", "password": PASSWORD })
}

#[tokio::test]
async fn a_session_is_delivered_by_cookie_unless_a_program_asks() {
    let fixture = Fixture::new();
    for (path, status) in [("/auth/register", 201), ("/auth/login", 200)] {
        let answer = fixture.post(path, credentials()).await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.json["user"],
            json!({ "id": user_id(), "username": "ada", "displayName": "Ada" })
        );
        assert_eq!(
            (&answer.json["tokenType"], &answer.json["expiresIn"]),
            (&json!("Bearer"), &json!(600))
        );
        assert!(answer.json.get("refreshToken").is_none());
        let cookie = "chat_refresh=next-refresh-token; Path=/auth; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(answer.cookie(), cookie);

        let mut body = credentials();
        body["tokenDelivery"] = json!("body");
        let answer = fixture.post(path, body).await;
        assert_eq!(answer.json["refreshToken"], "next-refresh-token");
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
}

#[tokio::test]
async fn an_access_token_says_what_the_core_granted() {
    let fixture = Fixture::new();
    let session = fixture.post("/auth/login", credentials()).await.json;
    let bearer = format!("Bearer {}", session["accessToken"].as_str().unwrap());
    let verified = fixture
        .ask("GET", "/auth/verify", &[("authorization", &bearer)], "")
        .await;
    let expected = json!({
        "sub": user_id(), "sid": session_id(), "role": "user", "scopes": ["chat:read", "chat:write"],
        "exp": NOW.seconds() + 600,
    });
    assert_eq!((verified.status, verified.json), (200, expected));
    assert_eq!(fixture.core.count(), 1, "a token is verified without a call");
}

#[tokio::test]
async fn what_was_typed_reaches_the_core() {
    let fixture = Fixture::new();
    fixture
        .post(
            "/auth/register",
            json!({ "username": "Ada", "password": PASSWORD, "displayName": "Ada L", "x": 1 }),
        )
        .await;
    let asked = fixture.core.last();
    assert_eq!(
        (&asked.request["username"], &asked.request["displayName"]),
        (&json!("ada"), &json!("Ada L"))
    );
    assert_eq!(asked.call.deadline(), limits::HASH_DEADLINE);
    let login = json!({ "username": "no such name", "password": "x", "device": "phone", "scopes": ["chat:read"] });
    fixture.post("/auth/login", login).await;
    let request = fixture.core.last().request;
    assert_eq!(
        (&request["username"], &request["device"]),
        (&json!("no such name"), &json!("phone"))
    );
    assert_eq!(request["scopes"], json!(["chat:read"]));
}

#[tokio::test]
async fn a_wrong_field_is_pointed_at_and_the_core_not_asked() {
    let fixture = Fixture::new();
    for (path, field, bad) in [
        ("/auth/register", "username", json!("a b")),
        ("/auth/register", "password", json!("too short")),
        ("/auth/register", "displayName", json!(" ")),
        ("/auth/register", "tokenDelivery", json!("carrier pigeon")),
        ("/auth/login", "username", json!(7)),
        ("/auth/login", "username", json!("a\0b")),
        ("/auth/login", "password", json!("a\0b")),
        ("/auth/login", "device", json!("")),
        ("/auth/login", "scopes", json!(["chat:admin"])),
        ("/auth/refresh", "refreshToken", json!(7)),
        ("/auth/logout", "refreshToken", json!("a\0b")),
    ] {
        let mut body = credentials();
        body[field] = bad.clone();
        let answer = fixture.post(path, body).await;
        assert!(
            answer.pointer().starts_with(&format!("/{field}")),
            "{path} {field} {bad}: {}",
            answer.json
        );
    }
    assert_eq!(fixture.core.count(), 0);
}

#[tokio::test]
async fn bodies_that_are_none() {
    let fixture = Fixture::new();
    let json = [("content-type", "application/json")];
    for path in ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"] {
        for broken in ["{", "null", "7", "[]x"] {
            assert_eq!(
                fixture.ask("POST", path, &json, broken).await.refused(),
                (400, "invalid-request"),
                "{path}"
            );
        }
        let typed = fixture.ask("POST", path, &[("content-type", "text/plain")], "{}").await;
        assert_eq!(typed.refused(), (415, "unsupported-media-type"), "{path}");
        let large = fixture
            .ask("POST", path, &json, " ".repeat(limits::BODY_BYTES + 1))
            .await;
        assert_eq!(large.refused(), (413, "payload-too-large"), "{path}");
    }
    assert_eq!(fixture.core.count(), 0);
}

#[tokio::test]
async fn the_cores_refusals_are_the_contracts_codes() {
    let fixture = Fixture::new();
    let refusals = [
        (Refusal::invalid("/password", "is too common"), (400, "invalid-request")),
        (Refusal::Unauthenticated, (401, "unauthenticated")),
        (Refusal::InvalidCredentials, (401, "invalid-credentials")),
        (Refusal::forbidden("Registration is closed."), (403, "forbidden")),
        (Refusal::conflict("The username is taken."), (409, "conflict")),
        (Refusal::RateLimited { retry_after_ms: 1_001 }, (429, "rate-limited")),
        (Refusal::Internal, (500, "internal")),
        (Refusal::unavailable("the host db-7 is away"), (503, "unavailable")),
    ];
    for (refusal, expected) in refusals {
        *fixture.core.refusal.lock() = Some(refusal);
        for path in ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"] {
            let mut body = credentials();
            body["refreshToken"] = json!("old-refresh-token");
            let answer = fixture.post(path, body).await;
            assert_eq!(answer.refused(), expected, "{path}");
            let retry = answer
                .headers
                .get(header::RETRY_AFTER)
                .map(|seconds| seconds.to_str().unwrap());
            let promised = match expected.0 {
                429 => Some("2"),
                503 => Some("1"),
                _ => None,
            };
            assert_eq!(retry, promised, "{path}");
            assert!(!answer.json.to_string().contains("db-7"));
        }
    }
}

#[tokio::test]
async fn a_refresh_is_delivered_as_it_came() {
    let fixture = Fixture::new();
    let ours = [("cookie", COOKIE), ("origin", ORIGIN), ("idempotency-key", "k-1")];
    let answer = fixture.bare("/auth/refresh", &ours).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .cookie()
            .starts_with("chat_refresh=next-refresh-token; Path=/auth;")
    );
    assert!(answer.json.get("refreshToken").is_none());
    let request = fixture.core.last().request;
    assert_eq!(
        request,
        json!({ "refreshToken": "old-refresh-token", "idempotencyKey": "k-1" })
    );

    let answer = fixture.post("/auth/refresh", json!({ "refreshToken": "mine" })).await;
    assert_eq!(
        (answer.status, &answer.json["refreshToken"]),
        (200, &json!("next-refresh-token"))
    );
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
    assert_eq!(fixture.core.last().request["refreshToken"], "mine");
}

#[tokio::test]
async fn a_refused_request_spends_nothing() {
    let fixture = Fixture::new();
    for path in ["/auth/refresh", "/auth/logout"] {
        for origin in [None, Some("https://evil.example"), Some("null")] {
            let mut headers = vec![("cookie", COOKIE)];
            headers.extend(origin.map(|origin| ("origin", origin)));
            assert_eq!(
                fixture.bare(path, &headers).await.refused(),
                (403, "forbidden"),
                "{path} {origin:?}"
            );
        }
    }
    let spaced = [("cookie", COOKIE), ("origin", ORIGIN), ("idempotency-key", "a b")];
    assert_eq!(
        fixture.bare("/auth/refresh", &spaced).await.pointer(),
        "Idempotency-Key"
    );
    assert_eq!(
        fixture.bare("/auth/refresh", &[]).await.refused(),
        (401, "unauthenticated")
    );
    assert_eq!(
        fixture.post("/auth/refresh", json!({})).await.refused(),
        (401, "unauthenticated")
    );
    assert_eq!(fixture.core.count(), 0);
}

#[tokio::test]
async fn a_logout_ends_the_session_and_clears_the_cookie() {
    let fixture = Fixture::new();
    let token = signed(&signing_key(), &claims(NOW, 60));
    let bearer = format!("Bearer {token}");
    for (headers, refresh_token, actor) in [
        (
            vec![("cookie", COOKIE), ("origin", ORIGIN)],
            Some("old-refresh-token"),
            false,
        ),
        (vec![("authorization", bearer.as_str())], None, true),
        (vec![], None, false),
    ] {
        let answer = fixture.bare("/auth/logout", &headers).await;
        assert_eq!(answer.status, 204);
        assert!(answer.cookie().starts_with("chat_refresh=; Path=/auth; Max-Age=0;"));
        let asked = fixture.core.last();
        assert_eq!(asked.request["refreshToken"].as_str(), refresh_token);
        assert_eq!(asked.call.actor.map(|actor| actor.session_id), actor.then(session_id));
    }
}

#[tokio::test]
async fn tokens_that_are_not_ours_are_refused() {
    let fixture = Fixture::new();
    let good = claims(NOW, 60);
    let skew = limits::CLOCK_SKEW.as_secs() as i64;
    let mut elsewhere = good.clone();
    elsewhere.iss = "https://other.example".to_owned();
    let mut for_others = good.clone();
    for_others.aud = "other".to_owned();
    let key = signing_key();
    let (mut richer, genuine) = (good.clone(), signed(&key, &good));
    richer.scopes.push(Scope::Write);
    let signature = genuine.rsplit('.').next().unwrap();
    let forged = signed(&key, &richer);
    let tampered = format!("{}.{signature}", forged.rsplit_once('.').unwrap().0);
    let refused = [
        (signed(&SigningKey::from_seed([2; 32]), &good), "unauthenticated"),
        (signed(&key, &elsewhere), "unauthenticated"),
        (signed(&key, &for_others), "unauthenticated"),
        (tampered, "unauthenticated"),
        ("a.b.c".to_owned(), "unauthenticated"),
        (signed(&key, &claims(NOW, -skew)), "token-expired"),
    ];
    for (token, code) in &refused {
        let bearer = [("authorization", format!("Bearer {token}"))];
        let headers: Vec<(&str, &str)> = bearer.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(
            fixture.ask("GET", "/auth/verify", &headers, "").await.refused(),
            (401, *code)
        );
        assert_eq!(fixture.bare("/auth/logout", &headers).await.refused(), (401, *code));
    }
    assert_eq!(
        fixture.ask("GET", "/auth/verify", &[], "").await.refused(),
        (401, "unauthenticated")
    );
    assert_eq!(fixture.core.count(), 0);
}

#[tokio::test]
async fn the_published_keys_are_public_and_may_be_kept() {
    let answer = Fixture::new().ask("GET", "/.well-known/jwks.json", &[], "").await;
    assert_eq!(answer.headers[header::CACHE_CONTROL], "public, max-age=300");
    let key = &answer.json["keys"][0];
    assert_eq!(key["kid"], json!(signing_key().public().kid));
    assert!(key.get("d").is_none(), "{key}");
}

#[tokio::test]
async fn a_session_that_was_ended_is_no_session_any_more() {
    let fixture = Fixture::new();
    let mut claims = claims(NOW, 60);
    claims.sid = ended_session();
    claims.scopes = vec![Scope::Read, Scope::Write];
    let authorization = bearer(&claims);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let ended = format!("/auth/sessions/{}", session_id());
    for (method, path) in [
        ("GET", "/auth/verify"),
        ("GET", "/auth/sessions"),
        ("DELETE", ended.as_str()),
        ("POST", "/auth/password"),
    ] {
        let answer = fixture.ask(method, path, &headers, "{}").await;
        assert_eq!(answer.refused(), (401, "unauthenticated"), "{method} {path}");
    }
    // Signing out again is no error.
    assert_eq!(fixture.ask("POST", "/auth/logout", &headers, "{}").await.status, 204);
}

#[tokio::test]
async fn own_sessions_are_read_by_who_may_read_and_ended_by_who_may_write() {
    let fixture = Fixture::new();
    let reader = bearer(&claims(NOW, 60));
    let mut both = claims(NOW, 60);
    both.scopes = vec![Scope::Read, Scope::Write];
    let writer = bearer(&both);
    let listed = fixture
        .ask("GET", "/auth/sessions", &[("authorization", &reader)], "")
        .await;
    assert_eq!(listed.status, 200);
    let session = |sid: SessionId, current: bool| json!({ "sid": sid, "createdAt": "2033-05-18T03:33:20.000Z", "lastSeenAt": "2033-05-18T03:33:20.000Z", "current": current });
    assert_eq!(
        listed.json,
        json!({ "items": [session(session_id(), true), session(ended_session(), false)] })
    );
    let path = format!("/auth/sessions/{}", session_id());
    let end = async |authorization: &str, path: &str| {
        fixture
            .ask("DELETE", path, &[("authorization", authorization)], "")
            .await
    };
    assert_eq!(end(&reader, &path).await.refused(), (403, "forbidden"));
    assert_eq!(end(&writer, "/auth/sessions/mine").await.refused(), (404, "not-found"));
    assert_eq!(end(&writer, &path).await.status, 204);
    assert_eq!(fixture.core.last().request, json!({ "sessionId": session_id() }));
}

#[tokio::test]
async fn a_password_is_changed_by_who_may_write_and_is_a_good_one() {
    let fixture = Fixture::new();
    let mut both = claims(NOW, 60);
    both.scopes = vec![Scope::Read, Scope::Write];
    let (reader, writer) = (bearer(&claims(NOW, 60)), bearer(&both));
    let change = async |authorization: &str, new: &str| {
        let body = json!({ "currentPassword": PASSWORD, "newPassword": new });
        let headers = [("authorization", authorization), ("content-type", "application/json")];
        fixture.ask("POST", "/auth/password", &headers, body.to_string()).await
    };
    assert_eq!(change(&reader, "staple and more").await.refused(), (403, "forbidden"));
    assert_eq!(change(&writer, "short").await.pointer(), "/newPassword");
    assert_eq!(fixture.core.count(), 0);
    assert_eq!(change(&writer, "staple and more").await.status, 204);
    let asked = fixture.core.last();
    assert_eq!(asked.request["newPassword"], "staple and more");
    assert_eq!(asked.call.actor.map(|actor| actor.user_id), Some(user_id()));
    *fixture.core.refusal.lock() = Some(Refusal::InvalidCredentials);
    assert_eq!(
        change(&writer, "staple and more").await.refused(),
        (401, "invalid-credentials")
    );
}
