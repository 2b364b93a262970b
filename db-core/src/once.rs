//! Requests that are done once (contract, section 3, `Idempotency-Key`), however often and from how many sides they come.
//!
//! The key is claimed first in the transaction of the write itself, so that what was done and that it was done are one
//! commit. A twin that comes meanwhile waits for that commit; a refused write takes its claim along when it rolls back.
//! A write that is done once reads so:
//!
//! ```text
//! let once = Once::of(&call, user);
//! // … in the write:
//! let mut tx = pool.begin().await.map_err(refuse)?;
//! if let Some(Added { created }) = once.earlier(&mut tx).await? {
//!     return Ok((created, None)); // done before: no event, no notice
//! }
//! // … judge and write, also where nothing changes …
//! once.commit(tx, &Added { created }).await?;
//! ```
//!
//! The outcome holds what the object as it now stands is found by, and which of several statuses it was: `open_dm` the
//! room's id and `created`, `create_invite` the invite's id, `accept_invite` the room's id. Whether the caller may still
//! see the object is judged when it is read again.

use common::{UserId, limits};
use db_api::{Call, Refusal};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{Postgres, Transaction, types::Json};

use crate::store::refuse;

/// Whether a write carries a key, and which.
pub struct Once(Option<Claim>);

struct Claim {
    user: UserId,
    key_hash: Vec<u8>,
    body_hash: String,
}

/// Takes the place of the key, or waits for whoever is at it; one past its life is as good as none. A few others past
/// theirs are taken away in passing.
const CLAIM: &str = "\
    with swept as (delete from requests_done where (user_id, key_hash) in ( \
        select user_id, key_hash from requests_done \
        where at < now() - make_interval(secs => $4) and (user_id, key_hash) <> ($1, $2) \
        order by at limit $5 for update skip locked)) \
    insert into requests_done (user_id, key_hash, body_hash, outcome) values ($1, $2, $3, '{}') \
    on conflict (user_id, key_hash) do update set body_hash = excluded.body_hash, outcome = excluded.outcome, at = now() \
        where requests_done.at < now() - make_interval(secs => $4)";

impl Once {
    /// `user` is who the key belongs to: the one who writes.
    pub fn of(call: &Call, user: UserId) -> Self {
        Self(call.once.as_ref().map(|once| {
            // A key has no U+0000, so that key and scope can't be taken for another pair.
            let key = Sha256::new()
                .chain_update(once.key.as_str())
                .chain_update([0])
                .chain_update(&once.scope);
            Claim {
                user,
                key_hash: key.finalize().to_vec(),
                body_hash: once.body.clone(),
            }
        }))
    }

    /// What the same request was answered with before; otherwise the key is this transaction's. Comes before all else in it.
    ///
    /// # Errors
    /// `Conflict` when the key came with another body.
    pub async fn earlier<T: DeserializeOwned>(&self, tx: &mut Transaction<'_, Postgres>) -> Result<Option<T>, Refusal> {
        let Some(claim) = &self.0 else {
            return Ok(None);
        };
        let claimed = sqlx::query(CLAIM)
            .bind(claim.user.0)
            .bind(&claim.key_hash)
            .bind(&claim.body_hash)
            .bind(limits::IDEMPOTENCY_KEY_LIFE.as_secs_f64())
            .bind(limits::IDEMPOTENCY_KEYS_SWEPT)
            .execute(&mut **tx)
            .await
            .map_err(refuse)?;
        if claimed.rows_affected() == 1 {
            return Ok(None);
        }
        // A statement of its own: it sees what the twin has committed while this one waited.
        let stored = "select body_hash, outcome from requests_done where user_id = $1 and key_hash = $2";
        let (body_hash, outcome) = sqlx::query_as::<_, (String, Value)>(stored)
            .bind(claim.user.0)
            .bind(&claim.key_hash)
            .fetch_one(&mut **tx)
            .await
            .map_err(refuse)?;
        if body_hash != claim.body_hash {
            return Err(Refusal::conflict("This Idempotency-Key came with another body."));
        }
        serde_json::from_value(outcome).map(Some).map_err(|error| {
            tracing::error!(%error, "the outcome of a request can't be read");
            Refusal::Internal
        })
    }

    /// Commits the write together with its outcome.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn commit<T: Serialize + Sync>(
        &self,
        mut tx: Transaction<'_, Postgres>,
        outcome: &T,
    ) -> Result<(), Refusal> {
        if let Some(claim) = &self.0 {
            sqlx::query("update requests_done set outcome = $3 where user_id = $1 and key_hash = $2")
                .bind(claim.user.0)
                .bind(&claim.key_hash)
                .bind(Json(outcome))
                .execute(&mut *tx)
                .await
                .map_err(refuse)?;
        }
        tx.commit().await.map_err(refuse)
    }
}
