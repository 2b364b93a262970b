//! What a device means to do in a room, and when; and what it was shown of it, for the check.

use std::collections::BTreeMap;

use chat_client::core::{Place, Room, Standing};
use common::{MessageId, Seq, UserId, event::Event};
use tokio::time::Instant;

use crate::history::{Held, View};

#[derive(Debug, Default)]
pub struct RoomPlan {
    /// When the outbox is written again.
    pub again_at: Option<Instant>,
    /// When the room is joined again.
    pub join_at: Option<Instant>,
    /// When what lies before a truncated catch-up is fetched.
    pub fetch_at: Option<Instant>,
    base: Seq,
    shown: BTreeMap<Seq, Held>,
}

fn held(place: &Place) -> Held {
    match place {
        Place::Event(event) => Held::Event(event.clone()),
        Place::Own(own) => Held::Own(own.message),
    }
}

impl RoomPlan {
    /// What was shown is void.
    pub fn begins(&mut self, after: Seq) {
        self.base = after;
        self.shown.clear();
    }

    pub fn shows(&mut self, place: &Place) {
        self.shown.insert(place.seq(), held(place));
    }

    /// What the client knows of the room, also above a gap.
    fn places(&self, room: &Room) -> BTreeMap<Seq, Held> {
        let mut places = self.shown.clone();
        places.extend(room.held().map(|place| (place.seq(), held(place))));
        places
    }

    /// Messages of the client itself that it knows to stand in the log.
    pub fn own_messages(&self, room: &Room, user: UserId) -> Vec<MessageId> {
        let places = self.places(room);
        let own = places.values().filter_map(|held| match held {
            Held::Own(message) => Some(*message),
            Held::Event(event) => match event.as_ref() {
                Event::Message(message) if message.sender_id == user => Some(message.message_id),
                _ => None,
            },
        });
        own.collect()
    }

    pub fn at_end(&self, room: &Room) -> View {
        View {
            room: room.id,
            base: self.base,
            places: self.places(room),
            is_in: room.standing == Standing::In,
            unacked: room.outbox.messages(),
        }
    }
}
