//! Whom somebody wants to hear nothing of. A block has no place in a log; what holds is that once it is answered, nothing
//! that it forbids is done any more. So it waits for what is under way: it locks the direct conversation of the two, if there
//! is one, and claims the blocker's account, which is held by whoever adds people.

use common::{
    RoomId, UserId, cursor,
    room::{Page, User},
    text::Username,
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{Allowed, GetUser, InRoomUser, Nothing, Paging},
};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core,
    dms::dm_of,
    holding::claim,
    membership::exists,
    people::{next, page_limit, place},
    rooms::lock,
    rows::UserRow,
    store::refuse,
};

impl Core {
    pub(crate) async fn do_blocks(&self, call: Call, request: Paging) -> Result<Page<User>, Refusal> {
        let user = self.actor(&call)?.user_id;
        let limit = page_limit(request.limit)?;
        let after: Option<Username> = place(request.cursor.as_deref())?;
        let pool = self.store.pool();
        let query = sqlx::query_as::<_, UserRow>(
            "select u.id, u.username, u.display_name from blocks b join users u on u.id = b.blocked_id \
             where b.user_id = $1 and ($2::text is null or u.username > $2) order by u.username limit $3",
        )
        .bind(user.0)
        .bind(after.as_ref().map(Username::as_str))
        .bind(limit + 1)
        .fetch_all(&pool);
        let rows = self.store.read(&call, async { query.await.map_err(refuse) }).await?;
        let mut items = rows.into_iter().map(User::try_from).collect::<Result<Vec<_>, _>>()?;
        let next_cursor = next(&mut items, limit, |user| cursor::encode(&user.username));
        Ok(Page { items, next_cursor })
    }

    pub(crate) async fn do_block(&self, call: Call, request: GetUser) -> Reply<Nothing> {
        let (user, blocked) = (self.actor(&call)?.user_id, request.user_id);
        if user == blocked {
            return Err(Refusal::invalid("/userId", "is yourself"));
        }
        self.store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                block(&mut tx, user, blocked).await?;
                tx.commit().await.map_err(refuse)
            })
            .await?;
        Ok(Answer::written(Nothing {}, self.seen().await))
    }

    pub(crate) async fn do_unblock(&self, call: Call, request: GetUser) -> Reply<Nothing> {
        let (user, blocked) = (self.actor(&call)?.user_id, request.user_id);
        self.store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let ended = sqlx::query("delete from blocks where user_id = $1 and blocked_id = $2")
                    .bind(user.0)
                    .bind(blocked.0)
                    .execute(&mut *tx)
                    .await
                    .map_err(refuse)?;
                if ended.rows_affected() == 0 && !exists(&mut tx, blocked).await? {
                    return Err(Refusal::NotFound);
                }
                tx.commit().await.map_err(refuse)
            })
            .await?;
        Ok(Answer::written(Nothing {}, self.seen().await))
    }

    pub(crate) async fn do_may_type(&self, call: Call, request: InRoomUser) -> Result<Allowed, Refusal> {
        let (room, user, pool) = (request.room_id, request.user_id, self.store.pool());
        let blocked = async {
            let mut connection = pool.acquire().await.map_err(refuse)?;
            dm_is_blocked(&mut connection, room, user).await
        };
        let allowed = !self.store.read(&call, blocked).await?;
        Ok(Allowed { allowed })
    }
}

async fn block(tx: &mut Transaction<'_, Postgres>, user: UserId, blocked: UserId) -> Result<(), Refusal> {
    if !exists(tx, blocked).await? {
        return Err(Refusal::NotFound);
    }
    // The room first, as everywhere; one that was made meanwhile is seen once the account is claimed.
    let room = dm_of(tx, user, blocked).await?;
    if let Some(room) = room {
        lock(tx, room).await?;
    }
    claim(tx, user).await?;
    if let (None, Some(room)) = (room, dm_of(tx, user, blocked).await?) {
        lock(tx, room).await?;
    }
    sqlx::query("insert into blocks (user_id, blocked_id) values ($1, $2) on conflict do nothing")
        .bind(user.0)
        .bind(blocked.0)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    Ok(())
}

/// Refuses what somebody wants to do with people of whom one blocks them. These were held still in an earlier statement.
///
/// # Errors
/// `Forbidden`.
pub async fn unblocked(connection: &mut PgConnection, by: UserId, users: &[Uuid]) -> Result<(), Refusal> {
    let query = "select exists (select 1 from blocks where user_id = any($1) and blocked_id = $2)";
    let blocked: bool = sqlx::query_scalar(query)
        .bind(users)
        .bind(by.0)
        .fetch_one(connection)
        .await
        .map_err(refuse)?;
    if blocked {
        return Err(Refusal::forbidden("Somebody of them does not want to hear from you."));
    }
    Ok(())
}

/// Whether the room is a direct conversation of which either blocks the other, for a member of it. Before a write the
/// room was locked in an earlier statement.
pub async fn dm_is_blocked(connection: &mut PgConnection, room: RoomId, user: UserId) -> Result<bool, Refusal> {
    sqlx::query_scalar("select dm_is_blocked($1, $2)")
        .bind(room.0)
        .bind(user.0)
        .fetch_one(connection)
        .await
        .map_err(refuse)
}
