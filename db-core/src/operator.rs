//! What an operator does to an account, on the database itself: for the first admin, and for whoever forgot a password.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{UserId, text::Username};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{Store, StoreError, accounts::set_password, passwords::Passwords, sessions::end_sessions};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no account named `{0}`")]
    Unknown(String),
    #[error("the database refused: {0}")]
    Database(#[from] sqlx::Error),
    #[error("it could not be done: {0}")]
    Refused(#[from] db_api::Refusal),
}

/// Makes an account an admin. Its access tokens say so from their next refresh on.
///
/// # Errors
/// [`OperatorError`].
pub async fn make_admin(store: &Store, username: &str) -> Result<(), OperatorError> {
    let mut tx = store.pool().begin().await?;
    let (user, _) = named(&mut tx, username).await?;
    sqlx::query("update users set role = 'admin' where id = $1")
        .bind(user.0)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    tracing::info!(user_id = %user, "audit: an operator made an account an admin");
    Ok(())
}

/// Gives an account a new password, which is answered and stored nowhere, and ends its sessions.
///
/// # Errors
/// [`OperatorError`].
pub async fn reset_password(store: &Store, username: &str) -> Result<String, OperatorError> {
    let mut random = [0u8; 15];
    rand::fill(&mut random);
    let password = URL_SAFE_NO_PAD.encode(random);
    let hash = Passwords::new()?.hash(password.clone()).await?;
    let mut tx = store.pool().begin().await?;
    let (user, version) = named(&mut tx, username).await?;
    set_password(&mut tx, user, &hash, version + 1).await?;
    let ended = end_sessions(&mut tx, user, None).await?;
    tx.commit().await?;
    tracing::info!(user_id = %user, sessions_ended = ended.len(), "audit: an operator gave an account a new password");
    Ok(password)
}

/// The account of that name, under its lock, and the version of its password.
async fn named(tx: &mut Transaction<'_, Postgres>, username: &str) -> Result<(UserId, i64), OperatorError> {
    let unknown = || OperatorError::Unknown(username.to_owned());
    let name = Username::parse(username).map_err(|_| unknown())?;
    let named = "select id, password_version from users where username = $1 for no key update";
    let found: Option<(Uuid, i64)> = sqlx::query_as(named)
        .bind(name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    let (id, version) = found.ok_or_else(unknown)?;
    Ok((UserId(id), version))
}
