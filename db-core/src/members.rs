//! Who is in a room. Each change is judged under the room's lock and takes its place in the log.

use bus::Announcement;
use common::{
    RoomId, Seq, UserId, cursor,
    event::Event,
    frame::{Notice, NoticeKind},
    room::{Member, Page, Role, Room, Visibility},
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{InRoom, InRoomUser, Made, Members, Nothing},
};
use serde_json::json;
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core,
    people::{next, page_limit, place},
    rooms::{Locked, lock, log_event},
    rows::MemberRow,
    store::refuse,
};

const MEMBER: &str = "m.user_id, u.username, u.display_name, m.role, to_ms(m.joined_at) joined_at_ms \
     from members m left join users u on u.id = m.user_id where m.room_id = $1";

/// The role of a member, at the state that the connection sees now.
pub async fn role_of(connection: &mut PgConnection, room: RoomId, user: UserId) -> Result<Option<Role>, Refusal> {
    let role: Option<String> = sqlx::query_scalar("select role from members where room_id = $1 and user_id = $2")
        .bind(room.0)
        .bind(user.0)
        .fetch_optional(connection)
        .await
        .map_err(refuse)?;
    role.map(|role| Role::parse(&role).ok_or(Refusal::Internal)).transpose()
}

impl Core {
    pub(crate) async fn do_join_room(&self, call: Call, request: InRoom) -> Reply<Room> {
        let (user, room) = (self.actor(&call)?.user_id, request.room_id);
        let joined = self
            .store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let locked = lock(&mut tx, room).await?;
                if role_of(&mut tx, room, user).await?.is_some() {
                    return Ok(None);
                }
                if locked.visibility() == Visibility::Private {
                    return Err(Refusal::NotFound);
                }
                let event = enter(&mut tx, room, user, user, "joined").await?;
                tx.commit().await.map_err(refuse)?;
                Ok(Some(event))
            })
            .await?;
        self.announce(joined);
        Ok(Answer::written(self.room_of(&call, room).await?, self.seen()))
    }

    pub(crate) async fn do_leave_room(&self, call: Call, request: InRoom) -> Reply<Nothing> {
        let (user, room) = (self.actor(&call)?.user_id, request.room_id);
        self.end(call, room, user, user).await
    }

    pub(crate) async fn do_remove_member(&self, call: Call, request: InRoomUser) -> Reply<Nothing> {
        let by = self.actor(&call)?.user_id;
        self.end(call, request.room_id, request.user_id, by).await
    }

    /// Ends a membership: `by` is the member itself, or who may remove it.
    async fn end(&self, call: Call, room: RoomId, user: UserId, by: UserId) -> Reply<Nothing> {
        let event = self
            .store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let locked = lock(&mut tx, room).await?;
                may_end(&mut tx, &locked, room, user, by).await?;
                let event = exit(&mut tx, &locked, room, user, by).await?;
                tx.commit().await.map_err(refuse)?;
                Ok(event)
            })
            .await?;
        self.announce(Some(event));
        let notice = Notice {
            kind: NoticeKind::RoomRemoved,
            room_id: Some(room),
            session_id: None,
        };
        self.announcer.offer(Announcement::notice(user, notice));
        Ok(Answer::written(Nothing {}, self.seen()))
    }

    pub(crate) async fn do_add_member(&self, call: Call, request: InRoomUser) -> Reply<Made<Member>> {
        let (by, room, user) = (self.actor(&call)?.user_id, request.room_id, request.user_id);
        let event = self
            .store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let locked = lock(&mut tx, room).await?;
                match role_of(&mut tx, room, by).await? {
                    None => return Err(locked.stranger()),
                    Some(_) if locked.kind == "dm" => return Err(two_for_good()),
                    Some(Role::Member) => return Err(Refusal::forbidden("Only owners and moderators add people.")),
                    Some(Role::Owner | Role::Moderator) => {}
                }
                let exists: bool = sqlx::query_scalar("select exists (select 1 from users where id = $1)")
                    .bind(user.0)
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(refuse)?;
                if !exists {
                    return Err(Refusal::invalid("/userId", "names somebody who isn't there"));
                }
                if role_of(&mut tx, room, user).await?.is_some() {
                    return Ok(None);
                }
                let event = enter(&mut tx, room, user, by, "added").await?;
                tx.commit().await.map_err(refuse)?;
                Ok(Some(event))
            })
            .await?;
        let created = event.is_some();
        if created {
            let notice = Notice {
                kind: NoticeKind::RoomAdded,
                room_id: Some(room),
                session_id: None,
            };
            self.announcer.offer(Announcement::notice(user, notice));
        }
        self.announce(event);
        let query = format!("select {MEMBER} and m.user_id = $2");
        let row = sqlx::query_as::<_, MemberRow>(sqlx::AssertSqlSafe(query))
            .bind(room.0)
            .bind(user.0)
            .fetch_optional(self.store.pool());
        let row = self.store.read(&call, async { row.await.map_err(refuse) }).await?;
        let object = Member::try_from(row.ok_or(Refusal::NotFound)?)?;
        Ok(Answer::written(Made { object, created }, self.seen()))
    }

    pub(crate) async fn do_members(&self, call: Call, request: Members) -> Result<Page<Member>, Refusal> {
        self.may_read(&call, request.room_id).await?;
        let limit = page_limit(request.paging.limit)?;
        let after: Option<Uuid> = place(request.paging.cursor.as_deref())?;
        let query = format!("select {MEMBER} and ($2::uuid is null or m.user_id > $2) order by m.user_id limit $3");
        let rows = sqlx::query_as::<_, MemberRow>(sqlx::AssertSqlSafe(query))
            .bind(request.room_id.0)
            .bind(after)
            .bind(limit + 1)
            .fetch_all(self.store.pool());
        let rows = self.store.read(&call, async { rows.await.map_err(refuse) }).await?;
        let mut items = rows.into_iter().map(Member::try_from).collect::<Result<Vec<_>, _>>()?;
        let next_cursor = next(&mut items, limit, |member| cursor::encode(&member.user_id.0));
        Ok(Page { items, next_cursor })
    }

    fn announce(&self, event: Option<Event>) {
        if let Some(event) = event {
            self.announcer.offer(Announcement::event(event));
        }
    }

    /// Whether the caller is in the room now, and where the room's log stands.
    ///
    /// # Errors
    /// `NotFound`, or `NotAMember` for a public room.
    pub(crate) async fn member_now(&self, call: &Call, room: RoomId) -> Result<(Seq, common::LogId), Refusal> {
        let user = self.actor(call)?.user_id;
        let row = sqlx::query_as::<_, (i64, Uuid, String, bool, i64, i64)>(
            "select r.head_seq, r.log_id, r.visibility, m.user_id is not null, r.version, r.rules \
             from rooms r left join members m on m.room_id = r.id and m.user_id = $2 \
             where r.id = $1 and r.deleted_at is null",
        )
        .bind(room.0)
        .bind(user.0)
        .fetch_optional(self.store.pool());
        let row = self.store.read(call, async { row.await.map_err(refuse) }).await?;
        let (head, log, visibility, is_member, version, rules) = row.ok_or(Refusal::NotFound)?;
        if !is_member {
            let visibility = Visibility::parse(&visibility).ok_or(Refusal::Internal)?;
            return Err(Refusal::NotAMember { visibility });
        }
        self.hand_out(std::iter::once((room, version, rules))).await?;
        Ok((crate::rows::seq(head)?, common::LogId(log)))
    }
}

fn two_for_good() -> Refusal {
    Refusal::forbidden("A direct conversation has its two members for good.")
}

async fn may_end(
    tx: &mut Transaction<'_, Postgres>,
    locked: &Locked,
    room: RoomId,
    user: UserId,
    by: UserId,
) -> Result<(), Refusal> {
    let mine = role_of(tx, room, by).await?.ok_or_else(|| locked.stranger())?;
    if locked.kind == "dm" {
        return Err(two_for_good());
    }
    let role = role_of(tx, room, user).await?.ok_or(Refusal::NotFound)?;
    if user != by && (mine == Role::Member || (mine == Role::Moderator && role != Role::Member)) {
        return Err(Refusal::forbidden("Owners remove anyone, moderators remove members."));
    }
    if user == by && role == Role::Owner && locked.member_count > 1 {
        let owners: i64 = sqlx::query_scalar("select count(*) from members where room_id = $1 and role = 'owner'")
            .bind(room.0)
            .fetch_one(&mut **tx)
            .await
            .map_err(refuse)?;
        if owners == 1 {
            return Err(Refusal::conflict(
                "The last owner can't leave while others are in the room.",
            ));
        }
    }
    Ok(())
}

async fn enter(
    tx: &mut Transaction<'_, Postgres>,
    room: RoomId,
    user: UserId,
    by: UserId,
    change: &str,
) -> Result<Event, Refusal> {
    let detail = json!({"userId": user, "change": change, "role": Role::Member, "by": by});
    let event = log_event(tx, room, "member", detail, 1).await?;
    // A new member's marker starts at the head.
    sqlx::query(
        "insert into members (room_id, user_id, role, joined_at, read_seq) \
         select $1, $2, 'member', last_event_at, head_seq from rooms where id = $1",
    )
    .bind(room.0)
    .bind(user.0)
    .execute(&mut **tx)
    .await
    .map_err(refuse)?;
    Ok(event)
}

async fn exit(
    tx: &mut Transaction<'_, Postgres>,
    locked: &Locked,
    room: RoomId,
    user: UserId,
    by: UserId,
) -> Result<Event, Refusal> {
    let change = if user == by { "left" } else { "removed" };
    sqlx::query("delete from members where room_id = $1 and user_id = $2")
        .bind(room.0)
        .bind(user.0)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    if locked.encryption == "envelope" {
        // Who is out holds the keys so far: nothing new may be sealed with them.
        sqlx::query("update rooms set min_epoch = epoch + 1 where id = $1")
            .bind(room.0)
            .execute(&mut **tx)
            .await
            .map_err(refuse)?;
    }
    log_event(
        tx,
        room,
        "member",
        json!({"userId": user, "change": change, "by": by}),
        -1,
    )
    .await
}
