//! Errors as clients see them: problem details (RFC 9457) with the contract's codes.

use serde::{Deserialize, Serialize};

use crate::limits;

/// What went wrong, as the contract names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    InvalidRequest,
    Unauthenticated,
    TokenExpired,
    InvalidCredentials,
    Forbidden,
    NotAMember,
    NotFound,
    Conflict,
    StaleEpoch,
    Gone,
    PayloadTooLarge,
    UnsupportedMediaType,
    RateLimited,
    Unavailable,
    Internal,
}

impl Code {
    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            Code::InvalidRequest => 400,
            Code::Unauthenticated | Code::TokenExpired | Code::InvalidCredentials => 401,
            Code::Forbidden | Code::NotAMember => 403,
            Code::NotFound => 404,
            Code::Conflict | Code::StaleEpoch => 409,
            Code::Gone => 410,
            Code::PayloadTooLarge => 413,
            Code::UnsupportedMediaType => 415,
            Code::RateLimited => 429,
            Code::Internal => 500,
            Code::Unavailable => 503,
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Code::InvalidRequest => "The request is not valid",
            Code::Unauthenticated => "Sign in first",
            Code::TokenExpired => "The access token has expired",
            Code::InvalidCredentials => "Unknown user or wrong password",
            Code::Forbidden => "Not allowed",
            Code::NotAMember => "Join the room first",
            Code::NotFound => "Not found",
            Code::Conflict => "The present state forbids it",
            Code::StaleEpoch => "The room's keys have moved on",
            Code::Gone => "No longer valid",
            Code::PayloadTooLarge => "The body is too large",
            Code::UnsupportedMediaType => "The body must be application/json",
            Code::RateLimited => "Too many requests",
            Code::Internal => "Something went wrong on our side",
            Code::Unavailable => "Temporarily unavailable",
        }
    }
}

/// A field that a request got wrong. `pointer` is a JSON pointer (RFC 6901) into the body, or `?name` of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    pub pointer: String,
    pub detail: String,
}

/// An error on its way to a client; the door adds `requestId`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code:?}: {detail}")]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub code: Code,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Milliseconds after which another try makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_ms: None,
        }
    }

    /// One field of the request is wrong.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let mut problem = Self::new(Code::InvalidRequest, format!("{pointer}: {detail}"));
        problem.errors.push(FieldError { pointer, detail });
        problem
    }

    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, detail)
    }

    pub fn unauthenticated() -> Self {
        Self::new(
            Code::Unauthenticated,
            "There is no valid access token with this request.",
        )
    }

    pub fn token_expired() -> Self {
        Self::new(Code::TokenExpired, "Refresh the access token and try again.")
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is nothing here, or you may not see it.")
    }

    pub fn not_a_member() -> Self {
        Self::new(
            Code::NotAMember,
            "You are not a member of this public room; join it first.",
        )
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Code::Conflict, detail)
    }

    pub fn payload_too_large() -> Self {
        Self::new(
            Code::PayloadTooLarge,
            format!("The limit is {} bytes.", limits::BODY_BYTES),
        )
    }

    pub fn rate_limited(retry_after_ms: u64) -> Self {
        let mut problem = Self::new(Code::RateLimited, "Slow down and try again.");
        problem.retry_after_ms = Some(retry_after_ms);
        problem
    }

    /// A dependency is away; what was asked may or may not have happened.
    pub fn unavailable() -> Self {
        let mut problem = Self::new(Code::Unavailable, "A part of the system is away; try again.");
        problem.retry_after_ms = Some(u64::from(limits::RETRY_SOON_SECONDS) * 1000);
        problem
    }

    /// Says nothing of the inside; the cause is logged where it is answered.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "The request failed on our side; its id helps to find out why.",
        )
    }

    /// Whole seconds for `Retry-After` (RFC 9110, section 10.2.3), rounded up.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1000).max(1))
    }
}
