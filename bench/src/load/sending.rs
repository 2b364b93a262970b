//! Who sends next, and what.

use uuid::Uuid;

use super::Load;
use crate::{frame, stamp::Stamp};

impl Load<'_> {
    /// Brings each sender up to its window.
    pub(super) fn fill(&mut self, window: u32) {
        self.notes.due.clear();
        for room in 0..self.plan.rooms.len() {
            for sender in 0..self.plan.rooms[room].senders.len() {
                let answered = self.answered(room, sender);
                for _ in self.sent[room][sender] - answered..window {
                    self.send(room, sender);
                }
            }
        }
    }

    fn answered(&self, room: usize, sender: usize) -> u32 {
        let client = &self.connections[self.plan.rooms[room].senders[sender]];
        let sent = self.sent[room][sender];
        let watch = client.watches.iter().find(|watch| watch.room as usize == room);
        sent - watch.map_or(0, |watch| watch.missing(sender, sent))
    }

    /// The next room's next sender.
    pub(super) fn send_next(&mut self) {
        let room = self.next_room;
        self.next_room = (room + 1) % self.plan.rooms.len();
        let sender = self.next_sender[room];
        self.next_sender[room] = (sender + 1) % self.plan.rooms[room].senders.len();
        self.send(room, sender);
    }

    pub(super) fn send(&mut self, room: usize, sender: usize) {
        let number = self.sent[room][sender];
        self.sent[room][sender] += 1;
        self.ids += 1;
        let stamp = Stamp {
            room: room as u32,
            sender: sender as u32,
            number,
            sent_us: self.notes.began.elapsed().as_micros() as u64,
        };
        let id = Uuid::from_u128(self.ids).to_string();
        let text = self.dialect.send(&self.rooms[room], &id, &stamp.text(), &self.filler);
        let client = self.plan.rooms[room].senders[sender];
        self.connections[client].say(frame::TEXT, text.as_bytes());
    }
}
