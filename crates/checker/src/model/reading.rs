//! Reads of the log, and markers.

use bus::{Announcement, Topic, announcement::Signal};
use common::{
    RoomId, UserId,
    event::Event,
    limits,
    room::{Message, ReadMarker},
};
use db_api::{Call, Refusal, types::*};

use super::{Model, actor, state::State};

impl Model {
    pub(super) async fn do_history(&self, call: Call, request: History) -> Result<HistoryPage, Refusal> {
        let user = actor(&call)?.user_id;
        if !(1..=limits::PAGE_ITEMS_MAX).contains(&request.limit) {
            return Err(Refusal::invalid(
                "?limit",
                format!("must be 1 to {}", limits::PAGE_ITEMS_MAX),
            ));
        }
        let state = self.locked().await;
        let room = state.room(request.room_id)?;
        room.member(user)?;
        let wanted = |message: &&Message| match request.place {
            Place::Newest => true,
            Place::Before(seq) => message.seq < seq,
            Place::After(seq) => message.seq > seq,
        };
        let mut items: Vec<Message> = room
            .messages
            .values()
            .filter(wanted)
            .map(|message| room.shown(message, user))
            .collect();
        items.sort_by_key(|message| message.seq);
        let surplus = items.len().saturating_sub(request.limit as usize);
        match request.place {
            Place::After(_) => items.truncate(request.limit as usize),
            Place::Newest | Place::Before(_) => drop(items.drain(..surplus)),
        }
        Ok(HistoryPage {
            items,
            has_more: surplus > 0,
        })
    }

    pub(super) async fn do_message(&self, call: Call, request: GetMessage) -> Result<Message, Refusal> {
        let user = actor(&call)?.user_id;
        let state = self.locked().await;
        let room = state.room(request.room_id)?;
        room.member(user)?;
        Ok(room.shown(room.message(request.message_id)?, user))
    }

    pub(super) async fn do_events(&self, call: Call, request: Events) -> Result<EventPage, Refusal> {
        if !(1..=limits::EVENTS_MAX).contains(&request.limit) {
            return Err(Refusal::invalid(
                "?limit",
                format!("must be 1 to {}", limits::EVENTS_MAX),
            ));
        }
        let state = self.locked().await;
        let room = match &call.actor {
            Some(actor) => {
                let room = state.room(request.room_id)?;
                room.member(actor.user_id)?;
                room
            }
            // A gateway fills a gap for members that it knows.
            None => state.logged(request.room_id)?,
        };
        let after = room.events.iter().filter(|event| event.seq() > request.after);
        let items: Vec<Event> = after.take(request.limit as usize).cloned().collect();
        let last = items.last().map_or(request.after, Event::seq);
        Ok(EventPage {
            items,
            head_seq: room.head(),
            log_id: room.log,
            has_more: last < room.head(),
        })
    }

    pub(super) async fn do_mark_read(&self, call: Call, request: MarkRead) -> Result<ReadMarker, Refusal> {
        let user = actor(&call)?.user_id;
        let (marker, moved) = {
            let mut state = self.locked().await;
            let room = state.room_mut(request.room_id)?;
            room.member(user)?;
            let head = room.head();
            let marker = room.members.get_mut(&user).map(|member| &mut member.read_seq);
            let marker = marker.ok_or(Refusal::Internal)?;
            let before = std::mem::replace(marker, (*marker).max(request.seq.min(head)));
            let moved = before < *marker;
            (marker_of(&state, request.room_id, user)?, moved)
        };
        if moved {
            let read = || Signal::Read {
                room_id: marker.room_id,
                user_id: user,
                seq: marker.seq,
            };
            let topics = [Topic::User(user), Topic::Room(marker.room_id)];
            self.announce(topics.map(|topic| Announcement::signal(topic, read())).into())
                .await;
        }
        Ok(marker)
    }
}

fn marker_of(state: &State, room: RoomId, user: UserId) -> Result<ReadMarker, Refusal> {
    let seen = state.room(room)?.seen_by(state, user);
    Ok(ReadMarker {
        room_id: room,
        seq: seen.read_seq.unwrap_or_default(),
        unread_count: seen.unread_count,
        mention_count: seen.mention_count,
    })
}
