//! Rooms: making them, listing them, looking at one.

use bus::Announcement;
use common::{
    RoomId, UserId, cursor,
    event::Event,
    frame::NoticeKind,
    room::{Message, Page, Role, Room, RoomKind, Visibility},
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{CreateRoom, InRoom, Paging, PublicRooms},
};
use serde_json::Value;
use service::minted;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core,
    blocks::unblocked,
    creation::{NewRoom, create},
    holding::hold,
    once::Once,
    people::{like_start, next, page_limit, place},
    rows::{EventRow, MESSAGE, MessageRow, RoomRow},
    store::refuse,
};

/// The columns of [`RoomRow`] for the caller `$1`. Counts stop at 1,000.
const ROOM: &str = "r.id, r.log_id, r.kind, r.name, r.topic, r.visibility, r.encryption, r.epoch, \
     to_ms(r.created_at) created_at_ms, to_ms(r.activity_at) activity_at_ms, r.member_count, r.head_seq, \
     r.last_message_seq, m.role my_role, m.read_seq, \
     (select count(*) from (select 1 from messages x where x.room_id = r.id and x.seq > m.read_seq \
        and x.sender_id <> $1 and x.deleted_at is null limit 1000) unread) unread_count, \
     (select count(*) from (select 1 from messages x where x.room_id = r.id and x.seq > m.read_seq \
        and x.sender_id <> $1 and x.deleted_at is null and x.mentions <> '{}' and $1 = any(x.mentions) limit 1000) mentioned) mention_count, \
     o.user_id peer_id, p.username peer_username, p.display_name peer_display_name \
     from rooms r left join members m on m.room_id = r.id and m.user_id = $1 \
     left join members o on r.kind = 'dm' and o.room_id = r.id and o.user_id <> $1 left join users p on p.id = o.user_id";

/// A room's row under its lock: until the transaction ends nobody else writes to the room. What a write rests on is read
/// after this, in statements of their own (consistency rule 1).
pub async fn lock(tx: &mut Transaction<'_, Postgres>, room: RoomId) -> Result<Locked, Refusal> {
    let locked = "select kind, visibility, encryption, epoch, member_count from rooms \
                  where id = $1 and deleted_at is null for update";
    let row = sqlx::query_as::<_, Locked>(locked)
        .bind(room.0)
        .fetch_optional(&mut **tx)
        .await
        .map_err(refuse)?;
    row.ok_or(Refusal::NotFound)
}

#[derive(sqlx::FromRow)]
pub struct Locked {
    pub kind: String,
    visibility: String,
    pub encryption: String,
    pub epoch: i32,
    pub member_count: i32,
}

impl Locked {
    pub fn visibility(&self) -> Visibility {
        Visibility::parse(&self.visibility).unwrap_or(Visibility::Private)
    }

    pub fn stranger(&self) -> Refusal {
        Refusal::NotAMember {
            visibility: self.visibility(),
        }
    }
}

/// Gives an event without a message the next place in the log of a locked room.
pub async fn log_event(
    tx: &mut Transaction<'_, Postgres>,
    room: RoomId,
    kind: &str,
    detail: Value,
    members_more: i32,
) -> Result<Event, Refusal> {
    let row = sqlx::query_as::<_, EventRow>(
        "with head as (update rooms set head_seq = head_seq + 1, version = version + 1, \
           rules = rules + case when $2 in ('member', 'room') then 1 else 0 end, \
           member_count = member_count + $4, \
           last_event_at = greatest(date_trunc('milliseconds', clock_timestamp()), last_event_at) \
           where id = $1 returning head_seq, last_event_at) \
         insert into events (room_id, seq, kind, at, detail) select $1, head_seq, $2, last_event_at, $3 from head \
         returning room_id, seq, kind, to_ms(at) at_ms, content, detail",
    )
    .bind(room.0)
    .bind(kind)
    .bind(detail)
    .bind(members_more)
    .fetch_one(&mut **tx)
    .await
    .map_err(refuse)?;
    Event::try_from(row)
}

/// What a creation that is done once is remembered by.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    room_id: RoomId,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct ByActivity(i64, Uuid);

#[derive(serde::Serialize, serde::Deserialize)]
struct BySize(i32, Uuid);

impl Core {
    pub(crate) async fn do_create_room(&self, call: Call, request: CreateRoom) -> Reply<Room> {
        let owner = self.actor(&call)?.user_id;
        let mut others = request.member_ids;
        others.sort();
        others.dedup();
        others.retain(|user| *user != owner);
        let (added, once) = (others.clone(), Once::of(&call, owner));
        let mut members = vec![(owner, Role::Owner)];
        members.extend(others.iter().map(|user| (*user, Role::Member)));
        let room = RoomId(minted::id());
        let new = NewRoom {
            id: room,
            kind: RoomKind::Room,
            name: Some(request.name),
            topic: request.topic,
            visibility: request.visibility,
            encryption: request.encryption,
            by: owner,
            members,
        };
        let (room, event) = self
            .store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                if let Some(Created { room_id }) = once.earlier(&mut tx).await? {
                    return Ok((room_id, None));
                }
                let others: Vec<Uuid> = others.iter().map(|user| user.0).collect();
                let everybody: Vec<Uuid> = new.members.iter().map(|(user, _)| user.0).collect();
                if !hold(&mut tx, &everybody).await? {
                    return Err(Refusal::invalid("/memberIds", "names somebody who isn't there"));
                }
                unblocked(&mut tx, owner, &others).await?;
                let event = create(&mut tx, &new).await?;
                once.commit(tx, &Created { room_id: room }).await?;
                Ok((room, Some(event)))
            })
            .await?;
        if let Some(event) = event {
            self.announcer.offer(Announcement::event(event));
            // The owner's other devices don't know yet either.
            for user in added.into_iter().chain([owner]) {
                self.announcer.notify(user, NoticeKind::RoomAdded, room);
            }
        }
        Ok(Answer::written(self.room_of(&call, room).await?, self.seen().await))
    }

    pub(crate) async fn do_room(&self, call: Call, request: InRoom) -> Result<Room, Refusal> {
        self.room_of(&call, request.room_id).await
    }

    /// The room as the caller sees it now; for a stranger a preview when it is public.
    pub(crate) async fn room_of(&self, call: &Call, room: RoomId) -> Result<Room, Refusal> {
        let user = self.actor(call)?.user_id;
        let query = format!("select {ROOM} where r.id = $2 and r.deleted_at is null");
        let found = async {
            let row = sqlx::query_as::<_, RoomRow>(sqlx::AssertSqlSafe(query))
                .bind(user.0)
                .bind(room.0)
                .fetch_optional(&self.store.pool())
                .await
                .map_err(refuse)?
                .ok_or(Refusal::NotFound)?;
            if row.my_role.is_none() && row.visibility() == Visibility::Private {
                return Err(Refusal::NotFound);
            }
            self.with_last_messages(user, vec![row])
                .await?
                .pop()
                .ok_or(Refusal::Internal)
        };
        self.store.read(call, found).await
    }

    async fn with_last_messages(&self, reader: UserId, rows: Vec<RoomRow>) -> Result<Vec<Room>, Refusal> {
        let last = |row: &RoomRow| row.my_role.is_some().then_some(row.last_message_seq).flatten();
        let (rooms, seqs): (Vec<Uuid>, Vec<i64>) = rows.iter().filter_map(|row| Some((row.id, last(row)?))).unzip();
        let query =
            format!("select {MESSAGE} where (m.room_id, m.seq) in (select * from unnest($2::uuid[], $3::bigint[]))");
        let found = sqlx::query_as::<_, MessageRow>(sqlx::AssertSqlSafe(query))
            .bind(reader.0)
            .bind(rooms)
            .bind(seqs)
            .fetch_all(&self.store.pool())
            .await
            .map_err(refuse)?;
        let mut messages = found
            .into_iter()
            .map(Message::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        rows.into_iter()
            .map(|row| {
                let at = messages.iter().position(|message| message.room_id.0 == row.id);
                row.into_room(at.map(|at| messages.swap_remove(at)))
            })
            .collect()
    }

    pub(crate) async fn do_rooms(&self, call: Call, paging: Paging) -> Result<Page<Room>, Refusal> {
        let user = self.actor(&call)?.user_id;
        let limit = page_limit(paging.limit)?;
        let after: Option<ByActivity> = place(paging.cursor.as_deref())?;
        let query = format!(
            "select {ROOM} where m.user_id = $1 and r.deleted_at is null \
             and ($2::bigint is null or (to_ms(r.activity_at), r.id) < ($2, $3)) \
             order by to_ms(r.activity_at) desc, r.id desc limit $4"
        );
        let page = async {
            let rows = sqlx::query_as::<_, RoomRow>(sqlx::AssertSqlSafe(query))
                .bind(user.0)
                .bind(after.as_ref().map(|after| after.0))
                .bind(after.as_ref().map(|after| after.1))
                .bind(limit + 1)
                .fetch_all(&self.store.pool())
                .await
                .map_err(refuse)?;
            let places: Vec<ByActivity> = rows.iter().map(|row| ByActivity(row.activity_at_ms, row.id)).collect();
            let mut items = self.with_last_messages(user, rows).await?;
            let cursor_of = |room: &Room| {
                places
                    .iter()
                    .find(|place| place.1 == room.id.0)
                    .map(cursor::encode)
                    .unwrap_or_default()
            };
            let next_cursor = next(&mut items, limit, cursor_of);
            Ok(Page { items, next_cursor })
        };
        self.store.read(&call, page).await
    }

    pub(crate) async fn do_public_rooms(&self, call: Call, request: PublicRooms) -> Result<Page<Room>, Refusal> {
        let user = self.actor(&call)?.user_id;
        let limit = page_limit(request.paging.limit)?;
        let after: Option<BySize> = place(request.paging.cursor.as_deref())?;
        let start = request
            .query
            .filter(|query| !query.is_empty())
            .map(|query| like_start(&query.to_lowercase()));
        if start.as_ref().is_some_and(|start| start.contains('\0')) {
            return Err(Refusal::invalid("?query", "must not contain U+0000"));
        }
        let query = format!(
            "select {ROOM} where r.visibility = 'public' and r.kind = 'room' and r.deleted_at is null \
             and ($2::text is null or lower(r.name) like $2) \
             and ($3::integer is null or r.member_count < $3 or (r.member_count = $3 and r.id > $4)) \
             order by r.member_count desc, r.id limit $5"
        );
        let page = async {
            let rows = sqlx::query_as::<_, RoomRow>(sqlx::AssertSqlSafe(query))
                .bind(user.0)
                .bind(start)
                .bind(after.as_ref().map(|after| after.0))
                .bind(after.as_ref().map(|after| after.1))
                .bind(limit + 1)
                .fetch_all(&self.store.pool())
                .await
                .map_err(refuse)?;
            let mut items = self.with_last_messages(user, rows).await?;
            let next_cursor = next(&mut items, limit, |room| {
                cursor::encode(&BySize(room.member_count as i32, room.id.0))
            });
            Ok(Page { items, next_cursor })
        };
        self.store.read(&call, page).await
    }
}
