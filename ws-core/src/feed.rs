//! One room as this gateway hears it, without I/O: events in, frames to the local members out, in `seq` order without
//! gaps or repeats, and sends through one `append` at a time (consistency rules 5, 6, 9, 13).
//!
//! The feed is called under its room's lock and delivers into bounded queues, so that what it decides and what sockets
//! receive have one order. What it wants of others comes back as [`Wish`]es.

mod ended;
mod order;
mod ring;
mod sends;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use common::{
    LogId, Problem, RoomId, Seq, UserId, WsId,
    event::Event,
    frame::{ErrorFrame, ServerFrame},
};
use db_api::types::{Draft, OpenedRoom};

use ended::Ended;
pub use ring::Encoded;
use ring::Ring;
pub use sends::Send;
use sends::{Fence, Pending};

/// The outgoing side of a socket.
pub trait Listener: Clone {
    /// Queues an event that everybody gets in the same bytes.
    fn event(&self, frame: &Encoded);
    /// Queues an answer to this socket alone.
    fn answer(&self, frame: ServerFrame);
    /// The socket no longer hears the room, for a reason of the room's: a refused join, a removal.
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
}

struct Member<L> {
    listener: L,
    user: UserId,
    /// Events up to here were in `joined`.
    start: Seq,
    /// What this socket had as an `ack` and must not get as a frame.
    acked: BTreeSet<Seq>,
}

struct Joining<L> {
    listener: L,
    user: UserId,
    reference: Option<String>,
    with_events: bool,
    opened: Option<OpenedRoom>,
}

pub struct Feed<L> {
    room: RoomId,
    /// Set once the first `joined` gave this gateway a place in the log.
    log: Option<LogId>,
    position: Seq,
    /// Events that came before their turn.
    held: BTreeMap<Seq, Event>,
    ring: Ring,
    members: HashMap<WsId, Member<L>>,
    joining: HashMap<WsId, Joining<L>>,
    /// Sends that are not answered yet, in the order written.
    pending: VecDeque<Pending<L>>,
    in_flight: bool,
    fetching: bool,
    fences: HashMap<WsId, Fence>,
}

impl<L: Listener> Feed<L> {
    pub fn new(room: RoomId) -> Self {
        Self {
            room,
            log: None,
            position: Seq::ZERO,
            held: BTreeMap::new(),
            ring: Ring::default(),
            members: HashMap::new(),
            joining: HashMap::new(),
            pending: VecDeque::new(),
            in_flight: false,
            fetching: false,
            fences: HashMap::new(),
        }
    }

    /// Nobody listens, joins or waits for an answer here.
    pub fn is_idle(&self) -> bool {
        !self.has_listeners() && self.pending.is_empty() && !self.in_flight && self.fences.is_empty()
    }

    pub fn has_listeners(&self) -> bool {
        !self.members.is_empty() || !self.joining.is_empty()
    }

    /// Whether the feed follows the log, so that its head is worth comparing.
    pub fn follows(&self) -> bool {
        self.log.is_some()
    }

    /// A socket wants to hear the room; nothing of it goes there until `joined`. The caller subscribes the topic, then
    /// opens the room in db-core, then calls [`Feed::opened`].
    pub fn join(&mut self, ws: WsId, user: UserId, listener: L, reference: Option<String>, with_events: bool) {
        self.members.remove(&ws);
        self.fences.remove(&ws);
        self.joining.insert(
            ws,
            Joining {
                listener,
                user,
                reference,
                with_events,
                opened: None,
            },
        );
    }

    /// db-core's answer to a join.
    pub fn opened(&mut self, ws: WsId, answer: Result<OpenedRoom, Problem>) -> Vec<Wish> {
        let opened = match answer {
            Ok(opened) => opened,
            Err(problem) => {
                if let Some(joining) = self.joining.remove(&ws) {
                    joining.listener.ended(self.room);
                    joining.listener.answer(self.error(joining.reference, None, problem));
                }
                self.forget_when_unheard();
                return Vec::new();
            }
        };
        match self.log {
            Some(log) if log != opened.log_id => self.history_changed(),
            _ => {}
        }
        if self.log.is_none() {
            self.log = Some(opened.log_id);
            self.position = opened.head_seq;
        }
        // What the call read helps to close a gap.
        for event in opened.events.iter().filter(|event| event.seq() > self.position) {
            self.held.insert(event.seq(), event.clone());
        }
        let head = opened.head_seq;
        if let Some(joining) = self.joining.get_mut(&ws) {
            joining.opened = Some(opened);
        }
        let mut wishes = self.advance();
        if self.position < head {
            wishes.extend(self.fetch());
        }
        wishes
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

    /// Answers the joins whose head the feed has reached.
    fn finish_joins(&mut self) {
        let position = self.position;
        let ready = |joining: &Joining<L>| {
            joining
                .opened
                .as_ref()
                .is_some_and(|opened| opened.head_seq <= position)
        };
        let ready: Vec<WsId> = self
            .joining
            .iter()
            .filter(|(_, joining)| ready(joining))
            .map(|(ws, _)| *ws)
            .collect();
        for ws in ready {
            if let Some((joining, opened)) = self
                .joining
                .remove(&ws)
                .and_then(|mut j| j.opened.take().map(|o| (j, o)))
            {
                self.finish_join(ws, joining, opened);
            }
        }
    }

    fn finish_join(&mut self, ws: WsId, joining: Joining<L>, opened: OpenedRoom) {
        // db-core found a member at its head; what came after that head is known here, or the client asks again.
        let newer = self.ring.after(opened.head_seq, self.position);
        let goes_on = |entry: &ring::Entry| !entry.ends.is_some_and(|ended| ended.is_for(joining.user));
        let Some(newer) = newer.filter(|newer| newer.iter().all(goes_on)) else {
            let problem = Problem::unavailable();
            joining.listener.ended(self.room);
            joining.listener.answer(self.error(joining.reference, None, problem));
            return;
        };
        let (events, truncated) = ring::catch_up(&opened, &newer, joining.with_events);
        joining.listener.answer(ServerFrame::Joined {
            reference: joining.reference,
            room_id: self.room,
            head_seq: self.position,
            log_id: opened.log_id,
            events,
            truncated,
        });
        let (listener, user) = (joining.listener, joining.user);
        self.members.insert(
            ws,
            Member {
                listener,
                user,
                start: self.position,
                acked: BTreeSet::new(),
            },
        );
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
    }

    /// Without listeners the topic is given up, so what the feed knows of the log grows old.
    fn forget_when_unheard(&mut self) {
        if !self.has_listeners() {
            self.log = None;
            self.held.clear();
            self.ring = Ring::default();
        }
    }
}
