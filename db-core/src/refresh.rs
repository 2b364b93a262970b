//! Refreshing a session: its chain of tokens is judged and moved on in one atomic step (consistency rule 16).

use common::{
    Timestamp, limits,
    refresh::{Chain, Judgement, RefreshToken, judge},
    room::{AccountRole, User},
    text::IdempotencyKey,
};
use db_api::{
    Call, Refusal,
    types::{Refresh, SessionGrant},
};
use service::minted;
use sha2::{Digest, Sha256};
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core,
    rows::UserRow,
    sessions::{Opened, scopes},
    store::refuse,
};

#[derive(sqlx::FromRow)]
struct SessionRow {
    #[sqlx(flatten)]
    user: UserRow,
    role: String,
    disabled: bool,
    scopes: Vec<String>,
    counter: i64,
    spent_at_ms: i64,
    revoked: bool,
}

impl Core {
    pub(crate) async fn do_refresh(&self, call: Call, request: Refresh) -> Result<SessionGrant, Refusal> {
        // A forged token is refused before the database is asked.
        let token = self
            .refresh_key
            .read(&request.refresh_token)
            .map_err(|_| Refusal::Unauthenticated)?;
        let key = request.idempotency_key.map(|key| key_hash(&token, &key));
        let rotated = self.store.write(&call, move |pool| rotate(pool, token, key)).await?;
        match rotated {
            Rotated::Granted(opened) => Ok(self.grant(*opened, minted::now())),
            Rotated::Refused => Err(Refusal::Unauthenticated),
            Rotated::Revoked => {
                tracing::warn!(user_id = %token.user_id, session_id = %token.session_id, "a spent refresh token came again: the session ends");
                self.announce_ends(token.user_id, [token.session_id]);
                Err(Refusal::Unauthenticated)
            }
        }
    }
}

/// The key is unguessable, so one pass of SHA-256 hides it; it belongs to its token.
fn key_hash(token: &RefreshToken, key: &IdempotencyKey) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(token.session_id.0.as_bytes());
    hasher.update(token.counter.to_be_bytes());
    hasher.update(key.as_str());
    hasher.finalize().to_vec()
}

enum Rotated {
    Granted(Box<Opened>),
    Refused,
    Revoked,
}

/// The one atomic step of a refresh: under the session's lock the token is judged, and spent or not.
async fn rotate(pool: PgPool, token: RefreshToken, key: Option<Vec<u8>>) -> Result<Rotated, Refusal> {
    let (user, session, counter) = (token.user_id.0, token.session_id.0, token.counter as i64);
    let mut tx = pool.begin().await.map_err(refuse)?;
    let row = sqlx::query_as::<_, SessionRow>(
        "select u.id, u.username, u.display_name, u.role, u.disabled, s.scopes, s.counter, \
         to_ms(s.spent_at) spent_at_ms, s.revoked_at is not null revoked \
         from sessions s join users u on u.id = s.user_id where s.user_id = $1 and s.id = $2 for update of s",
    )
    .bind(user)
    .bind(session)
    .fetch_optional(&mut *tx)
    .await
    .map_err(refuse)?;
    let Some(row) = row else { return Ok(Rotated::Refused) };
    let first_key = first_use(&mut tx, user, session, counter).await?;
    let chain = Chain {
        counter: row.counter as u64,
        spent_at: Timestamp(row.spent_at_ms),
        revoked: row.revoked || row.disabled,
    };
    let successor = match judge(
        chain,
        token.counter,
        key.as_deref(),
        first_key.as_deref(),
        minted::now(),
    ) {
        Judgement::Refuse => return Ok(Rotated::Refused),
        Judgement::Revoke => {
            let end = "update sessions set revoked_at = now() where user_id = $1 and id = $2";
            sqlx::query(end)
                .bind(user)
                .bind(session)
                .execute(&mut *tx)
                .await
                .map_err(refuse)?;
            tx.commit().await.map_err(refuse)?;
            return Ok(Rotated::Revoked);
        }
        Judgement::SameSuccessor => chain.counter,
        Judgement::Rotate => {
            let spend = "update sessions set counter = counter + 1, spent_at = now(), last_seen_at = now() \
                         where user_id = $1 and id = $2";
            sqlx::query(spend)
                .bind(user)
                .bind(session)
                .execute(&mut *tx)
                .await
                .map_err(refuse)?;
            remember_use(&mut tx, user, session, counter, key).await?;
            chain.counter + 1
        }
    };
    tx.commit().await.map_err(refuse)?;
    Ok(Rotated::Granted(Box::new(Opened {
        role: AccountRole::parse(&row.role).ok_or(Refusal::Internal)?,
        user: User::try_from(row.user)?,
        scopes: scopes(&row.scopes),
        session: token.session_id,
        counter: successor,
    })))
}

async fn first_use(
    tx: &mut Transaction<'_, Postgres>,
    user: Uuid,
    session: Uuid,
    counter: i64,
) -> Result<Option<Vec<u8>>, Refusal> {
    // Of the token before the unspent one also after days: a phone that slept asks for the answer that it missed.
    let known = "select key_hash from refresh_uses where user_id = $1 and session_id = $2 and counter = $3";
    sqlx::query_scalar(known)
        .bind(user)
        .bind(session)
        .bind(counter)
        .fetch_optional(&mut **tx)
        .await
        .map_err(refuse)
}

async fn remember_use(
    tx: &mut Transaction<'_, Postgres>,
    user: Uuid,
    session: Uuid,
    counter: i64,
    key: Option<Vec<u8>>,
) -> Result<(), Refusal> {
    // Keys that are a day old count for nothing any more.
    let forget = "delete from refresh_uses where user_id = $1 and session_id = $2 \
                  and used_at <= now() - make_interval(secs => $3)";
    let life = limits::REFRESH_KEY_LIFE.as_secs_f64();
    sqlx::query(forget)
        .bind(user)
        .bind(session)
        .bind(life)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    let Some(key) = key else { return Ok(()) };
    let remember = "insert into refresh_uses (user_id, session_id, counter, key_hash) values ($1, $2, $3, $4)";
    sqlx::query(remember)
        .bind(user)
        .bind(session)
        .bind(counter)
        .bind(key)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    Ok(())
}
