//! Who types on this gateway: what its sockets say goes to all gateways, not too often, and is taken back when the socket
//! that said it goes. Everything else is each gateway's own count ([`crate::feed`]).

use std::{collections::HashMap, sync::Arc};

use bus::{Announcement, Publisher, Topic, announcement::Signal};
use common::{RoomId, UserId, WsId, limits};
use parking_lot::Mutex;

use crate::{rooms::Rooms, throttle::Paced};

pub struct Typists {
    publisher: Publisher,
    said: Paced<(RoomId, UserId), bool>,
    /// Who types by which socket.
    by: Mutex<HashMap<(RoomId, WsId), UserId>>,
}

impl Typists {
    pub fn new(publisher: Publisher) -> Self {
        Self {
            publisher,
            said: Paced::new(limits::TYPING_INTERVAL, |_, new| new),
            by: Mutex::default(),
        }
    }

    /// A socket says that it types.
    pub fn types(self: &Arc<Self>, rooms: &Arc<Rooms>, room: RoomId, user: UserId, ws: WsId) {
        self.by.lock().insert((room, ws), user);
        if self.said.offer((room, user), true).is_some() {
            self.say(rooms, room, user, true);
        }
    }

    /// A socket says that it has stopped, has left the room, or is gone.
    pub fn silenced(&self, room: RoomId, ws: WsId) {
        let said = self.by.lock().remove(&(room, ws));
        if let Some(user) = said
            && self.said.offer((room, user), false).is_some()
        {
            self.publish(room, user, false);
        }
    }

    /// The message itself ends the typing wherever it is heard, and nothing that waits may come behind it.
    pub fn sent(&self, room: RoomId, ws: WsId) {
        let said = self.by.lock().remove(&(room, ws));
        if let Some(user) = said {
            self.said.known(&(room, user), false);
        }
    }

    fn say(self: &Arc<Self>, rooms: &Arc<Rooms>, room: RoomId, user: UserId, typing: bool) {
        if !(typing && rooms.is_direct(room)) {
            return self.publish(room, user, typing);
        }
        let (typists, rooms) = (self.clone(), rooms.clone());
        tokio::spawn(async move {
            let may_type = rooms.may_type(room, user).await;
            // By now it may be over.
            if may_type && typists.said.newest(&(room, user)) == Some(true) {
                typists.publish(room, user, true);
            }
        });
    }

    fn publish(&self, room_id: RoomId, user_id: UserId, typing: bool) {
        let signal = Signal::Typing {
            room_id,
            user_id,
            typing,
        };
        self.publisher.offer(Announcement::signal(Topic::Room(room_id), signal));
    }

    /// Says what had to wait, for ever.
    pub async fn run(self: &Arc<Self>, rooms: &Arc<Rooms>) {
        self.said
            .run(|(room, user), typing| self.say(rooms, room, user, typing))
            .await;
    }
}
