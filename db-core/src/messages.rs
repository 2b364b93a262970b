//! Messages after they were sent: edits, deletions, reactions. Each is judged and done by one function of the database,
//! under the room's lock (`migrations/0003_messages.sql`).

use bus::Announcement;
use common::{
    RoomId,
    event::{Content, Event, ReactionOp},
    limits,
    room::Message,
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{EditMessage, GetMessage, Nothing, React},
};
use serde_json::{Value, json};
use sqlx::{Postgres, postgres::PgArguments, query::QueryAs};

use crate::{Core, committer::statement, rows::EventRow, store::refuse};

#[derive(sqlx::FromRow)]
struct ChangeRow {
    outcome: String,
    seq: Option<i64>,
    at_ms: Option<i64>,
    detail: Option<Value>,
}

type Change = QueryAs<'static, Postgres, ChangeRow, PgArguments>;

fn refusal(outcome: &str) -> Refusal {
    match outcome {
        "not-the-author" => Refusal::forbidden("Only its author edits a message."),
        "not-yours" => Refusal::forbidden("Its author deletes a message, or a moderator or owner of the room."),
        "deleted" => Refusal::conflict("The message is deleted."),
        "wrong-rev" => Refusal::conflict("Another edit came first: the next `rev` is the last one plus 1."),
        "too-many-reactions" => Refusal::conflict(format!("It has {} different reactions already.", limits::REACTIONS)),
        other => statement::refusal(other),
    }
}

impl Core {
    pub(crate) async fn do_edit_message(&self, call: Call, request: EditMessage) -> Reply<Message> {
        let author = self.actor(&call)?.user_id;
        if matches!(request.content, Content::Deleted(_)) {
            return Err(Refusal::invalid("/message", "is missing"));
        }
        let _timer = self.timer("message", "edit");
        let content = json!(request.content);
        let change = sqlx::query_as("select * from edit_message($1, $2, $3, $4)")
            .bind(request.room_id.0)
            .bind(author.0)
            .bind(request.message_id.0)
            .bind(content.clone());
        self.change(&call, request.room_id, "edited", Some(content), change)
            .await?;
        let message = self.message_of(author, request.room_id, request.message_id);
        Ok(Answer::written(
            self.store.read(&call, message).await?,
            self.seen().await,
        ))
    }

    pub(crate) async fn do_delete_message(&self, call: Call, request: GetMessage) -> Reply<Nothing> {
        let by = self.actor(&call)?.user_id;
        let _timer = self.timer("message", "delete");
        let change = sqlx::query_as("select * from delete_message($1, $2, $3)")
            .bind(request.room_id.0)
            .bind(by.0)
            .bind(request.message_id.0);
        self.change(&call, request.room_id, "deleted", None, change).await?;
        Ok(Answer::written(Nothing {}, self.seen().await))
    }

    pub(crate) async fn do_react(&self, call: Call, request: React) -> Reply<Nothing> {
        let by = self.actor(&call)?.user_id;
        let _timer = self.timer("message", "react");
        let op = match request.op {
            ReactionOp::Added => "added",
            ReactionOp::Removed => "removed",
        };
        let change = sqlx::query_as("select * from react($1, $2, $3, $4, $5, $6)")
            .bind(request.room_id.0)
            .bind(by.0)
            .bind(request.message_id.0)
            .bind(request.emoji.into_string())
            .bind(op)
            .bind(limits::REACTIONS as i32);
        self.change(&call, request.room_id, "reaction", None, change).await?;
        Ok(Answer::written(Nothing {}, self.seen().await))
    }

    /// Does it, then tells the bus of what is new.
    async fn change(
        &self,
        call: &Call,
        room: RoomId,
        kind: &'static str,
        content: Option<Value>,
        change: Change,
    ) -> Result<(), Refusal> {
        // What is cached is cleared also where nothing changes: the first try may have died before it did so.
        let row = self
            .change_room(call, room, move |pool| async move {
                change.fetch_one(&pool).await.map_err(refuse)
            })
            .await?;
        if !matches!(row.outcome.as_str(), "changed" | "unchanged") {
            return Err(refusal(&row.outcome));
        }
        if let (Some(seq), Some(at_ms), Some(detail)) = (row.seq, row.at_ms, row.detail) {
            let (room_id, kind) = (room.0, kind.to_owned());
            let event = EventRow {
                room_id,
                seq,
                kind,
                at_ms,
                content,
                detail,
            };
            self.announcer.offer(Announcement::event(Event::try_from(event)?));
        }
        Ok(())
    }
}
