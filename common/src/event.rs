//! The durable log of a room (contract, section 4): the events as they are stored, announced and delivered.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    MessageId, Problem, RoomId, Seq, Timestamp, UserId, WsId, limits,
    room::{Message, Role, RoomChange},
    text::Body,
};

/// A sealed message (contract, section 7). The server looks at `epoch`, `rev` and `senderDevice` only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    pub alg: String,
    pub epoch: u32,
    pub rev: u32,
    pub ciphertext: String,
    pub encrypted_content_key: String,
    pub nonce: String,
    pub key_nonce: String,
    pub sender_device: crate::DeviceId,
}

/// What a message holds: exactly one of `message`, `envelope` and, once it is deleted, `deleted: true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Content {
    Message(Body),
    Envelope(Box<Envelope>),
    Deleted(bool),
}

/// One entry of a room's log, as the frame that members receive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Event {
    Message(MessageEvent),
    Edited(EditedEvent),
    Deleted(DeletedEvent),
    Reaction(ReactionEvent),
    Member(MemberEvent),
    Room(RoomEvent),
}

/// Whom a message names, each once.
///
/// # Errors
/// `invalid-request` for more than [`limits::MENTIONS`].
pub fn mentioned(mut users: Vec<UserId>) -> Result<Vec<UserId>, Problem> {
    if users.len() > limits::MENTIONS {
        let detail = format!("at most {} members", limits::MENTIONS);
        return Err(Problem::field("/mentions", detail));
    }
    let mut named = HashSet::new();
    users.retain(|user| named.insert(*user));
    Ok(users)
}

/// A new message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageEvent {
    pub room_id: RoomId,
    pub seq: Seq,
    pub message_id: MessageId,
    pub sender_id: UserId,
    /// The sender's display name when it was sent.
    pub sender_name: String,
    #[serde(flatten)]
    pub content: Content,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    pub sent_at: Timestamp,
    /// The sending socket, on live frames alone; null where it was sent over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<WsId>))]
    pub ws_id: Option<Option<WsId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<WsId>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A message has another text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EditedEvent {
    pub room_id: RoomId,
    pub seq: Seq,
    pub message_id: MessageId,
    #[serde(flatten)]
    pub content: Content,
    pub edited_at: Timestamp,
}

/// A message was deleted; its content is in no later answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeletedEvent {
    pub room_id: RoomId,
    pub seq: Seq,
    pub message_id: MessageId,
    pub deleted_by: UserId,
    pub deleted_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum ReactionOp {
    Added,
    Removed,
}

/// Somebody reacted to a message, or took it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReactionEvent {
    pub room_id: RoomId,
    pub seq: Seq,
    pub message_id: MessageId,
    pub user_id: UserId,
    pub emoji: String,
    pub op: ReactionOp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum MemberChange {
    Joined,
    Added,
    Left,
    Removed,
    Role,
}

impl MemberChange {
    /// The member is out from this event on.
    pub fn ends_membership(self) -> bool {
        matches!(self, MemberChange::Left | MemberChange::Removed)
    }
}

/// Somebody came, went or has another role. For who left or was removed it is the last of the room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MemberEvent {
    pub room_id: RoomId,
    pub seq: Seq,
    pub user_id: UserId,
    pub change: MemberChange,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    pub by: UserId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum RoomEventChange {
    Created,
    Updated,
    Deleted,
    Epoch,
}

/// The room was made, changed or deleted, or its keys have moved on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RoomEvent {
    pub room_id: RoomId,
    pub seq: Seq,
    pub change: RoomEventChange,
    pub by: UserId,
    /// What of the room changed; of a new one its name, topic, visibility, encryption and first `members`.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub room: RoomChange,
}

impl Event {
    pub fn room_id(&self) -> RoomId {
        match self {
            Event::Message(event) => event.room_id,
            Event::Edited(event) => event.room_id,
            Event::Deleted(event) => event.room_id,
            Event::Reaction(event) => event.room_id,
            Event::Member(event) => event.room_id,
            Event::Room(event) => event.room_id,
        }
    }

    pub fn seq(&self) -> Seq {
        match self {
            Event::Message(event) => event.seq,
            Event::Edited(event) => event.seq,
            Event::Deleted(event) => event.seq,
            Event::Reaction(event) => event.seq,
            Event::Member(event) => event.seq,
            Event::Room(event) => event.seq,
        }
    }
}

impl From<MessageEvent> for Message {
    /// The message as it stood when it was sent.
    fn from(event: MessageEvent) -> Message {
        Message {
            room_id: event.room_id,
            seq: event.seq,
            message_id: event.message_id,
            sender_id: event.sender_id,
            sender_name: event.sender_name,
            content: event.content,
            reply_to: event.reply_to,
            mentions: event.mentions,
            sent_at: event.sent_at,
            edited_at: None,
            reactions: Vec::new(),
        }
    }
}
