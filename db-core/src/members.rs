//! Who is in a room. Each change is judged under the room's lock and takes its place in the log.

use bus::Announcement;
use common::{
    RoomId, Seq, UserId, cursor,
    event::Event,
    frame::NoticeKind,
    limits,
    room::{Member, Page, Presence, Role, Room, Visibility},
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{InRoom, InRoomUser, Made, Members, Nothing},
};
use uuid::Uuid;

use crate::{
    Core,
    blocks::unblocked,
    holding::hold,
    membership::{MEMBER, acting, enter, exit, may_end, member_of, role_of},
    once::Once,
    people::{next, page_limit, place},
    rooms::lock,
    rows::MemberRow,
    store::refuse,
};

/// What an adding that is done once is remembered by.
#[derive(serde::Serialize, serde::Deserialize)]
struct Added {
    created: bool,
}

impl Core {
    pub(crate) async fn do_join_room(&self, call: Call, request: InRoom) -> Reply<Room> {
        let (user, room) = (self.actor(&call)?.user_id, request.room_id);
        let once = Once::of(&call, user);
        let joined = self
            .change_room(&call, room, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                if let Some(Nothing {}) = once.earlier(&mut tx).await? {
                    return Ok(None);
                }
                let locked = lock(&mut tx, room).await?;
                if role_of(&mut tx, room, user).await?.is_some() {
                    once.commit(tx, &Nothing {}).await?;
                    return Ok(None);
                }
                if locked.visibility() == Visibility::Private {
                    return Err(Refusal::NotFound);
                }
                let event = enter(&mut tx, &locked, room, user, user, "joined").await?;
                once.commit(tx, &Nothing {}).await?;
                Ok(Some(event))
            })
            .await?;
        if joined.is_some() {
            // The user's other devices don't know yet.
            self.announcer.notify(user, NoticeKind::RoomAdded, room);
        }
        self.announce(joined);
        self.ask_for_keys(&call, user, Some(room)).await;
        Ok(Answer::written(self.room_of(&call, room).await?, self.seen().await))
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
        let once = Once::of(&call, by);
        let event = self
            .change_room(&call, room, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                if let Some(Nothing {}) = once.earlier(&mut tx).await? {
                    return Ok(None);
                }
                let locked = lock(&mut tx, room).await?;
                may_end(&mut tx, &locked, room, user, by).await?;
                let event = exit(&mut tx, &locked, room, user, by).await?;
                once.commit(tx, &Nothing {}).await?;
                Ok(Some(event))
            })
            .await?;
        if event.is_some() {
            self.announce(event);
            self.announcer.notify(user, NoticeKind::RoomRemoved, room);
        }
        Ok(Answer::written(Nothing {}, self.seen().await))
    }

    pub(crate) async fn do_add_member(&self, call: Call, request: InRoomUser) -> Reply<Made<Member>> {
        let (by, room, user) = (self.actor(&call)?.user_id, request.room_id, request.user_id);
        let once = Once::of(&call, by);
        let (created, event) = self
            .change_room(&call, room, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                if let Some(Added { created }) = once.earlier(&mut tx).await? {
                    return Ok((created, None));
                }
                let locked = lock(&mut tx, room).await?;
                if acting(&mut tx, &locked, room, by).await? < Role::Moderator {
                    return Err(Refusal::forbidden("Only owners and moderators add people."));
                }
                if !hold(&mut tx, &[user.0]).await? {
                    return Err(Refusal::invalid("/userId", "names somebody who isn't there"));
                }
                if role_of(&mut tx, room, user).await?.is_some() {
                    once.commit(tx, &Added { created: false }).await?;
                    return Ok((false, None));
                }
                unblocked(&mut tx, by, &[user.0]).await?;
                let event = enter(&mut tx, &locked, room, user, by, "added").await?;
                once.commit(tx, &Added { created: true }).await?;
                Ok((true, Some(event)))
            })
            .await?;
        if event.is_none() {
            // Done before, maybe while the caller was still in the room.
            self.member_now(&call, room).await?;
        } else {
            self.announcer.notify(user, NoticeKind::RoomAdded, room);
        }
        self.announce(event);
        self.ask_for_keys(&call, user, Some(room)).await;
        let object = async {
            let mut connection = self.store.pool().acquire().await.map_err(refuse)?;
            member_of(&mut connection, room, user).await
        };
        let object = self.store.read(&call, object).await?;
        Ok(Answer::written(Made { object, created }, self.seen().await))
    }

    pub(crate) async fn do_members(&self, call: Call, request: Members) -> Result<Page<Member>, Refusal> {
        self.may_read(&call, request.room_id).await?;
        let limit = page_limit(request.paging.limit)?;
        let after: Option<Uuid> = place(request.paging.cursor.as_deref())?;
        let query = format!("select {MEMBER} and ($2::uuid is null or m.user_id > $2) order by m.user_id limit $3");
        let pool = self.store.pool();
        let rows = sqlx::query_as::<_, MemberRow>(sqlx::AssertSqlSafe(query))
            .bind(request.room_id.0)
            .bind(after)
            .bind(limit + 1)
            .fetch_all(&pool);
        let rows = self.store.read(&call, async { rows.await.map_err(refuse) }).await?;
        let mut items = rows.into_iter().map(Member::try_from).collect::<Result<Vec<_>, _>>()?;
        let next_cursor = next(&mut items, limit, |member| cursor::encode(&member.user_id.0));
        self.look_who_is_there(&mut items).await;
        Ok(Page { items, next_cursor })
    }

    /// A list is worth more than to wait for a bus that is away: then all are shown as offline.
    async fn look_who_is_there(&self, members: &mut [Member]) {
        let users: Vec<UserId> = members.iter().map(|member| member.user_id).collect();
        let present = tokio::time::timeout(limits::PRESENCE_ANSWER, self.bus.present(&users)).await;
        if let Ok(Ok(present)) = present {
            for member in members {
                member.presence = present.get(&member.user_id).copied().unwrap_or(Presence::Offline);
            }
        }
    }

    pub(crate) fn announce(&self, event: Option<Event>) {
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
        let pool = self.store.pool();
        let row = sqlx::query_as::<_, (i64, Uuid, String, bool, i64, i64)>(
            "select r.head_seq, r.log_id, r.visibility, m.user_id is not null, r.version, r.rules \
             from rooms r left join members m on m.room_id = r.id and m.user_id = $2 \
             where r.id = $1 and r.deleted_at is null",
        )
        .bind(room.0)
        .bind(user.0)
        .fetch_optional(&pool);
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
