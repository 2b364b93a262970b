//! One room as this gateway hears it, without I/O: events in, frames to the local members out, in `seq` order without
//! gaps or repeats, and sends through one `append` at a time (consistency rules 5, 6, 9, 13).
//!
//! The feed is called under its room's lock and delivers into bounded queues, so that what it decides and what sockets
//! receive have one order. What it wants of others comes back as [`Wish`]es.

mod ended;
mod joins;
mod order;
mod ring;
mod sends;
mod signals;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    hash::{BuildHasherDefault, DefaultHasher},
};

use common::{
    LogId, Problem, RoomId, Seq, UserId, WsId,
    event::Event,
    frame::{ErrorFrame, ServerFrame},
};
use db_api::types::Draft;
use std::time::Duration;

use crate::signal::SignalFrame;
use ended::Ended;
use joins::Joining;
pub use ring::Encoded;
use ring::Ring;
pub use sends::Send;
use sends::{Fence, Pending};
use signals::{MemberCount, Typing};

/// The outgoing side of a socket.
pub trait Listener: Clone {
    /// Queues an event that everybody gets in the same bytes.
    fn event(&self, frame: &Encoded);
    /// Queues what has no place in the log and may be dropped.
    fn signal(&self, signal: &SignalFrame);
    /// Queues an answer to this socket alone.
    fn answer(&self, frame: ServerFrame);
    /// The frame that follows is the socket's last of the room, for a reason of the room's: a refused join, a removal.
    fn ended(&self, room: RoomId);
    /// The room's history is another one now: the client has to reconnect.
    fn history_changed(&self);
}

/// What the feed wants done; each comes back as a call of the method named.
#[derive(Debug)]
pub enum Wish {
    /// `append` these, then [`Feed::appended`].
    Append(Vec<Draft>),
    /// Read the events after this place, then [`Feed::fetched`].
    Fetch(Seq),
    /// An event came early: look again in a moment with [`Feed::gap_due`].
    WatchGap,
    /// Somebody types: look again after this with [`Feed::typing_due`].
    WatchTyping(Duration),
    /// A socket has joined: others may want to know who is here.
    Arrived { ws: WsId, user: UserId },
    /// Somebody is no longer a member.
    Departed(UserId),
}

struct Member<L> {
    listener: L,
    user: UserId,
    /// Events up to here were in `joined`.
    start: Seq,
    /// What this socket had as an `ack` and must not get as a frame.
    acked: BTreeSet<Seq>,
}

/// The gateway names sockets itself, so nobody chooses names that collide; without a random hash a seeded simulation
/// replays.
type BySocket<T> = HashMap<WsId, T, BuildHasherDefault<DefaultHasher>>;

pub struct Feed<L> {
    room: RoomId,
    /// Set once the first `joined` gave this gateway a place in the log.
    log: Option<LogId>,
    position: Seq,
    /// Events that came before their turn.
    held: BTreeMap<Seq, Event>,
    ring: Ring,
    members: BySocket<Member<L>>,
    joining: BySocket<Joining<L>>,
    /// Sends that are not answered yet, in the order written.
    pending: VecDeque<Pending<L>>,
    in_flight: bool,
    fetching: bool,
    fences: BySocket<Fence>,
    typing: Typing,
    members_now: MemberCount,
    is_direct: bool,
}

impl<L: Listener> Feed<L> {
    pub fn new(room: RoomId) -> Self {
        Self {
            room,
            log: None,
            position: Seq::ZERO,
            held: BTreeMap::new(),
            ring: Ring::default(),
            members: BySocket::default(),
            joining: BySocket::default(),
            pending: VecDeque::new(),
            in_flight: false,
            fetching: false,
            fences: BySocket::default(),
            typing: Typing::default(),
            members_now: MemberCount::default(),
            is_direct: false,
        }
    }

    /// Nobody listens, joins or waits for an answer here.
    pub fn is_idle(&self) -> bool {
        !self.has_listeners() && self.pending.is_empty() && !self.in_flight && self.fences.is_empty()
    }

    /// Whether the socket hears the room, wants to, or has sent what is not done.
    pub fn knows(&self, ws: WsId) -> bool {
        self.members.contains_key(&ws)
            || self.joining.contains_key(&ws)
            || self.fences.contains_key(&ws)
            || self.pending.iter().any(|pending| pending.ws == ws)
    }

    pub fn has_listeners(&self) -> bool {
        !self.members.is_empty() || !self.joining.is_empty()
    }

    /// Whether the feed follows the log, so that its head is worth comparing.
    pub fn follows(&self) -> bool {
        self.log.is_some()
    }

    /// The socket no longer hears the room; what it sent is still answered.
    pub fn leave(&mut self, ws: WsId) {
        self.members.remove(&ws);
        self.joining.remove(&ws);
        self.forget_when_unheard();
    }

    /// The socket is gone.
    pub fn disconnect(&mut self, ws: WsId) {
        self.leave(ws);
        self.fences.remove(&ws);
        for pending in self.pending.iter_mut().filter(|pending| pending.ws == ws) {
            pending.listener = None;
        }
    }

    fn error(&self, reference: Option<String>, message: Option<common::MessageId>, problem: Problem) -> ServerFrame {
        ServerFrame::Error(ErrorFrame {
            reference,
            code: problem.code,
            detail: problem.detail,
            room_id: Some(self.room),
            message_id: message,
            retry_after_ms: problem.retry_after_ms,
        })
    }

    /// The log was replaced (a restore): its members start over with a new socket.
    fn history_changed(&mut self) {
        for (_, member) in self.members.drain() {
            member.listener.history_changed();
        }
        self.log = None;
        self.held.clear();
        self.ring = Ring::default();
        self.members_now = MemberCount::default();
    }

    /// Without listeners the topic is given up, so what the feed knows of the log grows old.
    fn forget_when_unheard(&mut self) {
        if !self.has_listeners() {
            self.log = None;
            self.held.clear();
            self.ring = Ring::default();
            self.typing = Typing::default();
            self.members_now = MemberCount::default();
        }
    }
}
