//! The gate before `/api` and `/ws`: who has no valid token is turned away here, near the user. The service behind looks
//! again by itself: that a request came through the gate proves nothing.

use common::{Code, Problem, token};
use http::{HeaderMap, header};
use http_contract::headers::bearer;

use crate::Edge;

/// Open to everyone.
const OPEN: [&str; 2] = ["/api/health", "/api/openapi.json"];

impl Edge {
    /// # Errors
    /// `unauthenticated` or `token-expired`.
    pub fn admit_api(&self, path: &str, headers: &HeaderMap) -> Result<(), Problem> {
        if OPEN.contains(&path) {
            return Ok(());
        }
        self.admit(bearer(headers))
    }

    /// # Errors
    /// `invalid-request` without the subprotocol, `unauthenticated`, `token-expired`.
    pub fn admit_socket(&self, headers: &HeaderMap) -> Result<(), Problem> {
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
        self.admit(bearer(headers).or(by_subprotocol))
    }

    fn admit(&self, token: Option<&str>) -> Result<(), Problem> {
        let token = token.ok_or_else(Problem::unauthenticated)?;
        token::verify(&self.keys, &self.issuer, token, (self.source.now)())?;
        Ok(())
    }
}
