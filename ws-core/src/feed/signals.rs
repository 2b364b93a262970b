//! What has no place in the log: who types, and to whom signals of a room go.

use std::collections::BTreeMap;

use common::{
    Seq, UserId, WsId,
    event::{Event, MemberChange},
    limits,
};
use tokio::time::Instant;

use super::{Ended, Feed, Listener, Wish};
use crate::signal::SignalFrame;

/// Who types, and until when that holds. Each gateway counts for itself, so that a gateway that dies with its sockets, or
/// a bus that goes away, leaves nobody typing for ever.
#[derive(Default)]
pub(super) struct Typing {
    until: BTreeMap<UserId, Instant>,
    watched: bool,
}

/// How many members the room has, as of a place in its log.
#[derive(Default)]
pub(super) struct MemberCount {
    count: u32,
    at: Seq,
}

impl MemberCount {
    pub fn read(&mut self, count: u32, at: Seq) {
        if at >= self.at {
            *self = Self { count, at };
        }
    }

    pub fn apply(&mut self, event: &Event) {
        if event.seq() <= self.at {
            return;
        }
        self.at = event.seq();
        if let Event::Member(member) = event {
            match member.change {
                MemberChange::Joined | MemberChange::Added => self.count += 1,
                MemberChange::Left | MemberChange::Removed => self.count = self.count.saturating_sub(1),
                MemberChange::Role => {}
            }
        }
    }
}

impl<L: Listener> Feed<L> {
    pub fn has_joined(&self, ws: WsId) -> bool {
        self.members.contains_key(&ws)
    }

    /// Small enough that everybody hears who is there and how far others have read.
    pub fn is_lively(&self) -> bool {
        self.members_now.count <= limits::LIVELY_MEMBERS
    }

    /// A conversation of two, of whom either may block the other.
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// The sockets that have joined, and whose they are.
    pub fn joined(&self) -> impl Iterator<Item = (WsId, UserId, &L)> {
        self.members
            .iter()
            .map(|(ws, member)| (*ws, member.user, &member.listener))
    }

    /// Tells everybody but the one whom it is about.
    pub fn tell_others(&self, about: UserId, signal: &SignalFrame) {
        for (_, user, listener) in self.joined() {
            if user != about {
                listener.signal(signal);
            }
        }
    }

    /// Somebody types, here or on another gateway, from now on for [`limits::TYPING_LIFE`].
    pub fn types(&mut self, user: UserId, now: Instant) -> Vec<Wish> {
        if self.members.is_empty() {
            return Vec::new();
        }
        self.typing.until.insert(user, now + limits::TYPING_LIFE);
        self.tell_others(user, &SignalFrame::typing(self.room, user));
        if std::mem::replace(&mut self.typing.watched, true) {
            Vec::new()
        } else {
            vec![Wish::WatchTyping(limits::TYPING_LIFE)]
        }
    }

    /// Somebody says to have stopped, has sent what was typed, or is out.
    pub fn stops_typing(&mut self, user: UserId) {
        if self.typing.until.remove(&user).is_some() {
            self.tell_others(user, &SignalFrame::silent(self.room, user));
        }
    }

    /// Who has not been heard of for too long no longer types.
    pub fn typing_due(&mut self, now: Instant) -> Vec<Wish> {
        let over = self.typing.until.iter().filter(|(_, until)| **until <= now);
        for user in over.map(|(user, _)| *user).collect::<Vec<_>>() {
            self.stops_typing(user);
        }
        let next = self.typing.until.values().min();
        self.typing.watched = next.is_some();
        next.map(|next| Wish::WatchTyping(*next - now)).into_iter().collect()
    }

    /// What an event, now applied, says of who types and who is here.
    pub(super) fn noticed(&mut self, event: &Event, out: Option<Ended>) -> Option<Wish> {
        self.members_now.apply(event);
        match event {
            Event::Message(message) => self.stops_typing(message.sender_id),
            _ => {
                // Of a room that is gone nobody is left to be told.
                let Some(Ended::Membership(user)) = out else {
                    return None;
                };
                self.stops_typing(user);
                return Some(Wish::Departed(user));
            }
        }
        None
    }
}
