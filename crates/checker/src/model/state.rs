//! What a database holds.

use std::collections::{BTreeMap, BTreeSet};

use common::{
    DeviceId, LogId, MessageId, RoomId, Seq, SessionId, Timestamp, UserId,
    envelope::HeldKey,
    event::{Event, MemberChange, MemberEvent},
    room::{Encryption, Invite, Member, Message, Presence, Reaction, Role, Room, RoomKind, User, Visibility},
    text::{DeviceName, IdempotencyKey, RoomName, Topic},
};
use db_api::Refusal;

use super::{
    keys::Devices,
    once::{Done, Key},
};

#[derive(Default)]
pub struct State {
    pub users: BTreeMap<UserId, Account>,
    pub sessions: BTreeMap<SessionId, Session>,
    /// Sessions that were ended, and whose they were.
    pub ended: BTreeMap<SessionId, UserId>,
    pub rooms: BTreeMap<RoomId, RoomState>,
    pub invites: BTreeMap<String, Invite>,
    /// Who blocks whom.
    pub blocks: BTreeSet<(UserId, UserId)>,
    /// The direct conversation of two, the lower id first.
    pub dms: BTreeMap<(UserId, UserId), RoomId>,
    pub done: BTreeMap<Key, Done>,
    pub devices: Devices,
}

pub struct Account {
    pub user: User,
    pub password: String,
}

/// A session's refresh tokens are counted; the one before the present may be used again under conditions.
pub struct Session {
    pub user: UserId,
    pub device: Option<DeviceName>,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub counter: u64,
    /// Of each spent token: under which key, and when it was first used.
    pub spent: BTreeMap<u64, (Option<IdempotencyKey>, Timestamp)>,
}

impl State {
    /// Ends a session. Whether it is, or was, this user's.
    pub fn end_session(&mut self, user: UserId, session: SessionId) -> bool {
        if self.sessions.get(&session).is_some_and(|known| known.user == user) {
            self.sessions.remove(&session);
            self.ended.insert(session, user);
        }
        self.ended.get(&session) == Some(&user)
    }
}

pub struct Membership {
    pub role: Role,
    pub joined_at: Timestamp,
    pub read_seq: Seq,
}

pub struct RoomState {
    pub id: RoomId,
    pub log: LogId,
    pub kind: RoomKind,
    /// Its last event stands; to people it is not there.
    pub deleted: bool,
    pub name: Option<RoomName>,
    pub topic: Option<Topic>,
    pub visibility: Visibility,
    pub encryption: Encryption,
    pub created_at: Timestamp,
    pub last_event_at: Timestamp,
    pub members: BTreeMap<UserId, Membership>,
    pub events: Vec<Event>,
    /// Each message as it stands now.
    pub messages: BTreeMap<MessageId, Message>,
    /// In the order added.
    pub reactions: Vec<(MessageId, String, UserId)>,
    pub epoch: u32,
    pub min_epoch: u32,
    /// By epoch, user and device.
    pub keys: BTreeMap<(u32, UserId, DeviceId), HeldKey>,
}

impl State {
    /// A room as gateways know it: also one that was taken away.
    pub fn logged(&self, room: RoomId) -> Result<&RoomState, Refusal> {
        self.rooms.get(&room).ok_or(Refusal::NotFound)
    }

    pub fn room(&self, room: RoomId) -> Result<&RoomState, Refusal> {
        self.logged(room)
            .and_then(|room| (!room.deleted).then_some(room).ok_or(Refusal::NotFound))
    }

    pub fn room_mut(&mut self, room: RoomId) -> Result<&mut RoomState, Refusal> {
        let room = self.rooms.get_mut(&room).filter(|room| !room.deleted);
        room.ok_or(Refusal::NotFound)
    }

    pub fn name_of(&self, user: UserId) -> String {
        let name = self
            .users
            .get(&user)
            .map(|account| account.user.display_name.to_string());
        name.unwrap_or_default()
    }

    pub fn user(&self, user: UserId) -> Result<User, Refusal> {
        self.users
            .get(&user)
            .map(|account| account.user.clone())
            .ok_or(Refusal::NotFound)
    }
}

impl RoomState {
    pub fn head(&self) -> Seq {
        self.events.last().map_or(Seq::ZERO, Event::seq)
    }

    /// The next time in this log: it never falls.
    pub fn stamp(&mut self, now: Timestamp) -> Timestamp {
        self.last_event_at = self.last_event_at.max(now);
        self.last_event_at
    }

    pub fn member(&self, user: UserId) -> Result<&Membership, Refusal> {
        let visibility = self.visibility;
        self.members.get(&user).ok_or(Refusal::NotAMember { visibility })
    }

    /// The role of who wants to change the room.
    pub fn acting(&self, by: UserId) -> Result<Role, Refusal> {
        let role = self.member(by)?.role;
        if self.kind == RoomKind::Dm {
            return Err(Refusal::forbidden(
                "A direct conversation has its two members for good.",
            ));
        }
        Ok(role)
    }

    pub fn message(&self, message: MessageId) -> Result<&Message, Refusal> {
        self.messages.get(&message).ok_or(Refusal::NotFound)
    }

    /// A message as one reader sees it.
    pub fn shown(&self, message: &Message, to: UserId) -> Message {
        let mut reactions: Vec<Reaction> = Vec::new();
        for (_, emoji, user) in self.reactions.iter().filter(|(of, ..)| *of == message.message_id) {
            let known = reactions.iter_mut().find(|known| known.emoji == *emoji);
            match known {
                Some(known) => {
                    known.count += 1;
                    known.mine |= *user == to;
                }
                None => reactions.push(Reaction {
                    emoji: emoji.clone(),
                    count: 1,
                    mine: *user == to,
                }),
            }
        }
        Message {
            reactions,
            ..message.clone()
        }
    }

    /// Logs a change of membership; the change itself is the caller's.
    pub fn log_member(&mut self, user: UserId, change: MemberChange, role: Option<Role>, by: UserId) -> Event {
        let event = Event::Member(MemberEvent {
            room_id: self.id,
            seq: self.head().next(),
            user_id: user,
            change,
            role,
            by,
        });
        self.events.push(event.clone());
        event
    }

    /// The room for who may look at it.
    pub fn shown_to(&self, state: &State, user: UserId) -> Result<Room, Refusal> {
        if self.visibility == Visibility::Private && !self.members.contains_key(&user) {
            return Err(Refusal::NotFound);
        }
        Ok(self.seen_by(state, user))
    }

    /// The room as somebody sees it; for a stranger a preview.
    pub fn seen_by(&self, state: &State, user: UserId) -> Room {
        let membership = self.members.get(&user);
        let read = membership.map(|member| member.read_seq);
        let unread = |message: &&Message| {
            read.is_some_and(|read| message.seq > read)
                && message.sender_id != user
                && message.content != common::event::Content::Deleted(true)
        };
        let count = |mentions_only: bool| {
            let unread = self.messages.values().filter(unread);
            let counted = unread.filter(|message| !mentions_only || message.mentions.contains(&user));
            counted.count().min(common::limits::COUNT_MAX as usize) as u32
        };
        let peer = self.members.keys().find(|member| **member != user);
        let peer = peer.filter(|_| self.kind == RoomKind::Dm);
        let last = self.messages.values().max_by_key(|message| message.seq);
        Room {
            id: self.id,
            kind: self.kind,
            name: self.name.clone(),
            topic: self.topic.clone(),
            visibility: self.visibility,
            encryption: self.encryption,
            epoch: self.epoch,
            created_at: self.created_at,
            member_count: self.members.len() as u32,
            head_seq: self.head(),
            log_id: self.log,
            my_role: membership.map(|member| member.role),
            read_seq: read,
            unread_count: count(false),
            mention_count: count(true),
            last_message: membership.and(last).map(|message| self.shown(message, user)),
            peer: peer.and_then(|peer| state.user(*peer).ok()),
        }
    }

    pub fn listed(&self, state: &State, user: UserId) -> Result<Member, Refusal> {
        let membership = self.members.get(&user).ok_or(Refusal::NotFound)?;
        let who = state.user(user)?;
        Ok(Member {
            user_id: user,
            username: who.username,
            display_name: who.display_name,
            role: membership.role,
            joined_at: membership.joined_at,
            presence: Presence::Offline,
        })
    }
}
