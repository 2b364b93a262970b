//! Rooms: made, looked at, changed.

use std::collections::BTreeMap;

use bus::Announcement;
use common::{
    LogId, RoomId, Seq, UserId,
    event::{Event, RoomEvent, RoomEventChange},
    frame::{Notice, NoticeKind},
    room::{Encryption, Page, Role, Room, RoomKind, Visibility},
    text::{RoomName, Topic},
};
use db_api::{Answer, Call, Refusal, Reply, types::*};
use serde_json::json;

use crate::history::first_members;

use super::{
    Model, actor,
    state::{Membership, RoomState, State},
};

pub fn notice(kind: NoticeKind, room: RoomId) -> Notice {
    Notice {
        kind,
        room_id: Some(room),
        session_id: None,
    }
}

/// What a room is made of.
pub struct NewRoom {
    pub kind: RoomKind,
    pub name: Option<RoomName>,
    pub topic: Option<Topic>,
    pub visibility: Visibility,
    pub encryption: Encryption,
    pub by: UserId,
    pub members: Vec<(UserId, Role)>,
}

impl Model {
    pub(super) async fn do_create_room(&self, call: Call, request: CreateRoom) -> Reply<Room> {
        let owner = actor(&call)?.user_id;
        let (room, event) = {
            let mut state = self.locked().await;
            let (room, event) = match state.earlier(&call, owner)? {
                Some(earlier) => (serde_json::from_value(earlier).map_err(|_| Refusal::Internal)?, None),
                None => {
                    let (room, event) = self.create(&mut state, asked(request, owner))?;
                    (room, Some(event))
                }
            };
            state.remember(&call, owner, json!(room));
            (state.room(room)?.shown_to(&state, owner)?, event)
        };
        let members = event.iter().flat_map(first_members).filter(|user| *user != owner);
        let added = members.map(|user| Announcement::notice(user, notice(NoticeKind::RoomAdded, room.id)));
        let announced = event.iter().cloned().map(Announcement::event).chain(added);
        self.announce(announced.collect()).await;
        self.written(room)
    }

    /// Makes a room under the lock of all, and its first event.
    pub(super) fn create(&self, state: &mut State, new: NewRoom) -> Result<(RoomId, Event), Refusal> {
        let (id, log, now) = (RoomId(self.id()), LogId(self.id()), self.now());
        let users: Vec<UserId> = new.members.iter().map(|(user, _)| *user).collect();
        if !users.iter().all(|user| state.users.contains_key(user)) {
            return Err(Refusal::invalid("/memberIds", "names somebody who isn't there"));
        }
        state.unblocked(new.by, &users)?;
        if new.encryption == Encryption::Envelope {
            state.fit(users.iter().copied(), 0)?;
        }
        let membership = |role| Membership {
            role,
            joined_at: now,
            read_seq: Seq::ZERO.next(),
        };
        let members = new.members.iter().map(|(user, role)| (*user, membership(*role)));
        let mut room = RoomState {
            id,
            log,
            kind: new.kind,
            deleted: false,
            name: new.name,
            topic: new.topic,
            visibility: new.visibility,
            encryption: new.encryption,
            created_at: now,
            last_event_at: now,
            members: members.collect(),
            events: Vec::new(),
            messages: Default::default(),
            reactions: Default::default(),
            epoch: 0,
            min_epoch: 1,
            keys: Default::default(),
        };
        let first: Vec<_> = room
            .members
            .iter()
            .map(|(user, m)| json!({"userId": user, "role": m.role}))
            .collect();
        let change = json!({"name": room.name, "topic": room.topic, "visibility": room.visibility,
            "encryption": room.encryption, "members": first});
        let event = log_room(&mut room, RoomEventChange::Created, new.by, change);
        state.rooms.insert(id, room);
        Ok((id, event))
    }

    pub(super) async fn do_rooms(&self, call: Call) -> Reply<Page<Room>> {
        let user = actor(&call)?.user_id;
        let state = self.locked().await;
        let mine = state.rooms.values().filter(|room| room.members.contains_key(&user));
        let mut items: Vec<Room> = mine.map(|room| room.seen_by(&state, user)).collect();
        let activity = |room: &Room| room.last_message.as_ref().map_or(room.created_at, |last| last.sent_at);
        items.sort_by_key(|room| std::cmp::Reverse((activity(room), room.id)));
        Ok(Answer::read(Page {
            items,
            next_cursor: None,
        }))
    }

    pub(super) async fn do_room(&self, call: Call, request: InRoom) -> Result<Room, Refusal> {
        let user = actor(&call)?.user_id;
        let state = self.locked().await;
        state.room(request.room_id)?.shown_to(&state, user)
    }

    pub(super) async fn do_update_room(&self, call: Call, request: UpdateRoom) -> Reply<Room> {
        let user = actor(&call)?.user_id;
        let (room, event) = {
            let mut state = self.locked().await;
            let room = state.room_mut(request.room_id)?;
            if room.acting(user)? < Role::Moderator {
                return Err(Refusal::forbidden("Only owners and moderators change a room."));
            }
            let mut change = serde_json::Map::new();
            if let Some(name) = request.name.filter(|name| Some(name) != room.name.as_ref()) {
                change.insert("name".into(), json!(name));
                room.name = Some(name);
            }
            if let Some(topic) = request.topic.filter(|topic| Some(topic) != room.topic.as_ref()) {
                change.insert("topic".into(), json!(topic));
                room.topic = Some(topic);
            }
            if let Some(visibility) = request.visibility.filter(|visibility| *visibility != room.visibility) {
                change.insert("visibility".into(), json!(visibility));
                room.visibility = visibility;
            }
            let changed = !change.is_empty();
            let event = changed.then(|| log_room(room, RoomEventChange::Updated, user, change.into()));
            (state.room(request.room_id)?.seen_by(&state, user), event)
        };
        self.announce(event.into_iter().map(Announcement::event).collect())
            .await;
        self.written(room)
    }

    pub(super) async fn do_delete_room(&self, call: Call, request: InRoom) -> Reply<Nothing> {
        let by = actor(&call)?.user_id;
        let (event, members) = {
            let mut state = self.locked().await;
            let room = state.room_mut(request.room_id)?;
            if room.acting(by)? < Role::Owner {
                return Err(Refusal::forbidden("Only an owner takes a room away."));
            }
            let event = log_room(room, RoomEventChange::Deleted, by, json!({}));
            room.deleted = true;
            room.keys.clear();
            let members = std::mem::take(&mut room.members);
            state.invites.retain(|_, invite| invite.room_id != request.room_id);
            (event, members)
        };
        let removed = |user: &UserId| Announcement::notice(*user, notice(NoticeKind::RoomRemoved, request.room_id));
        let announced = std::iter::once(Announcement::event(event)).chain(members.keys().map(removed));
        self.announce(announced.collect()).await;
        self.written(Nothing {})
    }
}

/// What somebody asks for, with the owner among its members once.
fn asked(request: CreateRoom, owner: UserId) -> NewRoom {
    let mut members: BTreeMap<UserId, Role> = request
        .member_ids
        .into_iter()
        .map(|user| (user, Role::Member))
        .collect();
    members.insert(owner, Role::Owner);
    NewRoom {
        kind: RoomKind::Room,
        name: Some(request.name),
        topic: request.topic,
        visibility: request.visibility,
        encryption: request.encryption,
        by: owner,
        members: members.into_iter().collect(),
    }
}

pub fn log_room(room: &mut RoomState, change: RoomEventChange, by: UserId, what: serde_json::Value) -> Event {
    let event = Event::Room(RoomEvent {
        room_id: room.id,
        seq: room.head().next(),
        change,
        by,
        room: what.as_object().cloned().unwrap_or_default(),
    });
    room.events.push(event.clone());
    event
}
