//! Access tokens verified without a call: the keys are the published set, kept at hand.

use std::{sync::Arc, time::Duration};

use common::{
    Problem,
    jwk::{Jwks, KeySet},
    limits,
    token::{self, Actor, TokenError},
};
use parking_lot::RwLock;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    client::{HttpClient, NoAnswer, call, client, get},
    minted,
};

/// A clone shares the keys.
#[derive(Clone)]
pub struct Verifier(Arc<Shared>);

struct Shared {
    issuer: String,
    url: String,
    client: HttpClient,
    keys: RwLock<KeySet>,
    last_fetch: Mutex<Option<Instant>>,
}

/// Bytes of a JWKS that are read.
const JWKS_BYTES: usize = 64 * 1024;
/// Between two tries while there are no keys at all.
const RETRY: Duration = Duration::from_millis(200);

impl Verifier {
    /// Needs a Tokio runtime: the keys are fetched at once and again every [`limits::JWKS_MAX_AGE`].
    pub fn start(issuer: String, url: String) -> Self {
        let keys = RwLock::default();
        let verifier = Self(Arc::new(Shared {
            issuer,
            url,
            client: client(),
            keys,
            last_fetch: Mutex::default(),
        }));
        let kept = Arc::downgrade(&verifier.0);
        tokio::spawn(async move {
            while let Some(shared) = kept.upgrade() {
                if let Err(error) = shared.fetch().await {
                    tracing::warn!(%error, "cannot read the JWKS");
                }
                let next = if shared.keys.read().is_empty() {
                    RETRY
                } else {
                    limits::JWKS_MAX_AGE
                };
                drop(shared);
                tokio::time::sleep(next).await;
            }
        });
        verifier
    }

    /// With keys at hand that never change: for who has no JWKS to ask, such as a simulation.
    pub fn holding(issuer: String, keys: KeySet) -> Self {
        Self(Arc::new(Shared {
            issuer,
            url: String::new(),
            client: client(),
            keys: RwLock::new(keys),
            last_fetch: Mutex::default(),
        }))
    }

    /// Whether there are keys to verify with.
    pub fn is_ready(&self) -> bool {
        !self.0.keys.read().is_empty()
    }

    /// # Errors
    /// `unauthenticated` or `token-expired`; `unavailable` before there are keys.
    pub async fn verify(&self, token: &str) -> Result<Actor, Problem> {
        match self.check(token) {
            Err(TokenError::UnknownKey) => {
                self.0.refetch().await;
                match self.check(token) {
                    Err(TokenError::UnknownKey) if !self.is_ready() => Err(Problem::unavailable()),
                    checked => checked.map_err(Problem::from),
                }
            }
            checked => checked.map_err(Problem::from),
        }
    }

    fn check(&self, token: &str) -> Result<Actor, TokenError> {
        token::verify(&self.0.keys.read(), &self.0.issuer, token, minted::now())
    }
}

impl Shared {
    async fn fetch(&self) -> Result<(), NoAnswer> {
        let response = call(&self.client, get(&self.url)?, limits::CALL_DEADLINE, JWKS_BYTES).await?;
        if !response.status().is_success() {
            return Err(NoAnswer::Lost(format!("status {}", response.status())));
        }
        let jwks: Jwks = serde_json::from_slice(response.body()).map_err(|error| NoAnswer::Lost(error.to_string()))?;
        *self.keys.write() = KeySet::from_jwks(&jwks);
        Ok(())
    }

    /// Fetches for an unknown `kid`, at most every [`limits::JWKS_REFETCH`], so that nonsense tokens cost nothing. Who
    /// comes meanwhile waits for the fetch that is under way, and then finds its keys.
    async fn refetch(&self) {
        let mut last = self.last_fetch.lock().await;
        if last.is_some_and(|last| last.elapsed() < limits::JWKS_REFETCH) {
            return;
        }
        *last = Some(Instant::now());
        if let Err(error) = self.fetch().await {
            tracing::warn!(%error, "cannot read the JWKS for an unknown key");
        }
    }
}
