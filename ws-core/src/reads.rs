//! Read markers from the bus to the sockets: the reader's own hear where to go on, the others of a small room who has read
//! how far, neither more than once a second.

use std::sync::Arc;

use common::{RoomId, Seq, UserId, limits};

use crate::{feed::Listener, rooms::Rooms, signal::SignalFrame, throttle::Paced, users::Users};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// All sockets of the reader.
    Reader,
    /// The sockets of others that have joined the room.
    Others,
}

pub struct Reads {
    users: Arc<Users>,
    said: Paced<(RoomId, UserId, Audience), Seq>,
}

impl Reads {
    pub fn new(users: Arc<Users>) -> Self {
        Self {
            users,
            // A marker moves forward only; an older word that comes late says nothing.
            said: Paced::new(limits::SIGNAL_INTERVAL, Ord::max),
        }
    }

    /// Somebody has read so far, as the bus says.
    pub fn heard(&self, rooms: &Rooms, audience: Audience, room: RoomId, reader: UserId, seq: Seq) {
        let key = (room, reader, audience);
        if let Some(seq) = self.said.offer(key, seq) {
            self.tell(rooms, key, seq);
        }
    }

    fn tell(&self, rooms: &Rooms, (room, reader, audience): (RoomId, UserId, Audience), seq: Seq) {
        let signal = SignalFrame::read(room, reader, seq);
        match audience {
            Audience::Reader => {
                for (_, outbox) in self.users.of(reader) {
                    outbox.signal(&signal);
                }
            }
            Audience::Others => rooms.tell_others(room, reader, &signal),
        }
    }

    /// Says what had to wait, for ever.
    pub async fn run(&self, rooms: &Rooms) {
        self.said.run(|key, seq| self.tell(rooms, key, seq)).await;
    }
}
