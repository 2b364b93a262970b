//! The sessions of accounts: how they are opened, told and ended.

use bus::Announcement;
use common::{
    SessionId, Timestamp, UserId,
    frame::{Notice, NoticeKind},
    limits,
    refresh::RefreshToken,
    room::{AccountRole, User},
    text::DeviceName,
    token::Scope,
};
use db_api::{
    Call, Refusal,
    types::{EndSession, Logout, Nothing, SessionEntry, SessionGrant, SessionList},
};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{Core, store::refuse};

pub const ALL_SCOPES: [Scope; 2] = [Scope::Read, Scope::Write];

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

/// A session that has just been opened or moved on.
pub struct Opened {
    pub user: User,
    pub role: AccountRole,
    pub scopes: Vec<Scope>,
    pub session: SessionId,
    /// Rotations so far.
    pub counter: u64,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: Uuid,
    device: Option<String>,
    created_at_ms: i64,
    last_seen_at_ms: i64,
}

impl From<SessionRow> for SessionEntry {
    fn from(row: SessionRow) -> Self {
        Self {
            session_id: SessionId(row.id),
            device: row.device.and_then(|device| DeviceName::parse(device).ok()),
            created_at: Timestamp(row.created_at_ms),
            last_seen_at: Timestamp(row.last_seen_at_ms),
        }
    }
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

    pub(crate) async fn do_sessions(&self, call: Call) -> Result<SessionList, Refusal> {
        let user = self.actor(&call)?.user_id;
        let pool = self.store.pool();
        let living = "select id, device, to_ms(created_at) created_at_ms, to_ms(last_seen_at) last_seen_at_ms from sessions \
                      where user_id = $1 and revoked_at is null and spent_at > now() - make_interval(secs => $2) \
                      order by last_seen_at desc, id limit $3";
        let rows = sqlx::query_as::<_, SessionRow>(living)
            .bind(user.0)
            .bind(limits::REFRESH_TOKEN_LIFE.as_secs_f64())
            .bind(limits::SESSIONS_LISTED)
            .fetch_all(&pool);
        let rows = self.store.read(&call, async { rows.await.map_err(refuse) }).await?;
        Ok(SessionList {
            items: rows.into_iter().map(SessionEntry::from).collect(),
        })
    }

    pub(crate) async fn do_logout(&self, call: Call, request: Logout) -> Result<Nothing, Refusal> {
        let by_token = request.refresh_token.and_then(|text| self.refresh_key.read(&text).ok());
        let ended = match (by_token, &call.actor) {
            (Some(token), _) => (token.user_id, token.session_id),
            (None, Some(actor)) => (actor.user_id, actor.session_id),
            (None, None) => return Ok(Nothing {}),
        };
        self.end_one(&call, ended.0, ended.1).await?;
        Ok(Nothing {})
    }

    pub(crate) async fn do_end_session(&self, call: Call, request: EndSession) -> Result<Nothing, Refusal> {
        let user = self.actor(&call)?.user_id;
        match self.end_one(&call, user, request.session_id).await? {
            true => Ok(Nothing {}),
            false => Err(Refusal::NotFound),
        }
    }

    /// Says whether the user has, or had, such a session.
    async fn end_one(&self, call: &Call, user: UserId, session: SessionId) -> Result<bool, Refusal> {
        let known = self
            .store
            .write(call, move |pool| async move {
                let end = "update sessions set revoked_at = coalesce(revoked_at, now()) where user_id = $1 and id = $2";
                let done = sqlx::query(end).bind(user.0).bind(session.0).execute(&pool).await;
                done.map(|done| done.rows_affected() > 0).map_err(refuse)
            })
            .await?;
        if known {
            self.announce_ends(user, [session]);
        }
        Ok(known)
    }

    /// Tells the gateways, after the commit. What they miss of it, the list of revoked sessions tells them.
    pub(crate) fn announce_ends(&self, user: UserId, sessions: impl IntoIterator<Item = SessionId>) {
        for session in sessions {
            let notice = Notice {
                kind: NoticeKind::SessionRevoked,
                room_id: None,
                session_id: Some(session),
            };
            self.announcer.offer(Announcement::notice(user, notice));
        }
    }
}

pub async fn open_session(
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

/// Ends all sessions of an account but one, under the account's lock: none can be opened meanwhile. Those that it ended.
pub async fn end_sessions(
    tx: &mut Transaction<'_, Postgres>,
    user: UserId,
    but: Option<SessionId>,
) -> Result<Vec<SessionId>, Refusal> {
    let end = "update sessions set revoked_at = now() \
               where user_id = $1 and revoked_at is null and id is distinct from $2 returning id";
    let ended: Vec<Uuid> = sqlx::query_scalar(end)
        .bind(user.0)
        .bind(but.map(|session| session.0))
        .fetch_all(&mut **tx)
        .await
        .map_err(refuse)?;
    Ok(ended.into_iter().map(SessionId).collect())
}
