//! `Idempotency-Key` on a `POST` (contract, section 3, "Identity"). The body is hashed as it came, before anybody parses
//! it; db-core keeps key and hash with what the request did.

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::Problem;
use db_api::Once;
use http::{Method, request::Parts};
use http_contract::{Refused, extract, headers};
use sha2::{Digest, Sha256};

/// SHA-256 of the body of a request that carries a key, base64url.
#[derive(Clone)]
struct BodyHash(String);

/// Hashes the bodies of the requests that carry a key.
pub async fn hash_body(request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(headers::IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    match extract::whole(&parts, body).await {
        Ok(bytes) => {
            let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes));
            parts.extensions.insert(BodyHash(hash));
            next.run(Request::from_parts(parts, Body::from(bytes))).await
        }
        Err(problem) => Refused(problem).into_response(),
    }
}

/// What makes the request one that is done once, if it is one.
///
/// # Errors
/// `invalid-request` for a key that is none.
pub fn of(parts: &Parts) -> Result<Option<Once>, Problem> {
    let Some(BodyHash(body)) = parts.extensions.get::<BodyHash>().cloned() else {
        return Ok(None);
    };
    let once = |key| Once {
        key,
        scope: format!("{} {}", parts.method, parts.uri.path()),
        body,
    };
    Ok(headers::idempotency_key(&parts.headers)?.map(once))
}
