//! The routes of accounts and sessions (contract, section 2).

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use common::{
    Problem, limits,
    room::User,
    text::{DeviceName, DisplayName, IdempotencyKey, Password, Username},
    token::{self, Actor, CLIENT_ID, Claims, Scope},
};
use db_api::{
    Call,
    types::{Login, Logout, Refresh, Register, SessionGrant},
};
use http::{HeaderMap, StatusCode, header};
use http_contract::{Body, ClientAddress, Refused, extract, headers};
use serde::{Deserialize, Serialize};

use crate::{Edge, cookie, jwks};

/// How a session's refresh token reaches its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    #[default]
    Cookie,
    Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegisterBody {
    username: Username,
    password: Password,
    #[serde(default)]
    display_name: Option<DisplayName>,
    #[serde(default)]
    token_delivery: Delivery,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginBody {
    username: String,
    password: String,
    #[serde(default)]
    device: Option<DeviceName>,
    #[serde(default)]
    token_delivery: Delivery,
    #[serde(default)]
    scopes: Option<Vec<Scope>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct RefreshBody {
    #[serde(default)]
    refresh_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    user: User,
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

#[derive(Serialize)]
struct Verified {
    sub: common::UserId,
    sid: common::SessionId,
    role: common::room::AccountRole,
    scopes: Vec<Scope>,
    exp: i64,
}

pub fn router(edge: Edge) -> Router {
    Router::new()
        .route("/auth/register", post(register))
        .route("/auth/login", post(login))
        .route("/auth/refresh", post(refresh))
        .route("/auth/logout", post(logout))
        .route("/auth/verify", get(verify))
        .route("/.well-known/jwks.json", get(published_keys))
        .with_state(edge)
}

fn call(headers: &HeaderMap) -> Call {
    Call::anonymous().traced(headers::traceparent(headers).map(str::to_owned))
}

async fn register(
    State(edge): State<Edge>,
    headers: HeaderMap,
    Body(body): Body<RegisterBody>,
) -> Result<Response, Refused> {
    let request = Register {
        username: body.username,
        password: body.password,
        display_name: body.display_name,
        device: None,
    };
    let grant = edge
        .db
        .register(call(&headers).within(limits::HASH_DEADLINE), request)
        .await?
        .value;
    edge.session(StatusCode::CREATED, grant, body.token_delivery, &headers)
}

async fn login(
    State(edge): State<Edge>,
    address: Option<axum::Extension<ClientAddress>>,
    headers: HeaderMap,
    Body(body): Body<LoginBody>,
) -> Result<Response, Refused> {
    let request = Login {
        username: body.username,
        password: body.password,
        device: body.device,
        scopes: body.scopes,
        client_address: address.map(|address| address.0.0.to_string()),
    };
    let grant = edge
        .db
        .login(call(&headers).within(limits::HASH_DEADLINE), request)
        .await?
        .value;
    edge.session(StatusCode::OK, grant, body.token_delivery, &headers)
}

/// The refresh token of a request, and how it came. The body's comes first: a program says what it means.
fn refresh_token(edge: &Edge, headers: &HeaderMap, body: &[u8]) -> Result<Option<(String, Delivery)>, Problem> {
    let body: RefreshBody = if body.is_empty() {
        RefreshBody::default()
    } else {
        extract::parse(body)?
    };
    if let Some(token) = body.refresh_token {
        return Ok(Some((token, Delivery::Body)));
    }
    let Some(token) = cookie::read(headers) else {
        return Ok(None);
    };
    // A cookie is sent by the browser, not by the page: only our own pages may use it.
    headers::require_origin(headers, &edge.allowed_origins)?;
    Ok(Some((token, Delivery::Cookie)))
}

async fn refresh(State(edge): State<Edge>, headers: HeaderMap, body: axum::body::Bytes) -> Result<Response, Refused> {
    let found = refresh_token(&edge, &headers, &body)?;
    let (refresh_token, delivery) = found.ok_or_else(Problem::unauthenticated)?;
    let key = headers.get("idempotency-key").map(|key| {
        let parsed = key.to_str().ok().and_then(|key| IdempotencyKey::parse(key).ok());
        parsed.ok_or_else(|| Problem::field("Idempotency-Key", "must be 1 to 128 visible ASCII characters"))
    });
    let request = Refresh {
        refresh_token,
        idempotency_key: key.transpose()?,
    };
    let grant = edge.db.refresh(call(&headers), request).await?.value;
    edge.session(StatusCode::OK, grant, delivery, &headers)
}

async fn logout(State(edge): State<Edge>, headers: HeaderMap, body: axum::body::Bytes) -> Result<Response, Refused> {
    let refresh_token = refresh_token(&edge, &headers, &body)?.map(|(token, _)| token);
    let mut call = call(&headers);
    if refresh_token.is_none()
        && let Some(token) = headers::bearer(&headers)
    {
        call.actor = Some(edge.verify(token)?);
    }
    edge.db.logout(call, Logout { refresh_token }).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let secure = cookie::is_secure(edge.secure_cookies, &headers);
    response
        .headers_mut()
        .extend(cookie::cleared(secure).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

async fn verify(State(edge): State<Edge>, headers: HeaderMap) -> Result<Response, Refused> {
    let token = headers::bearer(&headers).ok_or_else(Problem::unauthenticated)?;
    let actor = edge.verify(token)?;
    let verified = Verified {
        sub: actor.user_id,
        sid: actor.session_id,
        role: actor.role,
        scopes: actor.scopes,
        exp: actor.expires_at.seconds(),
    };
    Ok(Json(verified).into_response())
}

async fn published_keys(State(edge): State<Edge>) -> Response {
    let cache = format!("public, max-age={}", limits::JWKS_MAX_AGE.as_secs());
    ([(header::CACHE_CONTROL, cache)], Json(jwks(&edge.signing_key))).into_response()
}

impl Edge {
    fn verify(&self, token: &str) -> Result<Actor, Problem> {
        Ok(token::verify(&self.keys, &self.issuer, token, (self.source.now)())?)
    }

    fn session(
        &self,
        status: StatusCode,
        grant: SessionGrant,
        delivery: Delivery,
        headers: &HeaderMap,
    ) -> Result<Response, Refused> {
        let now = (self.source.now)();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: token::AUDIENCE.to_owned(),
            sub: grant.user.id,
            sid: grant.session_id,
            name: grant.user.display_name.as_str().to_owned(),
            role: grant.role,
            scopes: grant.scopes,
            iat: now.seconds(),
            exp: now.plus(limits::ACCESS_TOKEN_LIFE).seconds(),
            jti: (self.source.id)(),
            client_id: CLIENT_ID.to_owned(),
        };
        let access_token = token::sign(&self.signing_key, &claims).map_err(|_| Problem::internal())?;
        let set_cookie = match delivery {
            Delivery::Body => None,
            Delivery::Cookie => cookie::set(&grant.refresh_token, cookie::is_secure(self.secure_cookies, headers)),
        };
        let session = Session {
            user: grant.user,
            access_token,
            token_type: "Bearer",
            expires_in: limits::ACCESS_TOKEN_LIFE.as_secs(),
            refresh_token: (delivery == Delivery::Body).then_some(grant.refresh_token),
        };
        let mut response = (status, Json(session)).into_response();
        response
            .headers_mut()
            .extend(set_cookie.map(|cookie| (header::SET_COOKIE, cookie)));
        Ok(response)
    }
}
