//! The file of the keys that sign: read again while the process runs, and changed by who rotates them.

use std::{path::Path, path::PathBuf, time::Duration};

use common::{jwk::SigningKey, key_ring::KeyRing, limits};
use service::{minted, secret_file};

use crate::Edge;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Takes in what the file says, each time that it says something else.
pub async fn follow(edge: Edge, file: PathBuf) {
    let mut known = String::new();
    loop {
        tokio::time::sleep(LOOK).await;
        match tokio::fs::read_to_string(&file).await {
            Ok(text) if text == known => {}
            Ok(text) => {
                match KeyRing::from_json(&text) {
                    Ok(ring) => edge.sign_with(ring),
                    Err(error) => {
                        tracing::error!(%error, "the file of the signing keys can't be used: the ones known stay")
                    }
                }
                known = text;
            }
            Err(error) => tracing::warn!(%error, "the file of the signing keys can't be read"),
        }
    }
}

/// Why the keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error(transparent)]
    Keys(#[from] common::jwk::BadJwk),
}

/// Adds a fresh key to the file, which signs after `lead`, and drops those whose tokens are all dead. The `kid` of the new
/// one.
///
/// # Errors
/// [`RotationError`]; the file is as it was then.
pub fn rotate(file: &Path, lead: Duration) -> Result<String, RotationError> {
    let at_file = |error| RotationError::File(file.to_owned(), error);
    let ring = KeyRing::from_json(&std::fs::read_to_string(file).map_err(at_file)?)?;
    let key = SigningKey::from_seed(minted::secret());
    let kid = key.public().kid.clone();
    let now = minted::now();
    secret_file::write(file, &ring.with(key, now.plus(lead), now).to_json()).map_err(at_file)?;
    Ok(kid)
}

/// What a usual rotation gives verifiers: twice the time for which they keep the published keys.
pub const LEAD: Duration = Duration::from_secs(2 * limits::JWKS_MAX_AGE.as_secs());
