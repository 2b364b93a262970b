//! Extractors that refuse as the contract says.

use std::str::FromStr;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Request},
};
use common::{Code, Problem, limits};
use http::{header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::Refused;

/// A JSON body: 415 for another media type, 413 above 64 KiB, 400 with a pointer for what is wrong in it.
/// `Option<Body<T>>` also takes no body at all, of whatever type that claims to be.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        check_type(&parts)?;
        let bytes = whole(&parts, body).await?;
        parse(&bytes).map(Body).map_err(Refused)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _state: &S) -> Result<Option<Self>, Refused> {
        let (parts, body) = request.into_parts();
        let bytes = whole(&parts, body).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        check_type(&parts)?;
        parse(&bytes).map(|value| Some(Body(value))).map_err(Refused)
    }
}

fn check_type(parts: &Parts) -> Result<(), Problem> {
    let kind = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let is_plain = parts
        .headers
        .get(header::CONTENT_ENCODING)
        .is_none_or(|coding| coding == "identity");
    if is_plain && essence.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "Send the body as application/json, and not compressed.",
    ))
}

/// The whole body.
///
/// # Errors
/// `payload-too-large` above 64 KiB; `invalid-request` for one that did not arrive whole.
pub async fn whole(parts: &Parts, body: axum::body::Body) -> Result<Bytes, Problem> {
    if declared_length(parts).is_some_and(|length| length > limits::BODY_BYTES as u64) {
        return Err(Problem::payload_too_large());
    }
    match Limited::new(body, limits::BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::payload_too_large()),
        Err(_) => Err(Problem::invalid("The body did not arrive whole.")),
    }
}

fn declared_length(parts: &Parts) -> Option<u64> {
    parts.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Parses JSON into `T`.
///
/// # Errors
/// `invalid-request`; its `errors` point at the field (RFC 6901).
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Field by field in their order, which nobody has been told, it would be taken too.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::field("", "must be an object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Problem::field(pointer(error.path()), said(error.inner())))?;
    json.end().map_err(|error| Problem::field("", said(&error)))?;
    Ok(value)
}

/// Without the place in the text, which people have not written: the pointer says where.
fn said(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words
        .rsplit_once(" at line ")
        .map_or(words.clone(), |(words, _)| words.to_owned())
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path.iter() {
        let key = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&key);
    }
    pointer
}

/// Ids of the path, in its order; one that is none in canonical form leads nowhere: 404.
pub struct PathId<T>(pub T);

impl<S: Send + Sync, A: FromStr + Send> FromRequestParts<S> for PathId<A> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let values = path.map_err(|_| Refused(Problem::not_found()))?.0;
        let first = values.first().and_then(|(_, text)| text.parse().ok());
        first.map(PathId).ok_or(Refused(Problem::not_found()))
    }
}

/// Two ids of the path.
pub struct PathIds<A, B>(pub A, pub B);

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let values = path.map_err(|_| Refused(Problem::not_found()))?.0;
        let read = |at: usize| values.get(at).map(|(_, text)| text.as_str());
        match (
            read(0).and_then(|text| text.parse().ok()),
            read(1).and_then(|text| text.parse().ok()),
        ) {
            (Some(a), Some(b)) => Ok(PathIds(a, b)),
            _ => Err(Refused(Problem::not_found())),
        }
    }
}

/// The query string; what is wrong in it is 400 and points at `?name`.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        let query = parts.uri.query().unwrap_or_default();
        let no_text = |pair: &&str| percent_decode_str(pair).decode_utf8().is_err();
        if let Some(pair) = query.split('&').find(no_text) {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            return Err(Refused(Problem::field(format!("?{name}"), "must be UTF-8")));
        }
        let pairs = form_urlencoded::parse(query.as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
            .map(Query)
            .map_err(|error| {
                let name = pointer(error.path());
                let name = name.trim_start_matches('/');
                Refused(Problem::field(format!("?{name}"), error.inner().to_string()))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Draft {
        #[allow(dead_code)]
        rooms: Vec<common::text::RoomName>,
    }

    #[test]
    fn a_wrong_field_is_pointed_at() {
        let pointer_of = |json: &str| parse::<Draft>(json.as_bytes()).unwrap_err().errors[0].pointer.clone();
        assert_eq!(pointer_of(r#"{"rooms":["a",""]}"#), "/rooms/1");
        assert_eq!(pointer_of(r#"{"rooms":7}"#), "/rooms");
        assert_eq!(pointer_of(r#"{"rooms":["\ud800"]}"#), "/rooms/0");
        assert_eq!(pointer_of(r#"{"rooms":[]} x"#), "");
        assert!(parse::<Draft>(br#"{"rooms":[]}"#).is_ok());
    }
}
