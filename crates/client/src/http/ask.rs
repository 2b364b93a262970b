//! One request, and whether it may be made again.

use http::Method;
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    /// Path and query.
    pub path: String,
    pub body: Option<Value>,
    pub(super) token: Option<String>,
    pub(super) key: Option<String>,
    pub(super) seen: Option<String>,
    is_harmless: bool,
}

impl Ask {
    /// With a fresh `Idempotency-Key` where it is a `POST`.
    pub fn new(method: Method, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            key: (method == Method::POST).then(|| service::minted::random().to_string()),
            is_harmless: [Method::GET, Method::PUT, Method::DELETE].contains(&method),
            method,
            path: path.into(),
            body,
            token: None,
            seen: None,
        }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, None)
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, Some(body))
    }

    /// As the holder of this access token.
    #[must_use]
    pub fn bearer(self, token: impl Into<String>) -> Self {
        let token = Some(token.into());
        Self { token, ..self }
    }

    /// Under this `Idempotency-Key`.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        let key = Some(key.into());
        Self { key, ..self }
    }

    /// Without a key, where the route knows none: asked once only.
    #[must_use]
    pub fn keyless(self) -> Self {
        Self { key: None, ..self }
    }

    /// Answered from nothing older than this `chat-seen`.
    #[must_use]
    pub fn seen(self, seen: Option<String>) -> Self {
        Self { seen, ..self }
    }

    /// A second one does what the first did, or nothing.
    pub(super) fn is_repeatable(&self) -> bool {
        self.is_harmless || self.key.is_some()
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let json = self.body.as_ref().map(|_| "application/json".to_owned());
        let all = [
            ("authorization", bearer),
            ("content-type", json),
            ("idempotency-key", self.key.clone()),
            ("chat-seen", self.seen.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}
