//! Headers that several doors read.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
};

use axum::extract::FromRequestParts;
use common::{Problem, UserId, limits, text::IdempotencyKey, token};
use db_api::Seen;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

pub const CHAT_SEEN: &str = "chat-seen";
pub const CHAT_STALE: &str = "chat-stale";
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
pub const TRACEPARENT: &str = "traceparent";

/// Who a request turned out to come from, told by the handler that verified it to the door that logs it.
#[derive(Debug, Clone, Default)]
pub struct Caller(Arc<OnceLock<UserId>>);

impl Caller {
    pub fn is(&self, user: UserId) {
        let _ = self.0.set(user);
    }

    pub fn user(&self) -> Option<UserId> {
        self.0.get().copied()
    }
}

/// The one of the door, else one that nobody listens to.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Where a request came from: the peer, or what a trusted proxy says of it.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub std::net::IpAddr);

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The token of `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    text(headers, header::AUTHORIZATION.as_str()).and_then(token::bearer)
}

/// What the client has seen. Of one that can't be ours nothing is left, which is beyond what anybody can prove to have.
pub fn seen(headers: &HeaderMap) -> Option<Seen> {
    let seen = headers.get(CHAT_SEEN)?.to_str().unwrap_or_default();
    let ours = Some(seen).filter(|seen| seen.len() <= limits::SEEN_CHARS);
    Some(Seen(ours.unwrap_or_default().to_owned()))
}

/// Says after a write what its writer has seen by now.
pub fn tell_seen(headers: &mut HeaderMap, seen: Option<Seen>) {
    let seen = seen.and_then(|seen| HeaderValue::try_from(seen.0).ok());
    headers.extend(seen.map(|seen| (HeaderName::from_static(CHAT_SEEN), seen)));
}

/// The `Idempotency-Key`, if there is one.
///
/// # Errors
/// `invalid-request` for one that is no key.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let parsed = key.to_str().ok().and_then(|key| IdempotencyKey::parse(key).ok());
    let wrong = || {
        let detail = format!(
            "must be 1 to {} visible ASCII characters",
            limits::IDEMPOTENCY_KEY_CHARS
        );
        Problem::field("Idempotency-Key", detail)
    };
    parsed.map(Some).ok_or_else(wrong)
}

/// A well-formed `traceparent` (W3C Trace Context, section 3.2).
pub fn traceparent(headers: &HeaderMap) -> Option<&str> {
    text(headers, TRACEPARENT).filter(|text| is_traceparent(text))
}

/// Whether the text is a version 00 `traceparent` with ids that are not all zero.
pub fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let [version, trace, span, flags] = parts.as_slice() else {
        return false;
    };
    let nonzero = |part: &str| part.bytes().any(|byte| byte != b'0');
    *version == "00" && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && nonzero(trace) && nonzero(span)
}

/// Whether a `traceparent` asks to be recorded.
pub fn is_sampled(traceparent: &str) -> bool {
    is_traceparent(traceparent) && u8::from_str_radix(&traceparent[53..], 16).is_ok_and(|flags| flags & 1 == 1)
}

/// An `Origin` is absent or allowed.
///
/// # Errors
/// `forbidden`.
pub fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Problem> {
    match headers.get(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if is_allowed(origin, allowed) => Ok(()),
        Some(_) => Err(Problem::forbidden("This origin may not call the system.")),
    }
}

/// There is an `Origin`, and it is allowed: what a cookie is accepted with.
///
/// # Errors
/// `forbidden`.
pub fn require_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Problem> {
    if headers.contains_key(header::ORIGIN) {
        return check_origin(headers, allowed);
    }
    Err(Problem::forbidden("A request with the cookie needs an Origin."))
}

fn is_allowed(origin: &HeaderValue, allowed: &[String]) -> bool {
    allowed.iter().any(|known| known.as_bytes() == origin.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_never_taken_for_nothing() {
        let seen_of = |value: Option<&str>| {
            let value = value.map(|value| (CHAT_SEEN.parse().unwrap(), HeaderValue::try_from(value).unwrap()));
            seen(&value.into_iter().collect()).map(|seen| seen.0)
        };
        assert_eq!(seen_of(None), None);
        assert_eq!(seen_of(Some("1-f00")).as_deref(), Some("1-f00"));
        for foreign in ["", "\u{e9}", &"1".repeat(limits::SEEN_CHARS + 1)] {
            assert_eq!(seen_of(Some(foreign)).as_deref(), Some(""), "{foreign}");
        }
    }

    #[test]
    fn traceparents_are_read_strictly() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_traceparent(good) && is_sampled(good));
        assert!(!is_sampled(&good.replace("-01", "-00")));
        for bad in [
            "",
            "00-0-0-0",
            &good.to_uppercase(),
            &good.replace("00f067aa0ba902b7", "0000000000000000"),
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }
}
