//! The one statement that appends: the drafts as it takes them, and what its answers mean.

use bus::Announcement;
use common::{
    Timestamp,
    event::{Event, MessageEvent},
    room::Visibility,
};
use db_api::{Refusal, types::Draft};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Settled;
use crate::{rows, store::refuse};

#[derive(sqlx::FromRow)]
pub struct Row {
    pub n: i64,
    pub outcome: String,
    pub seq: Option<i64>,
    at_ms: Option<i64>,
    sender_name: Option<String>,
}

pub fn settled(draft: &Draft, row: Row) -> Settled {
    match (row.outcome.as_str(), row.seq, row.at_ms) {
        ("appended", Some(seq), Some(at_ms)) => match rows::seq(seq) {
            Ok(seq) => Settled::Appended(Box::new(MessageEvent {
                room_id: draft.room_id,
                seq,
                message_id: draft.message_id,
                sender_id: draft.actor.user_id,
                sender_name: row.sender_name.unwrap_or_default(),
                content: draft.content.clone(),
                reply_to: draft.reply_to,
                mentions: draft.mentions.clone(),
                sent_at: Timestamp(at_ms),
                ws_id: None,
                traceparent: None,
            })),
            Err(refusal) => Settled::Refused(refusal),
        },
        ("repeated", ..) => Settled::Repeated,
        (outcome, ..) => Settled::Refused(refusal(outcome)),
    }
}

/// An appended draft as its room hears it.
pub fn live(draft: &Draft, event: &MessageEvent) -> Announcement {
    Announcement::event(Event::Message(MessageEvent {
        ws_id: Some(draft.ws_id),
        traceparent: draft.traceparent.clone(),
        ..event.clone()
    }))
}

/// What an outcome of the database's functions means, of those that several have.
pub fn refusal(outcome: &str) -> Refusal {
    match outcome {
        "not-found" => Refusal::NotFound,
        "not-a-member-public" => Refusal::NotAMember {
            visibility: Visibility::Public,
        },
        "not-a-member-private" => Refusal::NotAMember {
            visibility: Visibility::Private,
        },
        "conflict" => Refusal::conflict("Somebody else's message has this id."),
        "blocked" => Refusal::forbidden("One of you does not want to hear from the other."),
        "wrong-content" => Refusal::invalid(
            "/message",
            "is what a plaintext room takes; a sealed one takes `envelope`",
        ),
        "stale-epoch" => Refusal::StaleEpoch,
        "wrong-device" => Refusal::invalid("/envelope/senderDevice", "is no device of yours"),
        "wrong-reply" => Refusal::invalid("/replyTo", "is no message of this room"),
        "wrong-mentions" => Refusal::invalid("/mentions", "names somebody who is not in this room"),
        other => {
            tracing::error!(outcome = other, "append_batch gave an outcome that nobody knows");
            Refusal::Internal
        }
    }
}

/// The drafts as `append_batch` takes them.
#[derive(Default)]
pub struct Arrays {
    rooms: Vec<Uuid>,
    senders: Vec<Uuid>,
    messages: Vec<Uuid>,
    replies: Vec<Option<Uuid>>,
    mentions: Vec<serde_json::Value>,
    contents: Vec<sqlx::types::Json<common::event::Content>>,
}

impl Arrays {
    pub fn of<'a>(drafts: impl Iterator<Item = &'a Draft>) -> Self {
        let mut arrays = Self::default();
        for draft in drafts {
            arrays.rooms.push(draft.room_id.0);
            arrays.senders.push(draft.actor.user_id.0);
            arrays.messages.push(draft.message_id.0);
            arrays.replies.push(draft.reply_to.map(|message| message.0));
            arrays.mentions.push(serde_json::json!(draft.mentions));
            arrays.contents.push(sqlx::types::Json(draft.content.clone()));
        }
        arrays
    }

    pub async fn append(self, connection: &mut PgConnection) -> Result<Vec<Row>, Refusal> {
        sqlx::query_as("select * from append_batch($1, $2, $3, $4, $5, $6)")
            .bind(self.rooms)
            .bind(self.senders)
            .bind(self.messages)
            .bind(self.replies)
            .bind(self.mentions)
            .bind(self.contents)
            .fetch_all(connection)
            .await
            .map_err(refuse)
    }
}
