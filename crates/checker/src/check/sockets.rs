//! The delivery rules over one socket (contract, section 5): what it heard of each room, and that all was answered.

use std::collections::{BTreeMap, BTreeSet};

use common::{MessageId, RoomId, Seq};

use super::{Rule, Violation, rooms::Room};
use crate::history::{DeviceHistory, Ended, Entry, Got, History, SocketHistory, Wrote};

/// A send without an answer yet.
pub struct OpenSend {
    pub room: RoomId,
    pub message: MessageId,
    /// It was written before the room's last `joined` came.
    pub before_joined: bool,
}

/// A join without an answer yet.
pub struct OpenJoin {
    pub after: Option<Seq>,
    pub log: Option<common::LogId>,
    /// What was acknowledged to this user's device before it asked.
    pub known: Seq,
}

/// One pass over a socket.
pub struct Pass<'a> {
    pub history: &'a History,
    pub device: &'a DeviceHistory,
    pub name: &'a str,
    pub sends: BTreeMap<String, OpenSend>,
    pub joins: BTreeMap<(String, RoomId), OpenJoin>,
    pub rooms: BTreeMap<RoomId, Room>,
    pub found: Vec<Violation>,
    answered: BTreeSet<String>,
    at_ms: u64,
}

pub fn check(history: &History, device: &DeviceHistory, socket: &SocketHistory) -> Vec<Violation> {
    let mut pass = Pass {
        history,
        device,
        name: &socket.name,
        sends: BTreeMap::new(),
        joins: BTreeMap::new(),
        rooms: BTreeMap::new(),
        found: Vec::new(),
        answered: BTreeSet::new(),
        at_ms: 0,
    };
    for (at_ms, entry) in &socket.entries {
        pass.at_ms = *at_ms;
        match entry {
            Entry::Wrote(wrote) => pass.wrote(wrote),
            Entry::Got(got) => pass.got(got),
        }
    }
    if socket.ended == Ended::Open {
        pass.unanswered();
    }
    pass.found
}

impl Pass<'_> {
    pub fn fail(&mut self, rule: Rule, what: impl std::fmt::Display) {
        let what = format!("{} at {} ms: {what}", self.name, self.at_ms);
        self.found.push(Violation::new(rule, what));
    }

    fn wrote(&mut self, wrote: &Wrote) {
        match wrote {
            Wrote::Send {
                reference,
                room,
                message,
            } => {
                let send = OpenSend {
                    room: *room,
                    message: *message,
                    before_joined: false,
                };
                self.sends.insert(reference.clone(), send);
            }
            Wrote::Join {
                reference,
                room,
                after,
                log,
            } => {
                let join = OpenJoin {
                    after: *after,
                    log: *log,
                    known: self.acked_so_far(*room),
                };
                self.joins.insert((reference.clone(), *room), join);
            }
            // A join whose turn has not come is taken back with it.
            Wrote::Leave { room } => self.joins.retain(|(_, joining), _| joining != room),
        }
    }

    /// The greatest seq of the room that was acknowledged to this device, on any socket, by now.
    fn acked_so_far(&self, room: RoomId) -> Seq {
        let entries = self.device.sockets.iter().flat_map(|socket| &socket.entries);
        let acked = entries.filter_map(|(at_ms, entry)| match entry {
            Entry::Got(Got::Ack { room: of, seq, .. }) if *of == room && *at_ms < self.at_ms => Some(*seq),
            _ => None,
        });
        acked.max().unwrap_or(Seq::ZERO)
    }

    fn got(&mut self, got: &Got) {
        match got {
            Got::Joined(joined) => {
                // What was left before its turn, or asked again, may be answered or not.
                let asked = self.joins.remove(&(joined.reference.clone(), joined.room_id));
                self.joined(asked, joined);
            }
            Got::Event(event) => self.event(event),
            Got::Ack {
                reference,
                room,
                message,
                seq,
            } => self.ack(reference, *room, *message, *seq),
            Got::Refused { reference, room, .. } => self.refused(reference, *room),
            Got::Left { room } => {
                self.rooms.insert(*room, Room::Out);
            }
            Got::Ephemeral { room } => {
                if matches!(self.rooms.get(room), Some(Room::Out)) {
                    self.fail(Rule::NotJoined, format!("something of {room} after its end"));
                }
            }
        }
    }

    fn ack(&mut self, reference: &str, room: RoomId, message: MessageId, seq: Seq) {
        let Some(send) = self.answer(reference) else { return };
        if (send.room, send.message) != (room, message) {
            self.fail(
                Rule::AnsweredTwice,
                format!("{reference} was {}, not {message}", send.message),
            );
        }
        self.acked(&send, seq);
    }

    fn refused(&mut self, reference: &str, room: Option<RoomId>) {
        if self.sends.contains_key(reference) {
            self.answer(reference);
        } else if let Some(room) = room
            && self.joins.remove(&(reference.to_owned(), room)).is_some()
        {
            self.rooms.insert(room, Room::Out);
        }
    }

    /// Takes the send that is answered now.
    fn answer(&mut self, reference: &str) -> Option<OpenSend> {
        let send = self.sends.remove(reference);
        if send.is_none() || !self.answered.insert(reference.to_owned()) {
            self.fail(Rule::AnsweredTwice, format!("{reference} is not open"));
        }
        send
    }

    fn unanswered(&mut self) {
        let sends = self
            .sends
            .iter()
            .map(|(reference, send)| format!("send {reference} of {}", send.message));
        let joins = self
            .joins
            .keys()
            .map(|(reference, room)| format!("join {reference} of {room}"));
        let open: Vec<String> = sends.chain(joins).collect();
        for what in open {
            self.fail(Rule::Unanswered, what);
        }
    }
}
