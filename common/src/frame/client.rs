//! What clients say.

mod parse;
#[cfg(feature = "openapi")]
mod schema;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{LogId, MessageId, RoomId, Seq, UserId, event::Content, room::Presence};

pub use parse::{ClientFrame, Rejected, Request, RequestType};

/// A room that a client wants to hear, from where it left off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct JoinRoom {
    pub room_id: RoomId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seq: Option<Seq>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_id: Option<LogId>,
}

/// Hear rooms, each from where the client left off. The answer is a `joined` or an `error` for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Join {
    pub rooms: Vec<JoinRoom>,
}

/// A new message. Needs membership, not a `join`; the `ack` comes after the commit. The same `messageId` again gives the same
/// `ack`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Send {
    pub room_id: RoomId,
    pub message_id: MessageId,
    #[serde(flatten)]
    pub content: SentContent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What can be sent: [`Content`] without the deleted one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct SentContent(pub Content);

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    message: Option<crate::text::Body>,
    #[serde(default)]
    envelope: Option<Box<crate::event::Envelope>>,
}

impl TryFrom<Fields> for SentContent {
    type Error = &'static str;
    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match (fields.message, fields.envelope) {
            (Some(body), None) => Ok(SentContent(Content::Message(body))),
            (None, Some(envelope)) => Ok(SentContent(Content::Envelope(envelope))),
            (None, None) => Err("needs `message` or `envelope`"),
            (Some(_), Some(_)) => Err("takes one of `message` and `envelope`, not both"),
        }
    }
}

/// Hear no more of a room on this socket. The membership stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Leave {
    pub room_id: RoomId,
}

/// The user types, or has stopped; goes to the others in the room and ends by itself after 6 s. Has no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Typing {
    pub room_id: RoomId,
    pub typing: bool,
}

/// The user has read the room up to here, on whatever device; a lower `seq` than before changes nothing. Has no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Read {
    pub room_id: RoomId,
    pub seq: Seq,
}

/// How the user is there, as this socket tells it. Has no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetPresence {
    /// `online` or `away`; nobody says of themselves that they are `offline`.
    pub status: Presence,
}

/// A fresh access token in place, of the same user and session: another one's closes 4403. A bad one is an `error` and changes
/// nothing. One without `chat:read` ends the rooms that were joined, each with `left`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    pub access_token: String,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth(…)")
    }
}
