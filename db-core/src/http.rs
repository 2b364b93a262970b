//! The contract over HTTP: `POST /v1/{operation}` with a service's token.

use std::{collections::HashMap, sync::Arc};

use ::http::{HeaderMap, StatusCode, header};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    response::{IntoResponse, Response},
    routing::post,
};
use common::{
    Problem,
    key_list::KeyList,
    service_token::{Service, ServiceKey},
};
use db_api::{Call, DbApi, Refusal, contract::callers, with_operations};
use serde::{Serialize, de::DeserializeOwned};

/// The keys of the services that may call.
pub type ServiceKeys = HashMap<Service, ServiceKey>;

/// Reads `edge-auth=KEY,ws-core=KEY:OTHER`.
///
/// # Errors
/// Says what is wrong, without the keys.
pub fn parse_keys(text: &str) -> Result<ServiceKeys, String> {
    text.split(',')
        .map(|pair| {
            let (name, key) = pair.trim().split_once('=').ok_or("must be a list of SERVICE=KEY")?;
            let service = Service::parse(name).ok_or_else(|| format!("`{name}` is no service"))?;
            let keys: KeyList = key.parse().map_err(|what| format!("{name}: {what}"))?;
            Ok((service, ServiceKey::new(keys)))
        })
        .collect()
}

#[derive(Clone)]
struct Served {
    db: Arc<dyn DbApi>,
    keys: Arc<ServiceKeys>,
}

/// Bytes of a call: a full batch of drafts fits.
const CALL_BYTES: usize = 8 * 1024 * 1024;

pub fn router(db: Arc<dyn DbApi>, keys: ServiceKeys) -> Router {
    Router::new()
        .route("/v1/{operation}", post(operation))
        .layer(DefaultBodyLimit::max(CALL_BYTES))
        .with_state(Served {
            db,
            keys: Arc::new(keys),
        })
}

#[derive(serde::Deserialize)]
struct Asked<T> {
    call: Call,
    request: T,
}

/// Who calls, by its token; an operation that it may not call is refused.
fn admit(served: &Served, headers: &HeaderMap, operation: &str) -> Result<(), StatusCode> {
    let allowed = callers(operation).ok_or(StatusCode::NOT_FOUND)?;
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization
        .and_then(common::token::bearer)
        .ok_or(StatusCode::UNAUTHORIZED)?;
    let now = service::minted::now();
    let caller = served
        .keys
        .iter()
        .find(|(service, key)| key.verifies(token, **service, now));
    let (service, _) = caller.ok_or(StatusCode::UNAUTHORIZED)?;
    if allowed.contains(service) {
        Ok(())
    } else {
        Err(StatusCode::FORBIDDEN)
    }
}

async fn operation(
    State(served): State<Served>,
    Path(operation): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(status) = admit(&served, &headers, &operation) {
        tracing::warn!(operation, status = status.as_u16(), "refused a service's call");
        return status.into_response();
    }
    macro_rules! dispatch {
        ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
            match operation.as_str() {
                $(stringify!($name) => match parse(&body) {
                    Ok(Asked { call, request }) => reply(served.db.$name(call, request).await),
                    Err(refusal) => reply::<()>(Err(refusal)),
                },)*
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        };
    }
    with_operations!(dispatch)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<Asked<T>, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        tracing::error!(%error, "a service's call can't be read");
        Refusal::Internal
    })
}

fn reply<T: Serialize>(reply: db_api::Reply<T>) -> Response {
    match reply {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(refusal) => {
            let status = Problem::from(refusal.clone()).code.status();
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, axum::Json(refusal)).into_response()
        }
    }
}
