//! What gateways ask: whether somebody may hear a room, where logs stand.

use common::{LogId, RoomId, Seq, event::Event, limits, room::Visibility};
use db_api::{
    Call, Refusal,
    types::{Head, HeadList, Heads, Health, OpenRoom, OpenRooms, OpenedRoom, Opening, Openings},
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    Core,
    cache::Entry,
    rows::{EVENT, EventRow, seq},
    store::refuse,
};

#[derive(sqlx::FromRow)]
struct HeadRow {
    id: Uuid,
    head_seq: i64,
    version: i64,
    rules: i64,
    log_id: Uuid,
    visibility: String,
    member_count: i32,
    is_direct: bool,
    is_member: bool,
}

impl Core {
    pub(crate) async fn do_open_rooms(&self, call: Call, request: OpenRooms) -> Result<Openings, Refusal> {
        let user = self.actor(&call)?.user_id;
        if request.rooms.len() > limits::ROOMS_PER_JOIN {
            return Err(Refusal::invalid(
                "/rooms",
                format!("at most {}", limits::ROOMS_PER_JOIN),
            ));
        }
        let ids: Vec<Uuid> = request.rooms.iter().map(|room| room.room_id.0).collect();
        let opened = async {
            let rows = sqlx::query_as::<_, HeadRow>(
                "select r.id, r.head_seq, r.version, r.rules, r.log_id, r.visibility, r.member_count, r.kind = 'dm' is_direct, \
                 m.user_id is not null is_member \
                 from rooms r left join members m on m.room_id = r.id and m.user_id = $1 \
                 where r.id = any($2) and r.deleted_at is null",
            )
            .bind(user.0)
            .bind(ids)
            .fetch_all(&self.store.pool())
            .await
            .map_err(refuse)?;
            self.hand_out(rows.iter().map(|row| (RoomId(row.id), row.version, row.rules)))
                .await?;
            let mut rooms = Vec::with_capacity(request.rooms.len());
            for room in &request.rooms {
                let row = rows.iter().find(|row| row.id == room.room_id.0);
                rooms.push(match self.open(room, row).await {
                    Ok(opened) => Opening::Opened(Box::new(opened)),
                    Err(refusal) => Opening::Refused(refusal),
                });
            }
            Ok(Openings { rooms })
        };
        self.store.read(&call, opened).await
    }

    async fn open(&self, room: &OpenRoom, row: Option<&HeadRow>) -> Result<OpenedRoom, Refusal> {
        let row = row.ok_or(Refusal::NotFound)?;
        if !row.is_member {
            let visibility = Visibility::parse(&row.visibility).ok_or(Refusal::Internal)?;
            return Err(Refusal::NotAMember { visibility });
        }
        let (head_seq, log_id) = (seq(row.head_seq)?, LogId(row.log_id));
        let another_log = room.log_id.is_some_and(|log| log != log_id);
        let (events, truncated) = match room.after_seq {
            _ if another_log => (Vec::new(), true),
            None => (Vec::new(), false),
            Some(after) if after > head_seq => (Vec::new(), true),
            Some(after) => self.newest_events(room.room_id, after, head_seq).await?,
        };
        Ok(OpenedRoom {
            head_seq,
            log_id,
            member_count: row.member_count as u32,
            is_direct: row.is_direct,
            events,
            truncated,
        })
    }

    /// The events after a place up to the head; of too many, the newest that fit a frame.
    async fn newest_events(&self, room: RoomId, after: Seq, head: Seq) -> Result<(Vec<Event>, bool), Refusal> {
        let query = format!("select {EVENT} where room_id = $1 and seq > $2 and seq <= $3 order by seq desc limit $4");
        let rows = sqlx::query_as::<_, EventRow>(sqlx::AssertSqlSafe(query))
            .bind(room.0)
            .bind(after.as_i64())
            .bind(head.as_i64())
            .bind(i64::from(limits::JOIN_EVENTS) + 1)
            .fetch_all(&self.store.pool())
            .await
            .map_err(refuse)?;
        let mut events = rows.into_iter().map(Event::try_from).collect::<Result<Vec<_>, _>>()?;
        let truncated = crate::people::next(&mut events, i64::from(limits::JOIN_EVENTS), |_| String::new()).is_some();
        events.reverse();
        Ok((events, truncated))
    }

    pub(crate) async fn do_heads(&self, call: Call, request: Heads) -> Result<HeadList, Refusal> {
        let ids: Vec<Uuid> = request.rooms.iter().map(|room| room.0).collect();
        let pool = self.store.pool();
        let query = sqlx::query_as::<_, (Uuid, i64, Uuid, i64, i64)>(
            "select id, head_seq, log_id, version, rules from rooms where id = any($1)",
        )
        .bind(ids)
        .fetch_all(&pool);
        let rows = self.store.read(&call, async { query.await.map_err(refuse) }).await?;
        self.hand_out(rows.iter().map(|row| (RoomId(row.0), row.3, row.4)))
            .await?;
        let head = |(id, head, log, ..): (Uuid, i64, Uuid, i64, i64)| {
            Ok(Head {
                room_id: RoomId(id),
                head_seq: seq(head)?,
                log_id: LogId(log),
            })
        };
        Ok(HeadList {
            heads: rows.into_iter().map(head).collect::<Result<_, Refusal>>()?,
        })
    }

    /// Before heads or events are told from which somebody may take a send for acknowledged: nothing older is cached. The
    /// db-core that committed it may have died before it cleared the cache.
    pub(crate) async fn hand_out(&self, rooms: impl Iterator<Item = (RoomId, i64, i64)>) -> Result<(), Refusal> {
        let news: Vec<(RoomId, i64, i64)> = rooms
            .filter(|(room, version, _)| self.handed_out.get(room).is_none_or(|known| known < *version))
            .collect();
        let entries = |(room, version, rules): &(RoomId, i64, i64)| {
            [(Entry::Newest(*room), *version), (Entry::Roster(*room), *rules)]
        };
        self.cache
            .handed_out(&news.iter().flat_map(entries).collect::<Vec<_>>())
            .await?;
        for (room, version, _) in news {
            self.handed_out.insert(room, version);
        }
        Ok(())
    }

    pub(crate) async fn head_of(&self, call: &Call, room: RoomId) -> Result<(Seq, LogId), Refusal> {
        let heads = self.do_heads(call.clone(), Heads { rooms: vec![room] }).await?;
        heads
            .heads
            .first()
            .map(|head| (head.head_seq, head.log_id))
            .ok_or(Refusal::NotFound)
    }

    pub(crate) async fn do_health(&self, call: Call) -> Result<Health, Refusal> {
        let pool = self.store.pool();
        let leader = async { leads_and_replicates(&pool).await.map_err(refuse) };
        let (database, replicated) = self.store.read(&call, leader).await.unwrap_or_default();
        Ok(Health {
            database,
            cache: self.cache.is_there().await,
            replicated,
        })
    }
}

/// Whether the server takes writes, and whether a commit there waits until a standby has it on disk.
async fn leads_and_replicates(server: &PgPool) -> Result<(bool, bool), sqlx::Error> {
    let ask = "select not pg_is_in_recovery(), not pg_is_in_recovery() \
               and current_setting('synchronous_standby_names') <> '' \
               and current_setting('synchronous_commit') in ('on', 'remote_apply')";
    sqlx::query_as(ask).fetch_one(server).await
}
