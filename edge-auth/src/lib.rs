//! edge-auth: what is decided near the users. Accounts and sessions, the JWKS, verification, and the gate before API and
//! sockets are one library that compiles to native code and to wasm32; each has a thin shell around it.

mod account;
pub mod auth;
mod cookie;
pub mod gate;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod session;

#[cfg(not(target_arch = "wasm32"))]
pub use native::{Config, Origin, serve};

use std::sync::Arc;

use admission::Admission;
use common::{
    Timestamp,
    jwk::{Jwks, KeySet, SigningKey},
};
use db_api::DbApi;
use uuid::Uuid;

/// Where time and randomness come from.
#[derive(Clone, Copy)]
pub struct Source {
    pub now: fn() -> Timestamp,
    pub id: fn() -> Uuid,
}

/// When the refresh cookie is `Secure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureCookies {
    /// Unless the page is on plain-http loopback.
    Auto,
    Always,
    Never,
}

/// What edge-auth decides with.
#[derive(Clone)]
pub struct Edge {
    pub(crate) db: Arc<dyn DbApi>,
    pub(crate) signing_key: Arc<SigningKey>,
    pub(crate) keys: KeySet,
    pub(crate) issuer: String,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) secure_cookies: SecureCookies,
    pub(crate) source: Source,
    pub(crate) admission: Admission,
}

impl Edge {
    pub fn new(
        db: Arc<dyn DbApi>,
        signing_key: SigningKey,
        issuer: String,
        allowed_origins: Vec<String>,
        secure_cookies: SecureCookies,
        source: Source,
    ) -> Self {
        let keys = KeySet::from_jwks(&jwks(&signing_key));
        Self {
            admission: Admission::new(db.clone(), source.now),
            db,
            signing_key: Arc::new(signing_key),
            keys,
            issuer,
            allowed_origins,
            secure_cookies,
            source,
        }
    }

    /// What this door knows of ended sessions: to be told them.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }
}

fn jwks(key: &SigningKey) -> Jwks {
    Jwks {
        keys: vec![key.public().clone()],
    }
}
