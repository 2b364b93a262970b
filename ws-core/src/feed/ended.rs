//! Events that are the last of a room, for one user or for everybody.

use common::{
    UserId,
    event::{Event, RoomEventChange},
};

/// Who hears nothing more of the room after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Membership(UserId),
    /// The room is gone, for everybody.
    Room,
}

impl Ended {
    pub fn by(event: &Event) -> Option<Self> {
        match event {
            Event::Member(member) if member.change.ends_membership() => Some(Ended::Membership(member.user_id)),
            Event::Room(room) if room.change == RoomEventChange::Deleted => Some(Ended::Room),
            _ => None,
        }
    }

    pub fn is_for(self, user: UserId) -> bool {
        match self {
            Ended::Membership(member) => member == user,
            Ended::Room => true,
        }
    }
}
