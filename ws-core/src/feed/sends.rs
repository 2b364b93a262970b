//! Sends of local sockets: one `append` in flight for the room, the rest waits behind it and is the next batch.

use std::collections::HashSet;

use common::{
    MessageId, Problem, RoomId, Seq, Timestamp, UserId, WsId,
    event::{Event, MessageEvent},
    frame::ServerFrame,
    limits,
};
use db_api::types::{Draft, Outcome};

use super::{Feed, Listener, Wish};

/// A send of a socket.
pub struct Send<L> {
    pub ws: WsId,
    pub listener: L,
    pub reference: Option<String>,
    pub draft: Draft,
}

/// A send that has no answer yet.
pub(super) struct Pending<L> {
    pub ws: WsId,
    /// `None` once the socket is gone.
    pub listener: Option<L>,
    reference: Option<String>,
    message: MessageId,
    sender: UserId,
    /// `None` while it is in flight, and when it was acked meanwhile.
    draft: Option<Draft>,
    in_flight: bool,
    /// Its ack or error has gone out.
    answered: bool,
}

/// The first send of a socket that was `unavailable`: until it comes again, later ones are not tried, or they could be
/// committed before it.
pub(super) struct Fence(MessageId);

impl<L: Listener> Feed<L> {
    pub fn send(&mut self, send: Send<L>) -> Vec<Wish> {
        let message = send.draft.message_id;
        match self.fences.get(&send.ws) {
            Some(Fence(first)) if *first == message => drop(self.fences.remove(&send.ws)),
            Some(_) => {
                send.listener
                    .answer(self.error(send.reference, Some(message), Problem::unavailable()));
                return Vec::new();
            }
            None => {}
        }
        if self.pending.len() >= limits::SENDS_WAITING_PER_ROOM {
            send.listener
                .answer(self.error(send.reference, Some(message), Problem::unavailable()));
            self.fences.insert(send.ws, Fence(message));
            return Vec::new();
        }
        self.pending.push_back(Pending {
            ws: send.ws,
            listener: Some(send.listener),
            reference: send.reference,
            message,
            sender: send.draft.actor.user_id,
            draft: Some(send.draft),
            in_flight: false,
            answered: false,
        });
        self.append().into_iter().collect()
    }

    /// The client wrote a `join` of the room: what it writes from here on is tried again. This is told when the frame is
    /// read; by the time that the join is done, sends behind it may be `unavailable`, and later ones have to wait for those.
    pub fn joins_anew(&mut self, ws: WsId) {
        self.fences.remove(&ws);
    }

    fn append(&mut self) -> Option<Wish> {
        if self.in_flight {
            return None;
        }
        let waiting = self
            .pending
            .iter_mut()
            .filter(|pending| pending.draft.is_some())
            .take(limits::DRAFTS_PER_APPEND);
        let mut drafts = Vec::new();
        for pending in waiting {
            pending.in_flight = true;
            drafts.extend(pending.draft.take());
        }
        self.in_flight = !drafts.is_empty();
        self.in_flight.then_some(Wish::Append(drafts))
    }

    /// db-core's answer to the batch in flight, one outcome each; `None` when there was no answer in time.
    pub fn appended(&mut self, outcomes: Option<Vec<Outcome>>) -> Vec<Wish> {
        self.in_flight = false;
        let mut outcomes = outcomes.unwrap_or_default().into_iter();
        let mut broken: HashSet<WsId> = HashSet::new();
        let mut events = Vec::new();
        for mut pending in std::mem::take(&mut self.pending) {
            let outcome = if pending.in_flight { outcomes.next() } else { None };
            if !pending.in_flight && !broken.contains(&pending.ws) {
                self.pending.push_back(pending);
                continue;
            }
            match outcome {
                _ if pending.answered => {}
                Some(Outcome::Appended(appended)) if !broken.contains(&pending.ws) => {
                    self.ack(&mut pending, appended.event.seq, appended.event.sent_at);
                    let live = (!appended.repeated).then_some(Some(pending.ws));
                    events.push(Event::Message(MessageEvent {
                        ws_id: live,
                        ..appended.event
                    }));
                }
                Some(Outcome::Refused(refusal)) if !is_open(&refusal) && !broken.contains(&pending.ws) => {
                    pending.answer(self.error(pending.reference.clone(), Some(pending.message), refusal.into()));
                }
                _ => {
                    // The outcome is open, or one of the same socket before it was: so is this one.
                    if broken.insert(pending.ws) && pending.listener.is_some() {
                        self.fences.entry(pending.ws).or_insert(Fence(pending.message));
                    }
                    pending.answer(self.error(
                        pending.reference.clone(),
                        Some(pending.message),
                        Problem::unavailable(),
                    ));
                }
            }
        }
        let mut wishes = Vec::new();
        if self.has_listeners() {
            for event in events {
                wishes.extend(self.announced(event));
            }
        }
        wishes.extend(self.append());
        wishes
    }

    /// The event of a pending send has its turn: that is its ack, whatever the call says later. Returns the sockets that
    /// had it as an ack.
    pub(super) fn settle_by(&mut self, event: &Event) -> Vec<WsId> {
        let Event::Message(message) = event else {
            return Vec::new();
        };
        let (seq, sent_at) = (message.seq, message.sent_at);
        let mut acked = Vec::new();
        let mut pending = std::mem::take(&mut self.pending);
        for send in &mut pending {
            let same = send.message == message.message_id && send.sender == message.sender_id;
            if same && !send.answered {
                send.acknowledge(self.room, seq, sent_at);
                acked.push(send.ws);
            }
        }
        // One in flight stays, as the outcome that will come belongs to it.
        pending.retain(|send| send.in_flight || !send.answered);
        self.pending = pending;
        acked
    }

    fn ack(&mut self, pending: &mut Pending<L>, seq: Seq, sent_at: Timestamp) {
        pending.acknowledge(self.room, seq, sent_at);
        if seq > self.position
            && let Some(member) = self.members.get_mut(&pending.ws)
        {
            member.acked.insert(seq);
        }
    }
}

/// Whether a refused send may have been written all the same.
fn is_open(refusal: &db_api::Refusal) -> bool {
    matches!(
        refusal,
        db_api::Refusal::Unavailable { .. } | db_api::Refusal::Internal | db_api::Refusal::Unknown
    )
}

impl<L: Listener> Pending<L> {
    fn answer(&mut self, frame: ServerFrame) {
        self.answered = true;
        if let Some(listener) = &self.listener {
            listener.answer(frame);
        }
    }

    fn acknowledge(&mut self, room_id: RoomId, seq: Seq, sent_at: Timestamp) {
        let (reference, message_id) = (self.reference.take(), self.message);
        self.answer(ServerFrame::Ack {
            reference,
            room_id,
            message_id,
            seq,
            sent_at,
        });
    }
}
