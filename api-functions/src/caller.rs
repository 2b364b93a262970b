//! Who asks, verified at this door again, and how the answer is told.

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use common::{
    Code, Problem,
    token::{Actor, Scope},
};
use db_api::{Answer, Call, Seen, types::Made};
use http::{HeaderValue, StatusCode, request::Parts};
use http_contract::{Caller, Refused, headers};
use serde::Serialize;
use service::metrics::Outcome;

use crate::{Api, once};

/// A verified caller who may read, and the circumstances of the call.
pub struct Reader(pub Call);

/// A verified caller who may also write.
pub struct Writer(pub Call);

async fn verified(parts: &Parts, api: &Api) -> Result<Actor, Problem> {
    let checked = match headers::bearer(&parts.headers) {
        Some(token) => admitted(token, api).await,
        None => Err(Problem::unauthenticated()),
    };
    let outcome = match &checked {
        Ok(_) => "ok",
        Err(problem) if problem.code == Code::TokenExpired => "expired",
        Err(_) => "fail",
    };
    api.validations.get_or_create(&Outcome { outcome }).inc();
    checked
}

async fn admitted(token: &str, api: &Api) -> Result<Actor, Problem> {
    let actor = api.verifier.verify(token).await?;
    api.admission.admit(&actor).await?;
    Ok(actor)
}

async fn call(parts: &Parts, api: &Api, scope: Scope) -> Result<Call, Refused> {
    let actor = verified(parts, api).await?;
    if let Some(caller) = parts.extensions.get::<Caller>() {
        caller.is(actor.user_id);
    }
    actor.needs(scope)?;
    let traceparent = headers::traceparent(&parts.headers).map(str::to_owned);
    Ok(Call::of(actor)
        .traced(traceparent)
        .having_seen(headers::seen(&parts.headers))
        .maybe_stale(parts.method.is_safe())
        .done_once(once::of(parts)?))
}

impl FromRequestParts<Api> for Reader {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        call(parts, api, Scope::Read).await.map(Reader)
    }
}

impl FromRequestParts<Api> for Writer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        call(parts, api, Scope::Write).await.map(Writer)
    }
}

/// What a handler answers.
pub type Answered = Result<Response, Refused>;

/// 200 with the object.
pub fn ok<T: Serialize>(answer: Answer<T>) -> Answered {
    with(StatusCode::OK, answer)
}

/// A status with the object; with `chat-seen` after a write, and `chat-stale` for what may lack the newest.
pub fn with<T: Serialize>(status: StatusCode, answer: Answer<T>) -> Answered {
    let mut response = told((status, Json(answer.value)).into_response(), answer.seen);
    if answer.stale {
        let stale = HeaderValue::from_static("true");
        response.headers_mut().insert(headers::CHAT_STALE, stale);
    }
    Ok(response)
}

/// 201 with an object that this call made, 200 with one that was there.
pub fn made<T: Serialize>(answer: Answer<Made<T>>) -> Answered {
    let status = if answer.value.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    with(status, answer.map(|made| made.object))
}

/// 204.
pub fn done<T>(answer: Answer<T>) -> Answered {
    Ok(told(StatusCode::NO_CONTENT.into_response(), answer.seen))
}

fn told(mut response: Response, seen: Option<Seen>) -> Response {
    headers::tell_seen(response.headers_mut(), seen);
    response
}
