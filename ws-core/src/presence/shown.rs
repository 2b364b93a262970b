//! Whom this gateway has shown as present in which of its rooms, without I/O: so that a word about a user alone reaches
//! everybody who saw that user here, and who joins sees who is there.

use std::collections::{BTreeMap, BTreeSet};

use bus::Whereabouts;
use common::{RoomId, UserId, room::Presence};

/// All in an order, so that a seeded simulation replays.
#[derive(Default)]
pub struct Shown {
    rooms: BTreeMap<RoomId, Whereabouts>,
    users: BTreeMap<UserId, BTreeSet<RoomId>>,
}

impl Shown {
    /// Begins to follow a room; says whether it wasn't followed yet.
    pub fn open(&mut self, room: RoomId) -> bool {
        let before = self.rooms.len();
        self.rooms.entry(room).or_default();
        self.rooms.len() > before
    }

    /// Nobody listens to the room any more.
    pub fn close(&mut self, room: RoomId) {
        for user in self.rooms.remove(&room).unwrap_or_default().into_keys() {
            self.forget(user, room);
        }
    }

    /// How somebody is in a followed room; says whether its listeners don't know that yet.
    pub fn heard(&mut self, room: RoomId, user: UserId, status: Presence) -> bool {
        let Some(there) = self.rooms.get_mut(&room) else {
            return false;
        };
        if status == Presence::Offline {
            there.remove(&user);
            self.forget(user, room);
            return true;
        }
        self.users.entry(user).or_default().insert(room);
        there.insert(user, status) != Some(status)
    }

    pub fn rooms(&self) -> Vec<RoomId> {
        self.rooms.keys().copied().collect()
    }

    pub fn rooms_of(&self, user: UserId) -> Vec<RoomId> {
        self.users.get(&user).into_iter().flatten().copied().collect()
    }

    pub fn in_room(&self, room: RoomId) -> Whereabouts {
        self.rooms.get(&room).cloned().unwrap_or_default()
    }

    /// Everybody who is shown somewhere.
    pub fn users(&self) -> Vec<UserId> {
        self.users.keys().copied().collect()
    }

    /// The rooms in which a user is shown otherwise than this.
    pub fn differing(&self, user: UserId, status: Presence) -> Vec<RoomId> {
        let differs = |room: &RoomId| self.rooms.get(room).and_then(|there| there.get(&user)) != Some(&status);
        self.rooms_of(user).into_iter().filter(differs).collect()
    }

    fn forget(&mut self, user: UserId, room: RoomId) {
        if let Some(rooms) = self.users.get_mut(&user) {
            rooms.remove(&room);
            if rooms.is_empty() {
                self.users.remove(&user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::room::Presence::{Away, Offline, Online};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_word_about_a_user_reaches_the_rooms_that_saw_it() {
        let [one, two, unheard] = [1, 2, 3].map(|n| RoomId(Uuid::from_u128(n)));
        let [ada, bob] = [1, 2].map(|n| UserId(Uuid::from_u128(n)));
        let mut shown = Shown::default();
        assert!(shown.open(one) && shown.open(two) && !shown.open(one));
        assert!(!shown.heard(unheard, ada, Online), "nobody listens there");
        assert!(shown.heard(one, ada, Online) && shown.heard(two, ada, Online) && shown.heard(one, bob, Away));
        assert!(!shown.heard(one, ada, Online), "known");
        assert!(shown.heard(one, ada, Away));
        assert_eq!(shown.differing(ada, Away), [two]);
        assert_eq!(shown.in_room(one), Whereabouts::from([(ada, Away), (bob, Away)]));
        shown.close(two);
        assert_eq!(shown.rooms_of(ada), [one]);
        assert!(shown.heard(one, ada, Offline));
        assert_eq!(shown.users(), [bob]);
        shown.close(one);
        assert!(shown.users.is_empty() && shown.rooms.is_empty(), "nothing is kept");
    }
}
