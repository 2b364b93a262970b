//! One room on one socket: from its `joined` on each seq once, in order, without gaps.

use std::collections::BTreeSet;

use common::{Seq, event::Event};

use super::{
    Rule,
    sockets::{OpenJoin, OpenSend, Pass},
    times_sent,
};
use crate::history::{Joined, agree};

/// What a socket may hear of a room.
pub enum Room {
    /// It left, was refused, or is no longer a member.
    Out,
    In(Live),
}

/// A room since its last `joined`.
pub struct Live {
    head: Seq,
    /// The last durable frame.
    last: Seq,
    /// The greatest seq of a frame or an ack.
    top: Seq,
    acked: BTreeSet<Seq>,
}

impl Pass<'_> {
    pub fn joined(&mut self, asked: Option<OpenJoin>, joined: &Joined) {
        if let Some(asked) = asked {
            self.caught_up(&asked, joined);
            if joined.head_seq < asked.known {
                let what = format!(
                    "{} is at {}, {} was acked before",
                    joined.room_id, joined.head_seq, asked.known
                );
                self.fail(Rule::OldHead, what);
            }
        }
        joined.events.iter().for_each(|event| self.truthful(event));
        for send in self.sends.values_mut().filter(|send| send.room == joined.room_id) {
            send.before_joined = true;
        }
        let live = Live {
            head: joined.head_seq,
            last: joined.head_seq,
            top: joined.head_seq,
            acked: BTreeSet::new(),
        };
        self.rooms.insert(joined.room_id, Room::In(live));
    }

    /// The events lead from the place asked to the head; of a truncated one, from anywhere above it, or there are none.
    fn caught_up(&mut self, asked: &OpenJoin, joined: &Joined) {
        let seqs: Vec<u64> = joined.events.iter().map(|event| event.seq().get()).collect();
        let head = joined.head_seq.get();
        let unknown = asked.log.is_some_and(|log| log != joined.log_id)
            || asked.after.is_some_and(|after| after > joined.head_seq);
        let right = match asked.after {
            None => seqs.is_empty(),
            Some(_) if unknown => seqs.is_empty() && joined.truncated,
            Some(after) if joined.truncated => {
                let first = head + 1 - seqs.len() as u64;
                !seqs.is_empty() && first > after.get() && seqs == (first..=head).collect::<Vec<_>>()
            }
            Some(after) => seqs == (after.get() + 1..=head).collect::<Vec<_>>(),
        };
        if !right {
            let what = format!("{} to {head}, asked after {:?}: {seqs:?}", joined.room_id, asked.after);
            self.fail(Rule::CatchUp, what);
        }
    }

    pub fn event(&mut self, event: &Event) {
        self.truthful(event);
        let (room, seq) = (event.room_id(), event.seq());
        let Some(Room::In(live)) = self.rooms.get_mut(&room) else {
            return self.fail(Rule::NotJoined, format!("{seq} of {room}"));
        };
        let left_out: Vec<u64> = (live.last.get() + 1..seq.get())
            .filter(|place| !live.acked.iter().any(|acked| acked.get() == *place))
            .collect();
        let wrong = if live.acked.contains(&seq) || seq == live.last || seq <= live.head {
            Some(Rule::Repeated)
        } else if seq < live.last {
            Some(Rule::Inversion)
        } else if left_out.is_empty() {
            None
        } else {
            Some(Rule::Gap)
        };
        let last = live.last;
        live.last = last.max(seq);
        live.top = live.top.max(seq);
        if let Some(rule) = wrong {
            self.fail(rule, format!("{seq} of {room} after {last}, left out {left_out:?}"));
        }
        let over = match event {
            Event::Member(member) => member.change.ends_membership() && member.user_id == self.device.user,
            Event::Room(room) => room.change == common::event::RoomEventChange::Deleted,
            _ => false,
        };
        if over {
            self.rooms.insert(room, Room::Out);
        }
    }

    /// A send was acknowledged. Only that of a repeated one, or of one written before `joined` came, may stand behind a
    /// greater seq or name one that was seen.
    pub fn acked(&mut self, send: &OpenSend, seq: Seq) {
        let again = times_sent(self.history, self.device.user, send.room, send.message) > 1;
        let Some(Room::In(live)) = self.rooms.get_mut(&send.room) else {
            return;
        };
        let (top, seen) = (live.top, live.acked.contains(&seq) || seq <= live.last);
        live.top = live.top.max(seq);
        if seq > live.last {
            live.acked.insert(seq);
        }
        if again || send.before_joined {
            return;
        }
        if seen {
            self.fail(Rule::Repeated, format!("ack of {seq} of {}", send.room));
        } else if seq < top {
            self.fail(Rule::LateAck, format!("ack of {seq} of {} behind {top}", send.room));
        }
    }

    /// A frame says what the log says.
    fn truthful(&mut self, event: &Event) {
        let stands = self.history.room(event.room_id()).and_then(|log| log.at(event.seq()));
        if !stands.is_some_and(|stands| agree(event, stands)) {
            self.fail(Rule::Altered, format!("{event:?}, where stands {stands:?}"));
        }
    }
}
