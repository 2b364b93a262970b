//! Full text over what the caller may read. The index only leads to messages; membership, deletion and the present text are
//! looked at by the search itself.

mod index;

use common::{
    RoomId, UserId, cursor, limits,
    room::{Message, Page},
};
use db_api::{Call, Refusal, types::Search};
use sqlx::PgPool;
use uuid::Uuid;

pub use index::Indexer;

use crate::{
    Core,
    people::{next, page_limit, place},
    rows::{MESSAGE, MessageRow},
    store::{has_reached, refuse},
};

/// The newest first; of one millisecond in any fixed order.
#[derive(serde::Serialize, serde::Deserialize)]
struct ByTime(i64, Uuid, i64);

/// `$2` in words of all languages alike; with `$3` its last word may be a beginning.
const ASKED: &str = "select case when $3 then coalesce((nullif(q::text, '') || ':*')::tsquery, q) else q end q \
     from websearch_to_tsquery('simple', $2) q";

/// Plaintext rooms that the caller `$1` is a member of now; of them, maybe, one.
const MINE: &str = "select m.room_id from members m join rooms r on r.id = m.room_id \
     where m.user_id = $1 and r.encryption = 'none' and r.deleted_at is null and ($2::uuid is null or r.id = $2)";

/// Whether the last word may be a beginning: of words alone, without the search's own signs, and not of a letter or two,
/// which begin everything.
fn is_begun(query: &str) -> bool {
    let only_words = query.chars().all(|c| c.is_alphanumeric() || c.is_whitespace());
    let last = query
        .split_whitespace()
        .next_back()
        .map_or(0, |word| word.chars().count());
    only_words && last >= limits::SEARCH_PREFIX_CHARS
}

impl Core {
    pub(crate) async fn do_search(&self, call: Call, request: Search) -> Result<Page<Message>, Refusal> {
        let reader = self.actor(&call)?.user_id;
        let limit = page_limit(request.paging.limit)?;
        let after: Option<ByTime> = place(request.paging.cursor.as_deref())?;
        if let Some(room) = request.room_id {
            self.member_now(&call, room).await?;
        }
        let _timer = self.timer("message", "search");
        let asked = Asked {
            reader,
            query: request.query.as_str().to_owned(),
            rooms: self.store.read(&call, self.searchable(reader, request.room_id)).await?,
            after,
            limit,
        };
        let asked = &asked;
        let page = async {
            let replica = |pool: PgPool| async move {
                match has_reached(&pool, self.store.place().await).await.map_err(refuse)? {
                    true => asked.of(&pool).await.map(Some),
                    false => Ok(None),
                }
            };
            match self.of_replica("search", replica).await {
                Some(page) => Ok(page),
                None => asked.of(&self.store.pool()).await,
            }
        };
        self.store.read(&call, page).await
    }

    async fn searchable(&self, reader: UserId, room: Option<RoomId>) -> Result<Vec<Uuid>, Refusal> {
        sqlx::query_scalar(MINE)
            .bind(reader.0)
            .bind(room.map(|room| room.0))
            .fetch_all(&self.store.pool())
            .await
            .map_err(refuse)
    }
}

struct Asked {
    reader: UserId,
    query: String,
    rooms: Vec<Uuid>,
    after: Option<ByTime>,
    limit: i64,
}

impl Asked {
    /// What a server finds.
    async fn of(&self, server: &PgPool) -> Result<Page<Message>, Refusal> {
        let query = format!(
            "with asked as ({ASKED}) select {MESSAGE} \
             join searchable s on s.room_id = m.room_id and s.message_id = m.message_id \
             where array[s.room_id] && $4 and s.words @@ (select q from asked) \
             and m.deleted_at is null and to_tsvector('simple', e.content->>'message') @@ (select q from asked) \
             and ($5::bigint is null or (to_ms(m.sent_at), m.room_id, m.seq) < ($5, $6, $7)) \
             order by to_ms(m.sent_at) desc, m.room_id desc, m.seq desc limit $8"
        );
        let rows = sqlx::query_as::<_, MessageRow>(sqlx::AssertSqlSafe(query))
            .bind(self.reader.0)
            .bind(&self.query)
            .bind(is_begun(&self.query))
            .bind(&self.rooms)
            .bind(self.after.as_ref().map(|after| after.0))
            .bind(self.after.as_ref().map(|after| after.1))
            .bind(self.after.as_ref().map(|after| after.2))
            .bind(self.limit + 1)
            .fetch_all(server)
            .await
            .map_err(refuse)?;
        let mut items = rows.into_iter().map(Message::try_from).collect::<Result<Vec<_>, _>>()?;
        let next_cursor = next(&mut items, self.limit, |message| {
            cursor::encode(&ByTime(message.sent_at.0, message.room_id.0, message.seq.as_i64()))
        });
        Ok(Page { items, next_cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_words_alone_the_last_may_be_a_beginning() {
        for begun in ["tea", "green tea", "чай", "two 123 "] {
            assert!(is_begun(begun), "{begun:?}");
        }
        for whole in ["te", "green te", "\"green tea\"", "green -tea", "tea!", ""] {
            assert!(!is_begun(whole), "{whole:?}");
        }
    }
}
