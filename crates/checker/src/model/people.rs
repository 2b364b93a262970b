//! Between two people: direct conversations and blocks.

use bus::Announcement;
use common::{
    RoomId, UserId,
    event::Event,
    frame::NoticeKind,
    room::{Encryption, Page, Role, Room, RoomKind, User, Visibility},
};
use db_api::{Answer, Call, Refusal, Reply, types::*};
use serde_json::json;

use super::{
    Model, actor,
    rooms::{NewRoom, notice},
    state::State,
};

impl State {
    /// Refuses what somebody wants to do with people of whom one blocks them.
    pub fn unblocked(&self, by: UserId, users: &[UserId]) -> Result<(), Refusal> {
        if users.iter().any(|user| self.blocks.contains(&(*user, by))) {
            return Err(Refusal::forbidden("Somebody of them does not want to hear from you."));
        }
        Ok(())
    }

    /// Refuses what is more than reading in a direct conversation of which either blocks the other.
    pub fn heard_in(&self, room: RoomId) -> Result<(), Refusal> {
        let room = self.room(room)?;
        let members: Vec<UserId> = room.members.keys().copied().collect();
        let blocked = match members.as_slice() {
            [one, two] if room.kind == RoomKind::Dm => {
                self.blocks.contains(&(*one, *two)) || self.blocks.contains(&(*two, *one))
            }
            _ => false,
        };
        if blocked {
            return Err(Refusal::forbidden("One of you does not want to hear from the other."));
        }
        Ok(())
    }
}

impl Model {
    pub(super) async fn do_open_dm(&self, call: Call, request: GetUser) -> Reply<Made<Room>> {
        let (user, peer) = (actor(&call)?.user_id, request.user_id);
        if user == peer {
            return Err(Refusal::invalid("/userId", "is yourself"));
        }
        let (made, event) = {
            let mut state = self.locked().await;
            let earlier = state.earlier(&call, user)?.and_then(|earlier| {
                let (room, created): (RoomId, bool) = serde_json::from_value(earlier).ok()?;
                Some((room, created))
            });
            let (room, created, event) = match earlier {
                Some((room, created)) => (room, created, None),
                None => {
                    let (room, event) = self.open(&mut state, user, peer)?;
                    (room, event.is_some(), event)
                }
            };
            state.remember(&call, user, json!((room, created)));
            let object = state.room(room)?.shown_to(&state, user)?;
            (Made { object, created }, event)
        };
        let told = |event| {
            let created = notice(NoticeKind::DmCreated, made.object.id);
            [Announcement::event(event), Announcement::notice(peer, created)]
        };
        self.announce(event.into_iter().flat_map(told).collect()).await;
        self.written(made)
    }

    fn open(&self, state: &mut State, user: UserId, peer: UserId) -> Result<(RoomId, Option<Event>), Refusal> {
        if !state.users.contains_key(&peer) {
            return Err(Refusal::invalid("/userId", "names somebody who isn't there"));
        }
        state.unblocked(user, &[peer])?;
        let pair = (user.min(peer), user.max(peer));
        if let Some(room) = state.dms.get(&pair) {
            return Ok((*room, None));
        }
        let new = NewRoom {
            kind: RoomKind::Dm,
            name: None,
            topic: None,
            visibility: Visibility::Private,
            encryption: Encryption::Envelope,
            by: user,
            members: vec![(user, Role::Member), (peer, Role::Member)],
        };
        let (room, event) = self.create(state, new)?;
        state.dms.insert(pair, room);
        Ok((room, Some(event)))
    }

    pub(super) async fn do_blocks(&self, call: Call) -> Reply<Page<User>> {
        let user = actor(&call)?.user_id;
        let state = self.locked().await;
        let blocked = state.blocks.iter().filter(|(by, _)| *by == user);
        let mut items = blocked
            .map(|(_, blocked)| state.user(*blocked))
            .collect::<Result<Vec<User>, _>>()?;
        items.sort_by(|one, other| one.username.as_str().cmp(other.username.as_str()));
        Ok(Answer::read(Page {
            items,
            next_cursor: None,
        }))
    }

    pub(super) async fn do_block(&self, call: Call, request: GetUser) -> Reply<Nothing> {
        let (user, blocked) = (actor(&call)?.user_id, request.user_id);
        if user == blocked {
            return Err(Refusal::invalid("/userId", "is yourself"));
        }
        let mut state = self.locked().await;
        state.user(blocked)?;
        state.blocks.insert((user, blocked));
        self.written(Nothing {})
    }

    pub(super) async fn do_unblock(&self, call: Call, request: GetUser) -> Reply<Nothing> {
        let user = actor(&call)?.user_id;
        let mut state = self.locked().await;
        state.user(request.user_id)?;
        state.blocks.remove(&(user, request.user_id));
        self.written(Nothing {})
    }
}
