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
pub use native::{Config, LEAD, Origin, RotationError, rotate, serve};

use std::sync::Arc;

use admission::Admission;
use common::{Timestamp, jwk::KeySet, key_ring::KeyRing};
use db_api::DbApi;
use parking_lot::RwLock;
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

/// The keys that sign here, and what verifies what they signed.
pub(crate) struct Signing {
    pub ring: KeyRing,
    pub keys: KeySet,
}

impl Signing {
    fn new(ring: KeyRing) -> Arc<Self> {
        let keys = ring.key_set();
        Arc::new(Self { ring, keys })
    }
}

/// What edge-auth decides with.
#[derive(Clone)]
pub struct Edge {
    pub(crate) db: Arc<dyn DbApi>,
    signing: Arc<RwLock<Arc<Signing>>>,
    pub(crate) issuer: String,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) secure_cookies: SecureCookies,
    pub(crate) source: Source,
    pub(crate) admission: Admission,
}

impl Edge {
    pub fn new(
        db: Arc<dyn DbApi>,
        signing_keys: KeyRing,
        issuer: String,
        allowed_origins: Vec<String>,
        secure_cookies: SecureCookies,
        source: Source,
    ) -> Self {
        Self {
            admission: Admission::new(db.clone(), source.now),
            db,
            signing: Arc::new(RwLock::new(Signing::new(signing_keys))),
            issuer,
            allowed_origins,
            secure_cookies,
            source,
        }
    }

    /// From now on these are the keys.
    pub fn sign_with(&self, signing_keys: KeyRing) {
        *self.signing.write() = Signing::new(signing_keys);
    }

    pub(crate) fn signing(&self) -> Arc<Signing> {
        self.signing.read().clone()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.source.now)()
    }

    /// What this door knows of ended sessions: to be told them.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }
}
