//! The outbox's rule, and schedules drawn at random over a server as small as the contract lets it be.

mod outbox;
mod schedules;
mod server;

use common::{
    MessageId, RoomId, UserId,
    event::Content,
    frame::{Send, SentContent},
    text::Body,
};
use uuid::Uuid;

const ROOM: RoomId = RoomId(Uuid::from_u128(1));
const ME: UserId = UserId(Uuid::from_u128(2));

fn id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn draft(number: u128) -> Send {
    Send {
        room_id: ROOM,
        message_id: id(number),
        content: SentContent(Content::Message(Body::parse("hi").unwrap())),
        reply_to: None,
        mentions: Vec::new(),
        traceparent: None,
    }
}
