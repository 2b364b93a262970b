//! Passwords: argon2id (RFC 9106) with the parameters that OWASP names, never on an async thread, and bounded, because
//! each takes 19 MiB and some 20 ms of a core.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash};
use common::limits;
use db_api::Refusal;
use tokio::sync::Semaphore;

/// KiB of memory, passes, lanes.
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// Passwords that are guessed first; ten characters and more, as shorter ones are refused anyway.
const COMMON: &str = include_str!("common-passwords.txt");

#[derive(Clone)]
pub struct Passwords {
    at_work: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Verified when there is no such user, so that the answer takes as long.
    nobody: Arc<str>,
}

/// Whether a password is among the commonest.
pub fn is_common(password: &str) -> bool {
    let folded = password.to_lowercase();
    COMMON.lines().any(|common| common == folded)
}

/// Whether a stored hash was made with other parameters than those of today.
pub fn is_outdated(stored: &str) -> bool {
    let today = format!("$argon2id$v=19$m={},t={},p={}$", COST.0, COST.1, COST.2);
    !stored.starts_with(&today)
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(COST.0, COST.1, COST.2, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> Result<String, Refusal> {
    let mut salt = [0u8; 16];
    rand::fill(&mut salt);
    argon2()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| {
            tracing::error!(%error, "hashing failed");
            Refusal::Internal
        })
}

impl Passwords {
    /// # Errors
    /// When hashing doesn't work at all.
    pub fn new() -> Result<Self, Refusal> {
        Ok(Self {
            at_work: Arc::new(Semaphore::new(limits::HASHES_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(limits::HASHES_WAITING)),
            nobody: hash("the password of nobody")?.into(),
        })
    }

    /// The encoded hash, with its parameters and salt.
    ///
    /// # Errors
    /// `Unavailable` when too many wait already.
    pub async fn hash(&self, password: String) -> Result<String, Refusal> {
        self.work(move || hash(&password)).await?
    }

    /// Whether the password is that of the stored hash; without one, no, after the same work.
    ///
    /// # Errors
    /// `Unavailable` when too many wait already.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Refusal> {
        let nobody = self.nobody.clone();
        self.work(move || {
            let known = stored.is_some();
            let encoded = stored.unwrap_or_else(|| nobody.to_string());
            let Ok(parsed) = PasswordHash::new(&encoded) else {
                return false;
            };
            let same = argon2().verify_password(password.as_bytes(), &parsed).is_ok();
            known && same
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let full = |_| Refusal::unavailable("too many passwords are waiting");
        let _place = self.waiting.clone().try_acquire_owned().map_err(full)?;
        let turn = self
            .at_work
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Refusal::Internal)?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            job()
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "a hash was not finished");
            Refusal::Internal
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let passwords = Passwords::new().unwrap();
        let stored = passwords.hash("correct horse battery".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(
            passwords
                .verify("correct horse battery".into(), Some(stored.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct horse batterz".into(), Some(stored))
                .await
                .unwrap()
        );
        assert!(!passwords.verify("the password of nobody".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_of_other_parameters_is_outdated_and_still_verifies() {
        let weak = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8_192, 1, 1, None).unwrap(),
        );
        let stored = weak
            .hash_password_with_salt(b"correct horse battery", &[7; 16])
            .unwrap()
            .to_string();
        assert!(is_outdated(&stored));
        let passwords = Passwords::new().unwrap();
        assert!(
            passwords
                .verify("correct horse battery".into(), Some(stored))
                .await
                .unwrap()
        );
        assert!(!is_outdated(
            &passwords.hash("correct horse battery".into()).await.unwrap()
        ));
    }

    #[test]
    fn the_commonest_are_known_in_any_case() {
        assert!(is_common("1234567890") && is_common("Password123"));
        assert!(!is_common("correct horse battery"));
    }
}
