//! How far people have read. A marker only moves forward, so that devices may tell theirs in any order and agree.

use bus::{Announcement, Payload, Topic, announcement::Signal};
use common::{limits, room::ReadMarker};
use db_api::{Answer, Call, Refusal, Reply, types::MarkRead};

use crate::{Core, rows, store::refuse};

#[derive(sqlx::FromRow)]
struct MovedRow {
    read_seq: i64,
    was: i64,
    member_count: i32,
}

/// One statement, without the room's lock: a marker rests on nothing but its own membership, whose row it holds.
const MOVE: &str = "with old as (select r.head_seq, r.member_count, m.read_seq was from members m \
       join rooms r on r.id = m.room_id where m.room_id = $1 and m.user_id = $2 and r.deleted_at is null \
       for update of m) \
     update members m set read_seq = greatest(old.was, least($3, old.head_seq)) from old \
       where m.room_id = $1 and m.user_id = $2 returning m.read_seq, old.was, old.member_count";

/// What stands above a marker: others' messages, not deleted, and those of them that name the reader.
const COUNT: &str = "select \
       (select count(*) from (select 1 from messages x where x.room_id = $1 and x.seq > $3 and x.sender_id <> $2 \
          and x.deleted_at is null limit $4) unread), \
       (select count(*) from (select 1 from messages x where x.room_id = $1 and x.seq > $3 and x.sender_id <> $2 \
          and x.deleted_at is null and x.mentions <> '{}' and $2 = any(x.mentions) limit $4) mentioned)";

impl Core {
    pub(crate) async fn do_mark_read(&self, call: Call, request: MarkRead) -> Reply<ReadMarker> {
        let (user, room, seq) = (self.actor(&call)?.user_id, request.room_id, request.seq);
        let _timer = self.timer("marker", "write");
        let moved = self
            .store
            .write(&call, move |pool| async move {
                sqlx::query_as::<_, MovedRow>(MOVE)
                    .bind(room.0)
                    .bind(user.0)
                    .bind(seq.as_i64())
                    .fetch_optional(&pool)
                    .await
                    .map_err(refuse)
            })
            .await?;
        let Some(moved) = moved else {
            self.member_now(&call, room).await?;
            return Err(Refusal::unavailable("a membership that began this moment"));
        };
        if moved.read_seq > moved.was {
            self.tell_marker(&request, user, &moved)?;
        }
        let pool = self.store.pool();
        let counts = sqlx::query_as::<_, (i64, i64)>(COUNT)
            .bind(room.0)
            .bind(user.0)
            .bind(moved.read_seq)
            .bind(limits::COUNT_MAX)
            .fetch_one(&pool);
        let (unread, mentioned) = self.store.read(&call, async { counts.await.map_err(refuse) }).await?;
        let marker = ReadMarker {
            room_id: room,
            seq: rows::seq(moved.read_seq)?,
            unread_count: rows::count(unread),
            mention_count: rows::count(mentioned),
        };
        Ok(Answer::written(marker, self.seen().await))
    }

    /// To the reader's own sockets, and where few are in the room, to the others.
    fn tell_marker(&self, request: &MarkRead, user: common::UserId, moved: &MovedRow) -> Result<(), Refusal> {
        let signal = Signal::Read {
            room_id: request.room_id,
            user_id: user,
            seq: rows::seq(moved.read_seq)?,
        };
        let lively = moved.member_count as u32 <= limits::LIVELY_MEMBERS;
        let topics = [Some(Topic::User(user)), lively.then_some(Topic::Room(request.room_id))];
        for topic in topics.into_iter().flatten() {
            self.announcer.offer(Announcement {
                topic,
                payload: Payload::Signal(signal.clone()),
            });
        }
        Ok(())
    }
}
