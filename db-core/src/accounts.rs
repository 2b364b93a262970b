//! Accounts and their sessions.

use bus::Announcement;
use common::{
    SessionId, Timestamp, UserId,
    frame::{Notice, NoticeKind},
    limits,
    refresh::RefreshToken,
    room::{AccountRole, User},
    text::{DisplayName, Password},
    token::{Actor, Scope},
};
use db_api::{
    Call, Refusal,
    types::{Login, Logout, Nothing, Register, SessionGrant},
};
use service::minted;
use sqlx::{Postgres, Transaction};

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

pub fn scopes(words: &[String]) -> Vec<Scope> {
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

/// The circumstances of the database's part of a call that may wait long for its turn to hash: a database that is away
/// is told as fast as anywhere.
fn hurried(call: &Call) -> Call {
    call.clone().within(call.deadline().min(limits::CALL_DEADLINE))
}

/// A session that has just been opened or moved on.
pub struct Opened {
    pub user: User,
    pub role: AccountRole,
    pub scopes: Vec<Scope>,
    pub session: SessionId,
    /// Rotations so far.
    pub counter: u64,
}

impl Core {
    pub(crate) fn grant(&self, opened: Opened, now: Timestamp) -> SessionGrant {
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
            .write(&hurried(&call), move |pool| async move {
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
        let pool = self.store.pool();
        let account = sqlx::query_as::<_, AccountRow>(
            "select id, username, display_name, password_hash, role, disabled from users where username = $1",
        )
        .bind(&name)
        .fetch_optional(&pool);
        let account = if name.contains('\0') {
            None
        } else {
            self.store
                .read(&hurried(&call), async { account.await.map_err(refuse) })
                .await?
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
            .write(&hurried(&call), move |pool| async move {
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

    pub(crate) fn announce_end(&self, user: UserId, session: SessionId) {
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
