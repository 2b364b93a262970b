//! Whose reactions are whose. A cached page is everybody's, so it says of no reaction that it is the reader's own; that
//! comes on top, from a look at the reader's reactions alone.

use std::collections::HashSet;

use common::{MessageId, RoomId, UserId, room::Message};
use db_api::Refusal;
use uuid::Uuid;

use crate::{Core, store::refuse};

/// The reactions of one reader.
pub struct Mine(HashSet<(MessageId, String)>);

impl Mine {
    /// Takes them out of a page, which is everybody's then.
    pub fn taken_from(items: &mut [Message]) -> Self {
        let mut mine = HashSet::new();
        for message in items {
            for reaction in message.reactions.iter_mut().filter(|reaction| reaction.mine) {
                reaction.mine = false;
                mine.insert((message.message_id, reaction.emoji.clone()));
            }
        }
        Self(mine)
    }

    /// Makes a page the reader's.
    pub fn put_into(self, items: &mut [Message]) {
        for message in items {
            for reaction in &mut message.reactions {
                reaction.mine = self.0.contains(&(message.message_id, reaction.emoji.clone()));
            }
        }
    }
}

impl Core {
    /// The reader's reactions to the messages of a page; it asks nobody where there are none.
    pub(crate) async fn mine(&self, room: RoomId, reader: UserId, items: &[Message]) -> Result<Mine, Refusal> {
        let reacted = items.iter().filter(|message| !message.reactions.is_empty());
        let ids: Vec<Uuid> = reacted.map(|message| message.message_id.0).collect();
        if ids.is_empty() {
            return Ok(Mine(HashSet::new()));
        }
        let rows = sqlx::query_as::<_, (Uuid, String)>(
            "select message_id, emoji from reactions where room_id = $1 and message_id = any($2) and user_id = $3",
        )
        .bind(room.0)
        .bind(ids)
        .bind(reader.0)
        .fetch_all(&self.store.pool())
        .await
        .map_err(refuse)?;
        let mine = rows.into_iter().map(|(message, emoji)| (MessageId(message), emoji));
        Ok(Mine(mine.collect()))
    }
}
