//! What a device does of its own accord.

use common::{MessageId, RoomId, Seq};
use serde_json::json;
use tokio::time::Instant;

use super::{Device, view::Standing};
use crate::history::Wrote;

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
        let known = self.rooms[&room].own_messages(self.actor.user_id);
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

    fn send(&mut self, room: RoomId, message: MessageId) {
        let Some(view) = self.rooms.get_mut(&room) else { return };
        if view.outbox.has(message) {
            return;
        }
        view.outbox.push(message);
        if view.again_at.is_none() {
            self.flush(room);
        }
    }

    /// Writes what the room's outbox has to.
    pub fn flush(&mut self, room: RoomId) {
        let references = &mut self.references;
        let Some(view) = self.rooms.get_mut(&room) else { return };
        view.again_at = None;
        let due = view.outbox.due(|| {
            *references += 1;
            references.to_string()
        });
        for (reference, message) in due {
            let frame =
                json!({"type": "send", "ref": reference, "roomId": room, "messageId": message, "message": "hi"});
            let wrote = Wrote::Send {
                reference,
                room,
                message,
            };
            self.write(frame, Some(wrote));
        }
    }

    /// Joins from where the client is; now and then as if it knew nothing.
    pub fn join(&mut self, rooms: &[RoomId]) {
        let reference = self.reference();
        let mut asked = Vec::new();
        for room in rooms {
            let fresh = self.chance.happens(0.05);
            let first = self.chance.happens(0.7).then_some(Seq::ZERO);
            let Some(view) = self.rooms.get_mut(room) else { continue };
            view.join_at = None;
            let after = if fresh { None } else { view.resumes_from().or(first) };
            let log = view.log.filter(|_| after.is_some());
            view.standing = Standing::Joining {
                reference: reference.clone(),
                resumes: after.is_some(),
            };
            asked.push(json!({"roomId": room, "afterSeq": after, "logId": log}));
            self.record(crate::history::Entry::Wrote(Wrote::Join {
                reference: reference.clone(),
                room: *room,
                after,
                log,
            }));
        }
        self.write(json!({"type": "join", "ref": reference, "rooms": asked}), None);
    }

    fn join_again(&mut self, room: RoomId) {
        if self.rooms[&room].standing == Standing::In {
            self.join(&[room]);
        }
    }

    fn leave(&mut self, room: RoomId) {
        let wait = self.chance.millis(20..1500);
        let Some(view) = self.rooms.get_mut(&room) else { return };
        view.standing = Standing::Out;
        view.join_at = Some(Instant::now() + wait);
        let reference = self.reference();
        let frame = json!({"type": "leave", "ref": reference, "roomId": room});
        self.write(frame, Some(Wrote::Leave { room }));
    }

    fn chat(&mut self, room: RoomId) {
        let frame = if self.chance.happens(0.5) {
            json!({"type": "typing", "roomId": room, "typing": true})
        } else {
            json!({"type": "read", "roomId": room, "seq": self.rooms[&room].head()})
        };
        self.write(frame, None);
    }

    /// Stops reading, for a moment or for so long that its gateway gives it up.
    fn read_nothing(&mut self) {
        let away = self.weather.climate.away;
        if self.chance.happens(away * 3.0) {
            self.deaf_until = Instant::now() + self.chance.millis(100..14_000);
        }
    }
}
