//! Joining: the socket waits until the feed has applied everything up to the head that its own call was answered.

use std::collections::BTreeSet;

use common::{Problem, UserId, WsId, frame::ServerFrame};
use db_api::types::OpenedRoom;

use super::{Feed, Listener, Member, Wish, ring};

pub(super) struct Joining<L> {
    listener: L,
    user: UserId,
    reference: Option<String>,
    with_events: bool,
    opened: Option<OpenedRoom>,
}

impl<L: Listener> Feed<L> {
    /// A socket wants to hear the room; nothing of it goes there until `joined`. The caller subscribes the topic, then
    /// opens the room in db-core, then calls [`Feed::opened`].
    pub fn join(&mut self, ws: WsId, user: UserId, listener: L, reference: Option<String>, with_events: bool) {
        self.members.remove(&ws);
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
        self.members_now.read(opened.member_count, head);
        self.is_direct = opened.is_direct;
        if let Some(joining) = self.joining.get_mut(&ws) {
            joining.opened = Some(opened);
        }
        let mut wishes = self.advance();
        if self.position < head {
            wishes.extend(self.fetch());
        }
        wishes
    }

    /// Answers the joins whose head the feed has reached.
    pub(super) fn finish_joins(&mut self) -> Vec<Wish> {
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
        let mut wishes = Vec::new();
        for ws in ready {
            if let Some((joining, opened)) = self
                .joining
                .remove(&ws)
                .and_then(|mut j| j.opened.take().map(|o| (j, o)))
            {
                wishes.extend(self.finish_join(ws, joining, opened));
            }
        }
        wishes
    }

    fn finish_join(&mut self, ws: WsId, joining: Joining<L>, opened: OpenedRoom) -> Option<Wish> {
        // db-core found a member at its head; what came after that head is known here, or the client asks again.
        let newer = self.ring.after(opened.head_seq, self.position);
        let goes_on = |entry: &ring::Entry| !entry.ends.is_some_and(|ended| ended.is_for(joining.user));
        let Some(newer) = newer.filter(|newer| newer.iter().all(goes_on)) else {
            let problem = Problem::unavailable();
            joining.listener.ended(self.room);
            joining.listener.answer(self.error(joining.reference, None, problem));
            return None;
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
        Some(Wish::Arrived { ws, user })
    }
}
