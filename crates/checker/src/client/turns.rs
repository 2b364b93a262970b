//! What a device does of its own accord.

use chat_client::core::Standing;
use common::{
    MessageId, RoomId, Seq,
    event::Content,
    frame::{ClientFrame, Read, Request, Send, SentContent, Typing},
    text::Body,
};
use tokio::time::Instant;

use super::Device;

impl Device {
    /// One random deed, and the time of the next.
    pub fn turn(&mut self) {
        self.next_turn = Instant::now() + self.chance.millis(5..400);
        if self.weather.is_calm() {
            // What is open is brought to its end; nothing new begins.
            self.deaf_until = Instant::now();
            return;
        }
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        let room = *self.chance.pick(&rooms);
        match self.chance.within(0..100) {
            0..55 => self.send_some(room),
            55..60 => self.send_again(room),
            60..64 => self.send_contested(room),
            64..70 => self.join_again(room),
            70..73 => self.leave(room),
            73..78 => self.chat(room),
            78..80 => self.read_nothing(),
            _ => {
                let away = self.weather.climate.away;
                if self.chance.happens(away) {
                    self.lost();
                }
            }
        }
    }

    fn send_some(&mut self, room: RoomId) {
        for _ in 0..self.chance.within(1..5) {
            let message = MessageId(self.chance.uuid());
            self.send(room, message);
        }
    }

    /// A message that is in the log already.
    fn send_again(&mut self, room: RoomId) {
        let Some(known) = self.core.room(room) else { return };
        let known = self.rooms[&room].own_messages(known, self.actor.user_id);
        if !known.is_empty() {
            let message = *self.chance.pick(&known);
            self.send(room, message);
        }
    }

    /// An id that others use, too.
    fn send_contested(&mut self, room: RoomId) {
        let message = *self.chance.pick(&self.contested);
        self.send(room, message);
    }

    fn send(&mut self, room_id: RoomId, message_id: MessageId) {
        let waits = |of: &chat_client::core::Room| of.outbox.has(message_id);
        if self.core.room(room_id).is_none_or(waits) {
            return;
        }
        let Ok(body) = Body::parse("hi") else { return };
        // One that finds no place waits for nobody, so nothing is missed.
        let _ = self.core.submit(Send {
            room_id,
            message_id,
            content: SentContent(Content::Message(body)),
            reply_to: None,
            mentions: Vec::new(),
            traceparent: None,
        });
        if self.rooms[&room_id].again_at.is_none() {
            self.flush(room_id);
        }
    }

    /// Writes what the room's outbox has to.
    pub fn flush(&mut self, room: RoomId) {
        if let Some(plan) = self.rooms.get_mut(&room) {
            plan.again_at = None;
        }
        self.core.again(room);
        while let Some(frame) = self.core.next_send(room) {
            self.write(&frame);
        }
    }

    /// Joins from where the client is; now and then as if it knew nothing.
    pub fn join(&mut self, rooms: &[RoomId]) {
        let mut asked = Vec::new();
        for room in rooms {
            let fresh = self.chance.happens(0.05);
            let first = self.chance.happens(0.7).then_some(Seq::ZERO);
            let (Some(plan), Some(known)) = (self.rooms.get_mut(room), self.core.room(*room)) else {
                continue;
            };
            plan.join_at = None;
            let after = if fresh { None } else { known.resumes_from().or(first) };
            asked.push((*room, after));
        }
        // What is open is not queued behind the join, as a client would: the gateway has to bear that too.
        let frame = self.core.join(&asked);
        self.write(&frame);
    }

    fn join_again(&mut self, room: RoomId) {
        if self.core.room(room).is_some_and(|room| room.standing == Standing::In) {
            self.join(&[room]);
        }
    }

    fn leave(&mut self, room: RoomId) {
        let wait = self.chance.millis(20..1500);
        let Some(plan) = self.rooms.get_mut(&room) else { return };
        plan.join_at = Some(Instant::now() + wait);
        let frame = self.core.leave(room);
        self.write(&frame);
    }

    fn chat(&mut self, room_id: RoomId) {
        let request = if self.chance.happens(0.5) {
            Request::Typing(Typing { room_id, typing: true })
        } else {
            let seq = self.core.room(room_id).map_or(Seq::ZERO, |room| room.head());
            Request::Read(Read { room_id, seq })
        };
        let reference = None;
        self.write(&ClientFrame { reference, request });
    }

    /// Stops reading, for a moment or for so long that its gateway gives it up.
    fn read_nothing(&mut self) {
        let away = self.weather.climate.away;
        if self.chance.happens(away * 3.0) {
            self.deaf_until = Instant::now() + self.chance.millis(100..14_000);
        }
    }
}
