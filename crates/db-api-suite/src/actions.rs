//! What people do, in a line each.

use std::time::Duration;

use common::{
    MessageId, RoomId,
    event::{Content, Event, ReactionOp},
    room::{Encryption, Message, Room, Visibility},
    text::{Body, Emoji, Password, RoomName, Username},
    token::Actor,
};
use db_api::{Call, DbApi, Refusal, types::*};
use service::minted;

/// A call of somebody.
pub fn of(actor: &Actor) -> Call {
    Call::of(actor.clone())
}

pub fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq().get()).collect()
}

pub fn rising(count: usize) -> Vec<u64> {
    (1..=count as u64).collect()
}

/// Somebody with an account and a session.
pub async fn person(db: &dyn DbApi, name: &str) -> Actor {
    let request = Register {
        username: Username::parse(name).unwrap(),
        password: Password::parse("correct horse battery").unwrap(),
        display_name: None,
        device: None,
    };
    let grant = db
        .register(Call::anonymous().within(common::limits::HASH_DEADLINE), request)
        .await
        .unwrap()
        .value;
    actor(&grant)
}

pub fn actor(grant: &SessionGrant) -> Actor {
    Actor {
        user_id: grant.user.id,
        session_id: grant.session_id,
        role: grant.role,
        scopes: grant.scopes.clone(),
        expires_at: minted::now(),
    }
}

pub async fn room(db: &dyn DbApi, owner: &Actor, members: &[&Actor]) -> Room {
    let request = CreateRoom {
        name: RoomName::parse("Tea").unwrap(),
        topic: None,
        visibility: Visibility::Private,
        encryption: Encryption::None,
        member_ids: members.iter().map(|member| member.user_id).collect(),
    };
    db.create_room(Call::of(owner.clone()), request).await.unwrap().value
}

pub fn draft(sender: &Actor, room_id: RoomId, message_id: MessageId) -> Draft {
    Draft {
        actor: sender.clone(),
        room_id,
        message_id,
        content: Content::Message(Body::parse("hi").unwrap()),
        reply_to: None,
        mentions: Vec::new(),
        ws_id: None,
        traceparent: None,
    }
}

pub fn fresh_message() -> MessageId {
    MessageId(minted::id())
}

pub async fn append(db: &dyn DbApi, drafts: Vec<Draft>) -> Vec<Outcome> {
    db.append(Call::anonymous(), Append { drafts })
        .await
        .unwrap()
        .value
        .outcomes
}

/// The whole log of a room.
pub async fn log(db: &dyn DbApi, member: &Actor, room_id: RoomId) -> Vec<Event> {
    let request = Events {
        room_id,
        after: common::Seq::ZERO,
        limit: 1_000,
    };
    db.events(Call::of(member.clone()), request).await.unwrap().value.items
}

/// Says something, and names it. What is said next, in whichever room, is of a later millisecond: the finest by which
/// messages of two rooms are told apart.
pub async fn say(db: &dyn DbApi, sender: &Actor, room_id: RoomId, text: &str) -> MessageId {
    let draft = Draft {
        content: said(text),
        ..draft(sender, room_id, fresh_message())
    };
    let message = draft.message_id;
    let outcome = append(db, vec![draft]).await.remove(0);
    assert!(matches!(outcome, Outcome::Appended(_)), "{outcome:?}");
    tokio::time::sleep(Duration::from_millis(2)).await;
    message
}

pub fn said(text: &str) -> Content {
    Content::Message(Body::parse(text).unwrap())
}

/// The newest page as somebody sees it.
pub async fn history(db: &dyn DbApi, reader: &Actor, room_id: RoomId) -> Vec<Message> {
    let request = History {
        room_id,
        place: Place::Newest,
        limit: 50,
    };
    db.history(Call::of(reader.clone()), request).await.unwrap().value.items
}

pub async fn message(
    db: &dyn DbApi,
    reader: &Actor,
    room_id: RoomId,
    message_id: MessageId,
) -> Result<Message, Refusal> {
    let request = GetMessage { room_id, message_id };
    db.message(Call::of(reader.clone()), request)
        .await
        .map(|answer| answer.value)
}

pub async fn edit(
    db: &dyn DbApi,
    author: &Actor,
    room_id: RoomId,
    message_id: MessageId,
    content: Content,
) -> Result<Message, Refusal> {
    let request = EditMessage {
        room_id,
        message_id,
        content,
    };
    db.edit_message(Call::of(author.clone()), request)
        .await
        .map(|answer| answer.value)
}

pub async fn delete(db: &dyn DbApi, by: &Actor, room_id: RoomId, message_id: MessageId) -> Result<(), Refusal> {
    let request = GetMessage { room_id, message_id };
    db.delete_message(Call::of(by.clone()), request).await.map(|_| ())
}

pub async fn react(
    db: &dyn DbApi,
    by: &Actor,
    room_id: RoomId,
    message_id: MessageId,
    emoji: &str,
    op: ReactionOp,
) -> Result<(), Refusal> {
    let request = React {
        room_id,
        message_id,
        emoji: Emoji::parse(emoji).unwrap(),
        op,
    };
    db.react(Call::of(by.clone()), request).await.map(|_| ())
}

pub async fn remove(db: &dyn DbApi, by: &Actor, room_id: RoomId, member: &Actor) {
    let request = InRoomUser {
        room_id,
        user_id: member.user_id,
    };
    db.remove_member(Call::of(by.clone()), request).await.unwrap();
}
