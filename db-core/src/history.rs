//! What was said in a room, as it stands now.

use std::sync::OnceLock;

use common::{MessageId, RoomId, UserId, limits, room::Message};
use db_api::{
    Call, Refusal,
    types::{GetMessage, History, HistoryPage, Place},
};
use sqlx::PgPool;

use crate::{
    Core,
    cache::Entry,
    people::{next, page_limit},
    reactions::Mine,
    rows::{MESSAGE, MessageRow},
    store::refuse,
};

impl Core {
    pub(crate) async fn do_history(&self, call: Call, request: History) -> Result<HistoryPage, Refusal> {
        let (reader, limit) = (self.actor(&call)?.user_id, page_limit(request.limit)?);
        self.may_read(&call, request.room_id).await?;
        let _timer = self.timer("history", "read");
        if request.place != Place::Newest || request.limit > limits::PAGE_ITEMS {
            let page = self.older_page(reader, request.room_id, request.place, limit);
            return self.store.read(&call, page).await;
        }
        let newest = self.newest_page(reader, request.room_id);
        let mut page = self.store.read(&call, newest).await?;
        let surplus = page.items.len().saturating_sub(request.limit as usize);
        page.has_more |= surplus > 0;
        page.items.drain(..surplus);
        Ok(page)
    }

    /// Out of a replica, if it knows all changes of the room that the leader knows.
    async fn older_page(&self, reader: UserId, room: RoomId, place: Place, limit: i64) -> Result<HistoryPage, Refusal> {
        let replica = |pool: PgPool| async move {
            let version = self.version_of(room).await?;
            let page = history_page(&pool, reader, room, place, limit, Some(version)).await?;
            // An empty one proves nothing.
            Ok(Some(page).filter(|page| !page.items.is_empty()))
        };
        match self.of_replica("history", replica).await {
            Some(page) => Ok(page),
            None => history_page(&self.store.pool(), reader, room, place, limit, None).await,
        }
    }

    /// Everybody's page out of the cache, and the reader's own reactions on top: a reader that had to fill it has read
    /// both at once.
    async fn newest_page(&self, reader: UserId, room: RoomId) -> Result<HistoryPage, Refusal> {
        let read_along = OnceLock::new();
        let newest = || async {
            let limit = i64::from(limits::PAGE_ITEMS);
            // Its version first: the page may be newer than that, never older.
            let version = self.version_of(room).await?;
            let mut page = history_page(&self.store.pool(), reader, room, Place::Newest, limit, None).await?;
            let _ = read_along.set(Mine::taken_from(&mut page.items));
            Ok((version, page))
        };
        let mut page = self.cache.get(Entry::Newest(room), newest).await?;
        let mine = match read_along.into_inner() {
            Some(mine) => mine,
            None => self.mine(room, reader, &page.items).await?,
        };
        mine.put_into(&mut page.items);
        Ok(page)
    }

    async fn version_of(&self, room: RoomId) -> Result<i64, Refusal> {
        let version: Option<i64> = sqlx::query_scalar("select version from rooms where id = $1")
            .bind(room.0)
            .fetch_optional(&self.store.pool())
            .await
            .map_err(refuse)?;
        version.ok_or(Refusal::NotFound)
    }

    pub(crate) async fn do_message(&self, call: Call, request: GetMessage) -> Result<Message, Refusal> {
        let (room, message): (RoomId, MessageId) = (request.room_id, request.message_id);
        let reader = self.actor(&call)?.user_id;
        self.may_read(&call, room).await?;
        self.store.read(&call, self.message_of(reader, room, message)).await
    }

    /// One message as it stands now, for a reader who has been found a member.
    pub(crate) async fn message_of(
        &self,
        reader: UserId,
        room: RoomId,
        message: MessageId,
    ) -> Result<Message, Refusal> {
        let query = format!("select {MESSAGE} where m.room_id = $2 and m.message_id = $3");
        let row = sqlx::query_as::<_, MessageRow>(sqlx::AssertSqlSafe(query))
            .bind(reader.0)
            .bind(room.0)
            .bind(message.0)
            .fetch_optional(&self.store.pool())
            .await
            .map_err(refuse)?;
        row.ok_or(Refusal::NotFound)?.try_into()
    }
}

/// A page as a server has it; with a version, only at that one of the room, in the same snapshot.
async fn history_page(
    server: &PgPool,
    reader: UserId,
    room: RoomId,
    place: Place,
    limit: i64,
    version: Option<i64>,
) -> Result<HistoryPage, Refusal> {
    let (edge, order, seq) = match place {
        Place::Newest => ("m.seq > $3", "desc", 0),
        Place::Before(seq) => ("m.seq < $3", "desc", seq.as_i64()),
        Place::After(seq) => ("m.seq > $3", "asc", seq.as_i64()),
    };
    let query = format!(
        "select {MESSAGE} where m.room_id = $2 and {edge} \
         and ($5::bigint is null or exists (select from rooms where id = $2 and version = $5)) \
         order by m.seq {order} limit $4"
    );
    let rows = sqlx::query_as::<_, MessageRow>(sqlx::AssertSqlSafe(query))
        .bind(reader.0)
        .bind(room.0)
        .bind(seq)
        .bind(limit + 1)
        .bind(version)
        .fetch_all(server)
        .await
        .map_err(refuse)?;
    let mut items = rows.into_iter().map(Message::try_from).collect::<Result<Vec<_>, _>>()?;
    let has_more = next(&mut items, limit, |_| String::new()).is_some();
    items.sort_by_key(|message| message.seq);
    Ok(HistoryPage { items, has_more })
}
