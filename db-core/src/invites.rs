//! Ways into a room for whoever has a code. Each use is counted under the room's lock, so that there are never too many.

use common::{
    RoomId, Timestamp, UserId, cursor,
    event::Event,
    frame::NoticeKind,
    invite::InviteCode,
    limits,
    room::{Invite, Page, Role, Room},
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{AcceptInvite, CreateInvite, Members, NamedInvite, Nothing},
};
use service::minted;
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core,
    membership::{acting, enter, role_of},
    once::Once,
    people::{next, page_limit, place},
    rooms::lock,
    store::refuse,
};

#[derive(sqlx::FromRow)]
struct InviteRow {
    id: Uuid,
    expires_at_ms: i64,
    max_uses: Option<i32>,
    uses: i32,
}

/// What a making that is done once is remembered by.
#[derive(serde::Serialize, serde::Deserialize)]
struct Made {
    id: Uuid,
}

impl Core {
    fn invite(&self, room_id: RoomId, row: InviteRow) -> Invite {
        let code = InviteCode {
            room_id,
            invite_id: row.id,
        };
        Invite {
            code: self.invite_key.code(&code),
            room_id,
            expires_at: Timestamp(row.expires_at_ms),
            max_uses: row.max_uses.map(|uses| uses as u32),
            uses: row.uses as u32,
        }
    }

    /// Those that still let somebody in.
    pub(crate) async fn do_invites(&self, call: Call, request: Members) -> Result<Page<Invite>, Refusal> {
        let (user, room) = (self.actor(&call)?.user_id, request.room_id);
        self.member_now(&call, room).await?;
        let limit = page_limit(request.paging.limit)?;
        let after: Option<Uuid> = place(request.paging.cursor.as_deref())?;
        let rows = async {
            let mut connection = self.store.pool().acquire().await.map_err(refuse)?;
            if role_of(&mut connection, room, user).await? < Some(Role::Moderator) {
                return Err(not_theirs());
            }
            sqlx::query_as::<_, InviteRow>(
                "select id, to_ms(expires_at) expires_at_ms, max_uses, uses from invites \
                 where room_id = $1 and ($2::uuid is null or id > $2) and expires_at > clock_timestamp() \
                 and (max_uses is null or uses < max_uses) order by id limit $3",
            )
            .bind(room.0)
            .bind(after)
            .bind(limit + 1)
            .fetch_all(&mut *connection)
            .await
            .map_err(refuse)
        };
        let mut rows: Vec<(Uuid, Invite)> = self
            .store
            .read(&call, rows)
            .await?
            .into_iter()
            .map(|row| (row.id, self.invite(room, row)))
            .collect();
        let next_cursor = next(&mut rows, limit, |(id, _)| cursor::encode(id));
        let items = rows.into_iter().map(|(_, invite)| invite).collect();
        Ok(Page { items, next_cursor })
    }

    pub(crate) async fn do_create_invite(&self, call: Call, request: CreateInvite) -> Reply<Invite> {
        let (by, room) = (self.actor(&call)?.user_id, request.room_id);
        let (terms, once) = (Terms::of(&request)?, Once::of(&call, by));
        let row = self
            .store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let earlier = once.earlier::<Made>(&mut tx).await?;
                may_invite(&mut tx, room, by).await?;
                if let Some(Made { id }) = earlier {
                    return standing(&mut tx, room, id).await;
                }
                let row = insert(&mut tx, room, by, &terms).await?;
                once.commit(tx, &Made { id: row.id }).await?;
                Ok(row)
            })
            .await?;
        Ok(Answer::written(self.invite(room, row), self.seen().await))
    }

    pub(crate) async fn do_withdraw_invite(&self, call: Call, request: NamedInvite) -> Reply<Nothing> {
        let (by, room) = (self.actor(&call)?.user_id, request.room_id);
        let named = self.invite_key.read(&request.code).ok();
        let named = named.filter(|code| code.room_id == room);
        self.store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                // A stranger is not even told that the code is none.
                may_invite(&mut tx, room, by).await?;
                let invite = named.ok_or(Refusal::NotFound)?.invite_id;
                let withdrawn = sqlx::query("delete from invites where room_id = $1 and id = $2")
                    .bind(room.0)
                    .bind(invite)
                    .execute(&mut *tx)
                    .await
                    .map_err(refuse)?;
                if withdrawn.rows_affected() == 0 {
                    return Err(Refusal::NotFound);
                }
                tx.commit().await.map_err(refuse)
            })
            .await?;
        Ok(Answer::written(Nothing {}, self.seen().await))
    }

    pub(crate) async fn do_accept_invite(&self, call: Call, request: AcceptInvite) -> Reply<Room> {
        let user = self.actor(&call)?.user_id;
        let code = self.invite_key.read(&request.code).map_err(|_| Refusal::NotFound)?;
        let once = Once::of(&call, user);
        let event = self
            .change_room(&call, code.room_id, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                if let Some(Nothing {}) = once.earlier(&mut tx).await? {
                    return Ok(None);
                }
                let event = accept(&mut tx, code, user).await?;
                once.commit(tx, &Nothing {}).await?;
                Ok(event)
            })
            .await?;
        if event.is_some() {
            self.announcer.notify(user, NoticeKind::RoomAdded, code.room_id);
        }
        self.announce(event);
        self.ask_for_keys(&call, user, Some(code.room_id)).await;
        Ok(Answer::written(
            self.room_of(&call, code.room_id).await?,
            self.seen().await,
        ))
    }
}

/// What an invite is good for.
struct Terms {
    seconds: f64,
    max_uses: Option<i32>,
}

impl Terms {
    fn of(request: &CreateInvite) -> Result<Self, Refusal> {
        let most = limits::INVITE_LIFE_MAX.as_secs();
        let seconds = request.expires_in_seconds.unwrap_or(limits::INVITE_LIFE.as_secs());
        if !(1..=most).contains(&seconds) {
            return Err(Refusal::invalid("/expiresInSeconds", format!("must be 1 to {most}")));
        }
        if request
            .max_uses
            .is_some_and(|uses| !(1..=limits::INVITE_USES).contains(&uses))
        {
            return Err(Refusal::invalid(
                "/maxUses",
                format!("must be 1 to {}", limits::INVITE_USES),
            ));
        }
        Ok(Self {
            seconds: seconds as f64,
            max_uses: request.max_uses.map(|uses| uses as i32),
        })
    }
}

fn not_theirs() -> Refusal {
    Refusal::forbidden("Only owners and moderators invite people.")
}

async fn may_invite(tx: &mut Transaction<'_, Postgres>, room: RoomId, by: UserId) -> Result<(), Refusal> {
    let locked = lock(tx, room).await?;
    if acting(tx, &locked, room, by).await? < Role::Moderator {
        return Err(not_theirs());
    }
    Ok(())
}

async fn insert(connection: &mut PgConnection, room: RoomId, by: UserId, terms: &Terms) -> Result<InviteRow, Refusal> {
    sqlx::query_as(
        "insert into invites (room_id, id, created_by, created_at, expires_at, max_uses) \
         select $1, $2, $3, at, at + make_interval(secs => $4), $5 \
         from date_trunc('milliseconds', clock_timestamp()) at \
         returning id, to_ms(expires_at) expires_at_ms, max_uses, uses",
    )
    .bind(room.0)
    .bind(minted::id())
    .bind(by.0)
    .bind(terms.seconds)
    .bind(terms.max_uses)
    .fetch_one(connection)
    .await
    .map_err(refuse)
}

/// An invite that was made before, as it now stands.
async fn standing(connection: &mut PgConnection, room: RoomId, id: Uuid) -> Result<InviteRow, Refusal> {
    sqlx::query_as(
        "select id, to_ms(expires_at) expires_at_ms, max_uses, uses from invites where room_id = $1 and id = $2",
    )
    .bind(room.0)
    .bind(id)
    .fetch_optional(connection)
    .await
    .map_err(refuse)?
    .ok_or(Refusal::Gone)
}

/// Lets somebody in; a member stays one and counts no use, also once the invite is over.
async fn accept(tx: &mut Transaction<'_, Postgres>, code: InviteCode, user: UserId) -> Result<Option<Event>, Refusal> {
    let (room, invite) = (code.room_id, code.invite_id);
    let locked = lock(tx, room).await?;
    let is_over: Option<bool> = sqlx::query_scalar(
        "select expires_at <= clock_timestamp() or coalesce(uses >= max_uses, false) from invites \
         where room_id = $1 and id = $2",
    )
    .bind(room.0)
    .bind(invite)
    .fetch_optional(&mut **tx)
    .await
    .map_err(refuse)?;
    let is_over = is_over.ok_or(Refusal::NotFound)?;
    if role_of(tx, room, user).await?.is_some() {
        return Ok(None);
    }
    if is_over {
        return Err(Refusal::Gone);
    }
    sqlx::query("update invites set uses = uses + 1 where room_id = $1 and id = $2")
        .bind(room.0)
        .bind(invite)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    enter(tx, &locked, room, user, user, "joined").await.map(Some)
}
