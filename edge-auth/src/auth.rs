//! The routes of accounts and sessions (contract, section 2).

use axum::{
    Extension, Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use common::{Problem, limits};
use db_api::{
    Call,
    types::{Login, Logout, Refresh, Register},
};
use http::{HeaderMap, StatusCode, header};
use http_contract::{
    Body, Caller, ClientAddress, Refused,
    auth::{Delivery, LoginBody, RefreshBody, RegisterBody, Verified},
    headers,
};

use crate::{Edge, account, cookie};

pub fn router(edge: Edge) -> Router {
    Router::new()
        .route("/auth/register", post(register))
        .route("/auth/login", post(login))
        .route("/auth/refresh", post(refresh))
        .route("/auth/logout", post(logout))
        .route("/auth/verify", get(verify))
        .route("/.well-known/jwks.json", get(published_keys))
        .merge(account::router())
        .with_state(edge)
}

fn call(headers: &HeaderMap) -> Call {
    Call::anonymous().traced(headers::traceparent(headers).map(str::to_owned))
}

async fn register(
    State(edge): State<Edge>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<RegisterBody>,
) -> Result<Response, Refused> {
    let request = Register {
        username: body.username,
        password: body.password,
        display_name: body.display_name,
        device: None,
    };
    let call = call(&headers).within(limits::HASH_DEADLINE);
    let grant = edge.db.register(call, request).await?;
    caller.is(grant.value.user.id);
    edge.session(StatusCode::CREATED, grant, body.token_delivery, &headers)
}

async fn login(
    State(edge): State<Edge>,
    caller: Caller,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    Body(body): Body<LoginBody>,
) -> Result<Response, Refused> {
    let request = Login {
        username: body.username.into_string(),
        password: body.password.into_string(),
        device: body.device,
        scopes: body.scopes,
        client_address: address.map(|address| address.0.0.to_string()),
    };
    let call = call(&headers).within(limits::HASH_DEADLINE);
    let grant = edge.db.login(call, request).await?;
    caller.is(grant.value.user.id);
    edge.session(StatusCode::OK, grant, body.token_delivery, &headers)
}

/// The refresh token of a request, and how it came. The body's comes first: a program says what it means.
fn refresh_token(
    edge: &Edge,
    headers: &HeaderMap,
    body: Option<Body<RefreshBody>>,
) -> Result<Option<(String, Delivery)>, Problem> {
    if let Some(token) = body.and_then(|body| body.0.refresh_token) {
        return Ok(Some((token.into_string(), Delivery::Body)));
    }
    let Some(token) = cookie::read(headers) else {
        return Ok(None);
    };
    // A cookie is sent by the browser, not by the page: only our own pages may use it.
    headers::require_origin(headers, &edge.allowed_origins)?;
    Ok(Some((token, Delivery::Cookie)))
}

async fn refresh(
    State(edge): State<Edge>,
    caller: Caller,
    headers: HeaderMap,
    body: Option<Body<RefreshBody>>,
) -> Result<Response, Refused> {
    let found = refresh_token(&edge, &headers, body)?;
    let (refresh_token, delivery) = found.ok_or_else(Problem::unauthenticated)?;
    let request = Refresh {
        refresh_token,
        idempotency_key: headers::idempotency_key(&headers)?,
    };
    let grant = edge.db.refresh(call(&headers), request).await?;
    caller.is(grant.value.user.id);
    edge.session(StatusCode::OK, grant, delivery, &headers)
}

async fn logout(
    State(edge): State<Edge>,
    caller: Caller,
    headers: HeaderMap,
    body: Option<Body<RefreshBody>>,
) -> Result<Response, Refused> {
    let refresh_token = refresh_token(&edge, &headers, body)?.map(|(token, _)| token);
    let mut call = call(&headers);
    if refresh_token.is_none()
        && let Some(token) = headers::bearer(&headers)
    {
        let actor = edge.verify(token)?;
        caller.is(actor.user_id);
        call.actor = Some(actor);
    }
    let done = edge.db.logout(call, Logout { refresh_token }).await?;
    let mut response = account::done(done);
    let secure = cookie::is_secure(edge.secure_cookies, &headers);
    response
        .headers_mut()
        .extend(cookie::cleared(secure).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

async fn verify(State(edge): State<Edge>, caller: Caller, headers: HeaderMap) -> Result<Response, Refused> {
    let actor = edge.admit_bearer(headers::bearer(&headers)).await?;
    caller.is(actor.user_id);
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
    (
        [(header::CACHE_CONTROL, cache)],
        Json(edge.signing().ring.published(edge.now())),
    )
        .into_response()
}
