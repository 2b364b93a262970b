//! The gate before `/api` and `/ws`: who has no valid token is turned away here, near the user. The service behind looks
//! again by itself: that a request came through the gate proves nothing.

use common::{Code, Problem, token::Actor};
use http::{HeaderMap, header};
use http_contract::headers::bearer;

use crate::Edge;

/// Open to everyone.
const OPEN: [&str; 3] = ["/api/health", "/api/openapi.json", "/api/asyncapi.json"];

/// What the gate lets through.
#[derive(Debug, Clone, PartialEq)]
pub enum Pass {
    /// Open to everyone, so that nobody was asked who they are.
    Open,
    /// With a valid token.
    Known(Actor),
}

impl Edge {
    /// # Errors
    /// `unauthenticated` or `token-expired`; `unavailable` while it is not known which sessions were ended.
    pub async fn admit_api(&self, path: &str, headers: &HeaderMap) -> Result<Pass, Problem> {
        if OPEN.contains(&path) {
            return Ok(Pass::Open);
        }
        self.admit_bearer(bearer(headers)).await.map(Pass::Known)
    }

    /// # Errors
    /// `invalid-request` without the subprotocol, else as [`Edge::admit_api`].
    pub async fn admit_socket(&self, headers: &HeaderMap) -> Result<Actor, Problem> {
        let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
        let offered: Vec<&str> = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        if !offered.contains(&"chat.v1") {
            return Err(Problem::new(
                Code::InvalidRequest,
                "The subprotocol chat.v1 must be offered.",
            ));
        }
        let by_subprotocol = offered.iter().find_map(|entry| entry.strip_prefix("bearer."));
        self.admit_bearer(bearer(headers).or(by_subprotocol)).await
    }

    pub(crate) async fn admit_bearer(&self, token: Option<&str>) -> Result<Actor, Problem> {
        self.admit(token.ok_or_else(Problem::unauthenticated)?).await
    }
}
