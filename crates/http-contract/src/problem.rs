//! Problems as HTTP answers (RFC 9457).

use axum::response::{IntoResponse, Response};
use common::{Code, Problem, problem::FieldError, token::TokenError};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// A problem on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused(pub Problem);

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Refused(error.into())
    }
}

/// The body of a problem, before it has a request's id: [`with_request_id`] adds it at the door.
#[derive(Serialize)]
struct ProblemBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: Code,
    detail: &'a str,
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

/// Marks an answer as a problem, so that the door can write its request's id into it.
#[derive(Clone)]
struct Marked(Problem);

fn body(problem: &Problem, request_id: Option<&str>) -> String {
    let body = ProblemBody {
        kind: "about:blank",
        title: problem.code.title(),
        status: problem.code.status(),
        code: problem.code,
        detail: &problem.detail,
        request_id,
        errors: &problem.errors,
    };
    // A problem is a plain struct: it always serialises.
    serde_json::to_string(&body).unwrap_or_default()
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let problem = self.0;
        let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body(&problem, None)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = problem.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Marked(problem));
        response
    }
}

/// Writes the request's id into an answer: as `x-request-id`, and into the body of a problem.
pub fn with_request_id(mut response: Response, id: &str) -> Response {
    if let Some(Marked(problem)) = response.extensions_mut().remove::<Marked>() {
        *response.body_mut() = body(&problem, Some(id)).into();
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        // What another door has answered already keeps that door's id, which its log and its problem name.
        response.headers_mut().entry("x-request-id").or_insert(id);
    }
    response
}

/// The code of an answer that is a problem, for metrics and logs.
pub fn code_of(response: &Response) -> Option<Code> {
    response.extensions().get::<Marked>().map(|marked| marked.0.code)
}

/// The answer of unknown routes and methods.
pub async fn unknown_route() -> Refused {
    Refused(Problem::not_found())
}

/// A refused token, and how to say so (RFC 6750, section 3).
pub fn refused_token(error: TokenError) -> Refused {
    Refused(error.into())
}
