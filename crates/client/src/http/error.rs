//! Why there is no answer, as the contract names it (section 1).

use std::{fmt, time::Duration};

use common::{Code, problem::FieldError};
use http::StatusCode;
use serde::Deserialize;
use service::client::NoAnswer;

#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    #[error("{0} is no address of a server")]
    BadOrigin(String),
    /// Where it is [`NoAnswer::Lost`], the server may have acted all the same.
    #[error("no answer: {0}")]
    NoAnswer(NoAnswer),
    #[error("{0}")]
    Refused(Box<Refused>),
    #[error("an answer that can't be read: {0}")]
    Unreadable(String),
}

// Not its source: it is told in the same breath.
impl From<NoAnswer> for HttpError {
    fn from(error: NoAnswer) -> Self {
        HttpError::NoAnswer(error)
    }
}

/// A problem (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub status: StatusCode,
    /// Of a status alone, when the answer is no problem of the contract.
    pub code: Code,
    pub detail: String,
    pub errors: Vec<FieldError>,
    pub request_id: Option<String>,
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, title, detail) = (self.status.as_u16(), self.code.title(), &self.detail);
        write!(f, "{title} ({status}): {detail}")?;
        if let Some(wait) = self.retry_after {
            write!(f, " Try again in {} s.", wait.as_secs())?;
        }
        match &self.request_id {
            Some(id) if self.status.is_server_error() => write!(f, " [request {id}]"),
            _ => Ok(()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    code: Code,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<FieldError>,
    #[serde(default)]
    request_id: Option<String>,
}

impl Refused {
    pub(super) fn read(status: StatusCode, body: &[u8], retry_after: Option<Duration>) -> Self {
        let problem = serde_json::from_slice(body).unwrap_or_else(|_| Problem {
            code: code_of(status),
            detail: "The answer does not say more.".to_owned(),
            errors: Vec::new(),
            request_id: None,
        });
        Self {
            status,
            code: problem.code,
            detail: problem.detail,
            errors: problem.errors,
            request_id: problem.request_id,
            retry_after,
        }
    }
}

/// What somebody in between says, who does not know the contract.
fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::Forbidden,
        404 => Code::NotFound,
        409 => Code::Conflict,
        413 => Code::PayloadTooLarge,
        429 => Code::RateLimited,
        502..=504 => Code::Unavailable,
        500.. => Code::Internal,
        _ => Code::InvalidRequest,
    }
}

impl HttpError {
    pub fn code(&self) -> Option<Code> {
        match self {
            HttpError::Refused(refused) => Some(refused.code),
            HttpError::BadOrigin(_) | HttpError::NoAnswer(_) | HttpError::Unreadable(_) => None,
        }
    }

    /// The login is over: only a new one helps.
    pub fn is_signed_out(&self) -> bool {
        matches!(self, HttpError::Refused(refused) if refused.status == StatusCode::UNAUTHORIZED)
    }

    /// The least wait before the same may be asked again; `None` when it may not, or there is no use. What is not
    /// `repeatable` is asked again only if nothing was done.
    pub(super) fn again_after(&self, repeatable: bool) -> Option<Duration> {
        match self {
            HttpError::NoAnswer(NoAnswer::Unreached(_)) => Some(Duration::ZERO),
            HttpError::NoAnswer(NoAnswer::Lost(_)) => repeatable.then_some(Duration::ZERO),
            HttpError::Refused(refused) => match refused.code {
                Code::RateLimited => Some(refused.retry_after.unwrap_or_default()),
                Code::Unavailable => repeatable.then_some(refused.retry_after.unwrap_or_default()),
                _ => None,
            },
            HttpError::BadOrigin(_) | HttpError::Unreadable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> HttpError {
        let status = StatusCode::from_u16(status).unwrap();
        let wait = Some(Duration::from_secs(3));
        HttpError::Refused(Box::new(Refused::read(status, body.as_bytes(), wait)))
    }

    #[test]
    fn only_what_may_be_asked_again_is() {
        let lost = HttpError::NoAnswer(NoAnswer::Lost(String::new()));
        let unreached = HttpError::NoAnswer(NoAnswer::Unreached(String::new()));
        let waits = |error: &HttpError| (error.again_after(true), error.again_after(false));
        let (now, later) = (Some(Duration::ZERO), Some(Duration::from_secs(3)));
        assert_eq!(waits(&unreached), (now, now));
        assert_eq!(waits(&lost), (now, None));
        assert_eq!(waits(&refused(503, r#"{"code":"unavailable"}"#)), (later, None));
        assert_eq!(waits(&refused(502, "<html>")), (later, None));
        assert_eq!(waits(&refused(429, r#"{"code":"rate-limited"}"#)), (later, later));
        assert_eq!(waits(&refused(500, r#"{"code":"internal"}"#)), (None, None));
        assert_eq!(waits(&refused(409, r#"{"code":"conflict"}"#)), (None, None));
    }

    #[test]
    fn a_problem_is_told_whole() {
        let body = r#"{"code":"invalid-request","detail":"/name: is empty.","requestId":"r"}"#;
        let told = refused(400, body).to_string();
        assert_eq!(
            told,
            "The request is not valid (400): /name: is empty. Try again in 3 s."
        );
    }
}
