//! What a client decides, without a socket or a clock: frames and wishes in, effects out. The promise to who looks at it:
//! the places of a log are shown in order, without gaps and repeats, and each message written here is sent under one id,
//! in its room's order, until it is settled. When something is tried again is left to who runs it.

mod effect;
mod frame;
mod outbox;
mod room;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use common::{
    Code, RoomId, Seq, UserId,
    event::Event,
    frame::{ClientFrame, ErrorFrame, Join, JoinRoom, Leave, Request, Send, ServerFrame},
};

pub use effect::{Effect, EventPage, Own, Place, Why};
pub use frame::{Frame, Joined};
pub use outbox::{Outbox, OutboxFull};
pub use room::{Room, Standing};

/// Whether the same may be asked again later: it may have been done or not.
pub fn is_passing(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::RateLimited | Code::Internal)
}

#[derive(Debug)]
pub struct Core {
    me: UserId,
    rooms: BTreeMap<RoomId, Room>,
    references: u64,
}

impl Core {
    pub fn new(me: UserId) -> Self {
        Self {
            me,
            rooms: BTreeMap::new(),
            references: 0,
        }
    }

    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
    }

    pub fn room(&self, room: RoomId) -> Option<&Room> {
        self.rooms.get(&room)
    }

    /// Knows of a room from now on.
    pub fn open(&mut self, room: RoomId) -> &Room {
        self.rooms.entry(room).or_insert_with(|| Room::new(room))
    }

    /// A new socket is there: what had no answer on an earlier one is to be written again, in order.
    pub fn connected(&mut self) {
        self.rooms.values_mut().for_each(|room| room.outbox.reconnected());
    }

    /// The socket is gone, and with it every answer that it owed.
    pub fn lost(&mut self) {
        self.rooms.values_mut().for_each(|room| room.standing = Standing::Out);
    }

    pub fn reference(&mut self) -> String {
        self.references += 1;
        self.references.to_string()
    }

    /// Takes a message to send; one that waits already under its id is not taken twice. It goes with the next
    /// [`next_send`](Self::next_send), unless the room has to repeat something first.
    ///
    /// # Errors
    /// When too many wait in its room.
    pub fn submit(&mut self, draft: Send) -> Result<(), OutboxFull> {
        self.open(draft.room_id);
        match self.rooms.get_mut(&draft.room_id) {
            Some(room) => room.outbox.push(draft),
            None => Ok(()),
        }
    }

    /// What was `unavailable` comes again, and all behind it.
    pub fn again(&mut self, room: RoomId) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.outbox.again();
        }
    }

    /// All that is open in a room comes again: behind a new `join`, which lets the socket take it, in front of anything new.
    pub fn requeue(&mut self, room: RoomId) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.outbox.requeue();
        }
    }

    /// The next message of a room that is to be written now, under a new reference.
    pub fn next_send(&mut self, room: RoomId) -> Option<ClientFrame> {
        let reference = (self.references + 1).to_string();
        let draft = self.rooms.get_mut(&room)?.outbox.next(&reference)?;
        self.references += 1;
        Some(ClientFrame {
            reference: Some(reference),
            request: Request::Send(draft),
        })
    }

    /// Joins rooms, each from where [`Room::resumes_from`] says or, with another `after`, from there.
    pub fn join(&mut self, rooms: &[(RoomId, Option<Seq>)]) -> ClientFrame {
        let reference = self.reference();
        let mut asked = Vec::new();
        for (room, after_seq) in rooms {
            let Some(room) = self.rooms.get_mut(room) else { continue };
            room.standing = Standing::Joining {
                reference: reference.clone(),
                after: *after_seq,
            };
            asked.push(JoinRoom {
                room_id: room.id,
                after_seq: *after_seq,
                log_id: room.log().filter(|_| after_seq.is_some()),
            });
        }
        ClientFrame {
            reference: Some(reference),
            request: Request::Join(Join { rooms: asked }),
        }
    }

    /// Hears a room no more.
    pub fn leave(&mut self, room_id: RoomId) -> ClientFrame {
        if let Some(room) = self.rooms.get_mut(&room_id) {
            room.standing = Standing::Out;
        }
        ClientFrame {
            reference: Some(self.reference()),
            request: Request::Leave(Leave { room_id }),
        }
    }

    /// After which place the events of a room are to be read over HTTP, if some are missing and nobody reads them yet.
    pub fn fetch(&mut self, room: RoomId) -> Option<Seq> {
        self.rooms.get_mut(&room)?.fetch()
    }

    /// The answer to that, or `None` when there was none.
    pub fn fetched(&mut self, room: RoomId, page: Option<EventPage>) -> Vec<Effect> {
        self.rooms
            .get_mut(&room)
            .map(|room| room.fetched(page))
            .unwrap_or_default()
    }

    pub fn hear(&mut self, frame: Frame) -> Vec<Effect> {
        match frame {
            Frame::Joined(joined) => self.of(joined.room_id, |room| room.joined(joined)),
            Frame::Event(event) => self.event(event),
            Frame::Said(ServerFrame::Ack {
                reference,
                room_id,
                message_id,
                seq,
                sent_at,
            }) => self.of(room_id, |room| {
                let reference = reference.as_deref().unwrap_or_default();
                room.acked(reference, message_id, seq, sent_at)
            }),
            Frame::Said(ServerFrame::Error(error)) => self.refused(error),
            Frame::Said(_) | Frame::Unknown => Vec::new(),
        }
    }

    fn of(&mut self, room: RoomId, heard: impl FnOnce(&mut Room) -> Vec<Effect>) -> Vec<Effect> {
        self.rooms.get_mut(&room).map(heard).unwrap_or_default()
    }

    fn event(&mut self, event: Box<Event>) -> Vec<Effect> {
        let (room, me) = (event.room_id(), self.me);
        self.of(room, |room| {
            let is_last = room::is_last(&event, me);
            let mut effects = room.heard(event);
            if is_last {
                room.standing = Standing::Out;
                effects.push(Effect::Ended { room: room.id });
            }
            effects
        })
    }

    fn refused(&mut self, error: ErrorFrame) -> Vec<Effect> {
        match error.room_id {
            Some(room) => self.of(room, |room| room.refused(error)),
            None => Vec::new(),
        }
    }
}
