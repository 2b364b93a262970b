//! One message: reading it, editing it, deleting it, reacting to it.

use axum::extract::{FromRequestParts, Path, State, path::ErrorKind, rejection::PathRejection};
use common::{
    MessageId, Problem, RoomId,
    event::{Content, Envelope, ReactionOp},
    room::Message,
    text::{Body as Text, Emoji},
};
use db_api::types::{EditMessage, GetMessage, React};
use http::request::Parts;
use http_contract::{Body, Refused, extract::PathIds};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Reader, Writer, done, ok},
    openapi::{InRooms, Writing},
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(message, edit, delete))
        .routes(routes!(react, take_back))
}

/// The content of a body that has exactly one of the two.
///
/// # Errors
/// `invalid-request` for none and for both.
pub fn one_of(message: Option<Text>, envelope: Option<Box<Envelope>>) -> Result<Content, Problem> {
    match (message, envelope) {
        (Some(text), None) => Ok(Content::Message(text)),
        (None, Some(envelope)) => Ok(Content::Envelope(envelope)),
        (None, None) => Err(Problem::field("/message", "is missing")),
        (Some(_), Some(_)) => Err(Problem::field("/envelope", "goes without `message`")),
    }
}

/// One message as it stands now.
#[utoipa::path(get, path = "/api/rooms/{roomId}/messages/{messageId}", tag = "log",
    params(("roomId" = RoomId, Path), ("messageId" = MessageId, Path)),
    responses((status = 200, body = Message), InRooms))]
async fn message(
    State(api): State<Api>,
    Reader(call): Reader,
    PathIds(room_id, message_id): PathIds<RoomId, MessageId>,
) -> Answered {
    ok(api.db.message(call, GetMessage { room_id, message_id }).await?)
}

/// Exactly one of `message` and `envelope`, whose `rev` is the last one's plus 1.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EditBody {
    #[serde(default)]
    #[schema(nullable = false)]
    message: Option<Text>,
    #[serde(default)]
    #[schema(nullable = false)]
    envelope: Option<Box<Envelope>>,
}

/// Edits a message of one's own.
#[utoipa::path(patch, path = "/api/rooms/{roomId}/messages/{messageId}", tag = "log",
    params(("roomId" = RoomId, Path), ("messageId" = MessageId, Path)), request_body = EditBody,
    responses((status = 200, body = Message), InRooms, Writing))]
async fn edit(
    State(api): State<Api>,
    Writer(call): Writer,
    PathIds(room_id, message_id): PathIds<RoomId, MessageId>,
    Body(body): Body<EditBody>,
) -> Answered {
    let request = EditMessage {
        room_id,
        message_id,
        content: one_of(body.message, body.envelope)?,
    };
    ok(api.db.edit_message(call, request).await?)
}

/// Deletes a message: its author, a moderator or an owner. Again is no error.
#[utoipa::path(delete, path = "/api/rooms/{roomId}/messages/{messageId}", tag = "log",
    params(("roomId" = RoomId, Path), ("messageId" = MessageId, Path)), responses((status = 204), InRooms))]
async fn delete(
    State(api): State<Api>,
    Writer(call): Writer,
    PathIds(room_id, message_id): PathIds<RoomId, MessageId>,
) -> Answered {
    done(api.db.delete_message(call, GetMessage { room_id, message_id }).await?)
}

/// A reaction as a path names it: ids that are none lead nowhere, an emoji that is none is a wrong parameter.
struct Named(React);

impl Named {
    fn with(self, op: ReactionOp) -> React {
        React { op, ..self.0 }
    }
}

impl FromRequestParts<Api> for Named {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let not_text = || Problem::field("?emoji", "must be UTF-8");
        let (room, message, emoji) = match Path::<(String, String, String)>::from_request_parts(parts, api).await {
            Ok(Path(named)) => named,
            Err(PathRejection::FailedToDeserializePathParams(failed)) => match failed.kind() {
                ErrorKind::InvalidUtf8InPathParam { key } if key == "emoji" => return Err(not_text().into()),
                _ => return Err(Problem::not_found().into()),
            },
            Err(_) => return Err(Problem::not_found().into()),
        };
        let (Ok(room_id), Ok(message_id)) = (room.parse(), message.parse()) else {
            return Err(Problem::not_found().into());
        };
        let emoji = Emoji::parse(emoji).map_err(|bad| Problem::field("?emoji", bad.to_string()))?;
        Ok(Self(React {
            room_id,
            message_id,
            emoji,
            op: ReactionOp::Added,
        }))
    }
}

/// Reacts to a message; again is no error.
#[utoipa::path(put, path = "/api/rooms/{roomId}/messages/{messageId}/reactions/{emoji}", tag = "log",
    params(("roomId" = RoomId, Path), ("messageId" = MessageId, Path), ("emoji" = String, Path, description = "Percent-encoded; at most 32 bytes without spaces or controls", max_length = 32)),
    responses((status = 204), InRooms))]
async fn react(State(api): State<Api>, Writer(call): Writer, named: Named) -> Answered {
    done(api.db.react(call, named.with(ReactionOp::Added)).await?)
}

/// Takes a reaction back; again is no error.
#[utoipa::path(delete, path = "/api/rooms/{roomId}/messages/{messageId}/reactions/{emoji}", tag = "log",
    params(("roomId" = RoomId, Path), ("messageId" = MessageId, Path), ("emoji" = String, Path, description = "Percent-encoded; at most 32 bytes without spaces or controls", max_length = 32)),
    responses((status = 204), InRooms))]
async fn take_back(State(api): State<Api>, Writer(call): Writer, named: Named) -> Answered {
    done(api.db.react(call, named.with(ReactionOp::Removed)).await?)
}
