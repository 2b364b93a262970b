//! Accounts and their sessions.

use bus::Announcement;
use common::{
    SessionId, Timestamp, UserId,
    frame::{Notice, NoticeKind},
    limits,
    refresh::{Chain, Judgement, RefreshToken, judge},
    room::{AccountRole, User},
    text::{DisplayName, IdempotencyKey, Password},
    token::{Actor, Scope},
};
use db_api::{
    Call, Refusal,
    types::{Login, Logout, Nothing, Refresh, Register, SessionGrant},
};
use service::minted;
use sha2::{Digest, Sha256};
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core, Registration,
    passwords::is_common,
    rows::UserRow,
    store::{is_duplicate, refuse},
};

const ALL_SCOPES: [Scope; 2] = [Scope::Read, Scope::Write];

fn words(scopes: &[Scope]) -> Vec<String> {
    let word = |scope: &Scope| match scope {
        Scope::Read => "chat:read".to_owned(),
        Scope::Write => "chat:write".to_owned(),
    };
    scopes.iter().map(word).collect()
}

fn scopes(words: &[String]) -> Vec<Scope> {
    ALL_SCOPES
        .into_iter()
        .filter(|scope| words.contains(&self::words(&[*scope])[0]))
        .collect()
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: String,
    role: String,
    disabled: bool,
}

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

struct Opened {
    user: User,
    role: AccountRole,
    scopes: Vec<Scope>,
    session: SessionId,
    counter: u64,
}

impl Core {
    fn grant(&self, opened: Opened, now: Timestamp) -> SessionGrant {
        let token = RefreshToken {
            user_id: opened.user.id,
            session_id: opened.session,
            counter: opened.counter,
        };
        SessionGrant {
            user: opened.user,
            session_id: opened.session,
            role: opened.role,
            scopes: opened.scopes,
            refresh_token: self.refresh_key.issue(&token),
            refresh_expires_at: now.plus(limits::REFRESH_TOKEN_LIFE),
        }
    }

    pub(crate) async fn do_register(&self, call: Call, request: Register) -> Result<SessionGrant, Refusal> {
        if self.registration == Registration::Closed {
            return Err(Refusal::forbidden("Registration is closed."));
        }
        if is_common(request.password.as_str()) {
            return Err(Refusal::invalid("/password", "is one of the commonest passwords"));
        }
        let hash = self.passwords.hash(request.password.into_string()).await?;
        let (user_id, session) = (UserId(minted::id()), SessionId(minted::id()));
        let username = request.username.clone();
        let display_name = request
            .display_name
            .map_or_else(|| username.as_str().to_owned(), DisplayName::into_string);
        let device = request.device.map(|device| device.into_string());
        let row = UserRow {
            id: user_id.0,
            username: username.into_string(),
            display_name,
        };
        let user = User::try_from(row)?;
        let written = user.clone();
        self.store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let inserted = sqlx::query(
                    "insert into users (id, username, display_name, password_hash) values ($1, $2, $3, $4)",
                )
                .bind(written.id.0)
                .bind(written.username.as_str())
                .bind(written.display_name.as_str())
                .bind(hash)
                .execute(&mut *tx)
                .await;
                match inserted {
                    Ok(_) => {}
                    Err(error) if is_duplicate(&error) => return Err(Refusal::conflict("The username is taken.")),
                    Err(error) => return Err(refuse(error)),
                }
                open_session(&mut tx, written.id, session, device, &ALL_SCOPES).await?;
                tx.commit().await.map_err(refuse)
            })
            .await?;
        let opened = Opened {
            user,
            role: AccountRole::User,
            scopes: ALL_SCOPES.into(),
            session,
            counter: 0,
        };
        Ok(self.grant(opened, minted::now()))
    }

    pub(crate) async fn do_login(&self, call: Call, request: Login) -> Result<SessionGrant, Refusal> {
        let name = request.username.to_lowercase();
        self.failures.check(&name, request.client_address.as_deref())?;
        let account = sqlx::query_as::<_, AccountRow>(
            "select id, username, display_name, password_hash, role, disabled from users where username = $1",
        )
        .bind(&name)
        .fetch_optional(self.store.pool());
        let account = if name.contains('\0') {
            None
        } else {
            self.store.read(&call, async { account.await.map_err(refuse) }).await?
        };
        // What can't be a password is checked like one, so that it takes as long.
        let password = Password::parse(request.password)
            .map(Password::into_string)
            .unwrap_or_default();
        let stored = account.as_ref().map(|account| account.password_hash.clone());
        if !self.passwords.verify(password, stored).await? {
            self.failures.count(&name, request.client_address.as_deref());
            return Err(Refusal::InvalidCredentials);
        }
        let account = account.ok_or(Refusal::InvalidCredentials)?;
        if account.disabled {
            return Err(Refusal::forbidden("This account is disabled."));
        }
        let role = AccountRole::parse(&account.role).ok_or(Refusal::Internal)?;
        let user = User::try_from(account.user)?;
        let asked = request.scopes.unwrap_or_else(|| ALL_SCOPES.into());
        let granted: Vec<Scope> = ALL_SCOPES.into_iter().filter(|scope| asked.contains(scope)).collect();
        let (session, user_id, device) = (
            SessionId(minted::id()),
            user.id,
            request.device.map(|d| d.into_string()),
        );
        let stored = granted.clone();
        self.store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                open_session(&mut tx, user_id, session, device, &stored).await?;
                tx.commit().await.map_err(refuse)
            })
            .await?;
        Ok(self.grant(
            Opened {
                user,
                role,
                scopes: granted,
                session,
                counter: 0,
            },
            minted::now(),
        ))
    }

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
                self.announce_end(token.user_id, token.session_id);
                Err(Refusal::Unauthenticated)
            }
        }
    }

    pub(crate) async fn do_logout(&self, call: Call, request: Logout) -> Result<Nothing, Refusal> {
        let by_token = request.refresh_token.and_then(|text| self.refresh_key.read(&text).ok());
        let ended = match (by_token, &call.actor) {
            (Some(token), _) => (token.user_id, token.session_id),
            (
                None,
                Some(Actor {
                    user_id, session_id, ..
                }),
            ) => (*user_id, *session_id),
            (None, None) => return Ok(Nothing {}),
        };
        let (user, session) = ended;
        self.store
            .write(&call, move |pool| async move {
                let end = "update sessions set revoked_at = coalesce(revoked_at, now()) where user_id = $1 and id = $2";
                sqlx::query(end)
                    .bind(user.0)
                    .bind(session.0)
                    .execute(&pool)
                    .await
                    .map_err(refuse)
            })
            .await?;
        self.announce_end(user, session);
        Ok(Nothing {})
    }

    fn announce_end(&self, user: UserId, session: SessionId) {
        let notice = Notice {
            kind: NoticeKind::SessionRevoked,
            room_id: None,
            session_id: Some(session),
        };
        self.announcer.offer(Announcement::notice(user, notice));
    }
}

async fn open_session(
    tx: &mut Transaction<'_, Postgres>,
    user: UserId,
    session: SessionId,
    device: Option<String>,
    granted: &[Scope],
) -> Result<(), Refusal> {
    sqlx::query("insert into sessions (user_id, id, device, scopes) values ($1, $2, $3, $4)")
        .bind(user.0)
        .bind(session.0)
        .bind(device)
        .bind(words(granted))
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    Ok(())
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
    let known = "select key_hash from refresh_uses where user_id = $1 and session_id = $2 and counter = $3 \
                 and used_at > now() - make_interval(secs => $4)";
    sqlx::query_scalar(known)
        .bind(user)
        .bind(session)
        .bind(counter)
        .bind(limits::REFRESH_KEY_LIFE.as_secs_f64())
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
