//! What signed-in people do about their own account: see and end their sessions, change their password.

use axum::{
    Extension, Json, Router,
    extract::{FromRequestParts, State},
    http::request::Parts,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use common::{
    SessionId, limits,
    token::{Actor, Scope},
};
use db_api::{
    Answer, Call,
    types::{ChangePassword, EndSession, Nothing},
};
use http::StatusCode;
use http_contract::{
    Body, Caller, ClientAddress, PathId, Refused,
    auth::{OwnSession, OwnSessions, PasswordBody},
    headers,
};

use crate::Edge;

pub fn router() -> Router<Edge> {
    Router::new()
        .route("/auth/sessions", get(sessions))
        .route("/auth/sessions/{sid}", delete(end_session))
        .route("/auth/password", post(change_password))
}

/// Who asks, with a token that may read.
struct Reader(Actor, Call);

/// With one that may also write.
struct Writer(Call);

async fn admitted(parts: &Parts, edge: &Edge, scope: Scope) -> Result<(Actor, Call), Refused> {
    let actor = edge.admit_bearer(headers::bearer(&parts.headers)).await?;
    if let Some(caller) = parts.extensions.get::<Caller>() {
        caller.is(actor.user_id);
    }
    actor.needs(scope)?;
    let traceparent = headers::traceparent(&parts.headers).map(str::to_owned);
    Ok((actor.clone(), Call::of(actor).traced(traceparent)))
}

impl FromRequestParts<Edge> for Reader {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Refused> {
        admitted(parts, edge, Scope::Read)
            .await
            .map(|(actor, call)| Reader(actor, call))
    }
}

impl FromRequestParts<Edge> for Writer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Refused> {
        admitted(parts, edge, Scope::Write).await.map(|(_, call)| Writer(call))
    }
}

async fn sessions(State(edge): State<Edge>, Reader(actor, call): Reader) -> Result<Response, Refused> {
    let sessions = edge.db.sessions(call, Nothing {}).await?.value;
    let own = |session: db_api::types::SessionEntry| OwnSession {
        sid: session.session_id,
        device: session.device,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        current: session.session_id == actor.session_id,
    };
    let items = sessions.items.into_iter().map(own).collect();
    Ok(Json(OwnSessions { items }).into_response())
}

async fn end_session(
    State(edge): State<Edge>,
    Writer(call): Writer,
    PathId(session_id): PathId<SessionId>,
) -> Result<Response, Refused> {
    Ok(done(edge.db.end_session(call, EndSession { session_id }).await?))
}

async fn change_password(
    State(edge): State<Edge>,
    Writer(call): Writer,
    address: Option<Extension<ClientAddress>>,
    Body(body): Body<PasswordBody>,
) -> Result<Response, Refused> {
    let request = ChangePassword {
        current_password: body.current_password.into_string(),
        new_password: body.new_password,
        client_address: address.map(|address| address.0.0.to_string()),
    };
    Ok(done(
        edge.db
            .change_password(call.within(limits::HASH_DEADLINE), request)
            .await?,
    ))
}

/// 204.
pub fn done<T>(answer: Answer<T>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    headers::tell_seen(response.headers_mut(), answer.seen);
    response
}
