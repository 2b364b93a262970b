//! Messages after they were sent: edited, deleted, reacted to. Each change that changes something takes a place in the log.

use bus::Announcement;
use common::{
    MessageId, UserId,
    event::{Content, DeletedEvent, EditedEvent, Event, ReactionEvent, ReactionOp},
    limits,
    room::{Message, Role},
};
use db_api::{Call, Refusal, Reply, types::*};

use super::{
    Model, actor,
    append::fits,
    state::{RoomState, State},
};

impl Model {
    pub(super) async fn do_edit_message(&self, call: Call, request: EditMessage) -> Reply<Message> {
        let user = actor(&call)?.user_id;
        let now = self.now();
        let (message, event) = {
            let mut state = self.locked().await;
            if let Some(same) = may_edit(&state, &request, user)? {
                return self.written(same);
            }
            let room = state.room_mut(request.room_id)?;
            let edited_at = room.stamp(now);
            let event = Event::Edited(EditedEvent {
                room_id: room.id,
                seq: room.head().next(),
                message_id: request.message_id,
                content: request.content.clone(),
                edited_at,
            });
            room.events.push(event.clone());
            let message = room.messages.get_mut(&request.message_id).ok_or(Refusal::Internal)?;
            message.content = request.content;
            message.edited_at = Some(edited_at);
            let message = message.clone();
            (room.shown(&message, user), event)
        };
        self.announce(vec![Announcement::event(event)]).await;
        self.written(message)
    }

    pub(super) async fn do_delete_message(&self, call: Call, request: GetMessage) -> Reply<Nothing> {
        let user = actor(&call)?.user_id;
        let now = self.now();
        let event = {
            let mut state = self.locked().await;
            let room = state.room_mut(request.room_id)?;
            let role = room.member(user)?.role;
            let message = room.message(request.message_id)?;
            if message.sender_id != user && role == Role::Member {
                return Err(Refusal::forbidden(
                    "Its author, moderators and owners delete a message.",
                ));
            }
            let deleted = message.content == Content::Deleted(true);
            (!deleted).then(|| delete(room, request.message_id, user, now))
        };
        self.announce(event.into_iter().map(Announcement::event).collect())
            .await;
        self.written(Nothing {})
    }

    pub(super) async fn do_react(&self, call: Call, request: React) -> Reply<Nothing> {
        let user = actor(&call)?.user_id;
        let event = {
            let mut state = self.locked().await;
            let room = state.room(request.room_id)?;
            room.member(user)?;
            let message = room.message(request.message_id)?;
            state.heard_in(request.room_id)?;
            if message.content == Content::Deleted(true) {
                return Err(Refusal::conflict("It is deleted."));
            }
            let room = state.room_mut(request.room_id)?;
            react(room, &request, user)?
        };
        self.announce(event.into_iter().map(Announcement::event).collect())
            .await;
        self.written(Nothing {})
    }
}

/// Whether somebody may; with the message where nothing changes.
fn may_edit(state: &State, request: &EditMessage, user: UserId) -> Result<Option<Message>, Refusal> {
    let room = state.room(request.room_id)?;
    room.member(user)?;
    let message = room.message(request.message_id)?;
    if message.sender_id != user {
        return Err(Refusal::forbidden("Only its author edits a message."));
    }
    state.heard_in(request.room_id)?;
    if message.content == Content::Deleted(true) {
        return Err(Refusal::conflict("It is deleted."));
    }
    fits(state, room, user, &request.content)?;
    match (&message.content, &request.content) {
        (Content::Envelope(last), Content::Envelope(next)) if next.rev != last.rev + 1 => {
            Err(Refusal::conflict("Its `rev` is not the next."))
        }
        (Content::Message(last), Content::Message(next)) if last == next => Ok(Some(room.shown(message, user))),
        _ => Ok(None),
    }
}

fn delete(room: &mut RoomState, id: MessageId, by: UserId, now: common::Timestamp) -> Event {
    for event in &mut room.events {
        match event {
            Event::Message(message) if message.message_id == id => message.content = Content::Deleted(true),
            Event::Edited(edited) if edited.message_id == id => edited.content = Content::Deleted(true),
            _ => {}
        }
    }
    if let Some(message) = room.messages.get_mut(&id) {
        message.content = Content::Deleted(true);
    }
    room.reactions.retain(|(message, ..)| *message != id);
    let event = Event::Deleted(DeletedEvent {
        room_id: room.id,
        seq: room.head().next(),
        message_id: id,
        deleted_by: by,
        deleted_at: room.stamp(now),
    });
    room.events.push(event.clone());
    event
}

/// The event, if anything changed.
fn react(room: &mut RoomState, request: &React, user: UserId) -> Result<Option<Event>, Refusal> {
    let (id, emoji) = (request.message_id, request.emoji.as_str());
    let mut kinds: Vec<&str> = room
        .reactions
        .iter()
        .filter(|(of, ..)| *of == id)
        .map(|(_, e, _)| e.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let full = kinds.len() >= limits::REACTIONS && !kinds.contains(&emoji);
    let reaction = (id, emoji.to_owned(), user);
    let changed = match request.op {
        ReactionOp::Added if full && !room.reactions.contains(&reaction) => {
            return Err(Refusal::conflict("It has as many different reactions as it may."));
        }
        ReactionOp::Added => !room.reactions.contains(&reaction),
        ReactionOp::Removed => room.reactions.contains(&reaction),
    };
    if !changed {
        return Ok(None);
    }
    match request.op {
        ReactionOp::Added => room.reactions.push(reaction),
        ReactionOp::Removed => room.reactions.retain(|known| *known != reaction),
    }
    let event = Event::Reaction(ReactionEvent {
        room_id: room.id,
        seq: room.head().next(),
        message_id: id,
        user_id: user,
        emoji: emoji.to_owned(),
        op: request.op,
    });
    room.events.push(event.clone());
    Ok(Some(event))
}
