//! A room as a client knows it: the places of its log, and where the client stands.

use std::collections::BTreeMap;

use common::{LogId, MessageId, RoomId, Seq, event::Event};
use tokio::time::Instant;

use super::outbox::Outbox;
use crate::history::{Held, View};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Out,
    Joining { reference: String, resumes: bool },
    In,
}

#[derive(Debug)]
pub struct RoomView {
    pub room: RoomId,
    pub log: Option<LogId>,
    /// Where the view begins; `None` before the first `joined`.
    base: Option<Seq>,
    /// Up to here every place is known.
    head: Seq,
    places: BTreeMap<Seq, Held>,
    pub standing: Standing,
    pub outbox: Outbox,
    /// When the outbox is written again.
    pub again_at: Option<Instant>,
    /// When the room is joined again.
    pub join_at: Option<Instant>,
    /// When what lies before a truncated catch-up is fetched.
    pub fetch_at: Option<Instant>,
    pub fetching: bool,
}

impl RoomView {
    pub fn new(room: RoomId) -> Self {
        Self {
            room,
            log: None,
            base: None,
            head: Seq::ZERO,
            places: BTreeMap::new(),
            standing: Standing::Out,
            outbox: Outbox::default(),
            again_at: None,
            join_at: None,
            fetch_at: None,
            fetching: false,
        }
    }

    /// Where to resume from, once the room is known.
    pub fn resumes_from(&self) -> Option<Seq> {
        self.base.map(|_| self.head)
    }

    pub fn head(&self) -> Seq {
        self.head
    }

    /// Forgets what is known: the view begins at `base`.
    pub fn begin(&mut self, base: Seq, log: LogId) {
        self.base = Some(base);
        self.head = base;
        self.log = Some(log);
        self.places.clear();
    }

    pub fn event(&mut self, event: &Event) {
        self.places.insert(event.seq(), Held::Event(Box::new(event.clone())));
        self.advance();
    }

    /// The client's own message, by its ack.
    pub fn own(&mut self, seq: Seq, message: MessageId) {
        self.places.entry(seq).or_insert(Held::Own(message));
        self.advance();
    }

    /// Something is known above a place that is not.
    pub fn has_gap(&self) -> bool {
        self.places.last_key_value().is_some_and(|(last, _)| *last > self.head)
    }

    fn advance(&mut self) {
        if self.base.is_none() {
            return;
        }
        while self.places.contains_key(&self.head.next()) {
            self.head = self.head.next();
        }
    }

    /// A message of the client itself that it knows to stand in the log.
    pub fn own_messages(&self, user: common::UserId) -> Vec<MessageId> {
        let own = self.places.values().filter_map(|held| match held {
            Held::Own(message) => Some(*message),
            Held::Event(event) => match event.as_ref() {
                Event::Message(message) if message.sender_id == user => Some(message.message_id),
                _ => None,
            },
        });
        own.collect()
    }

    pub fn at_end(&self) -> View {
        View {
            room: self.room,
            base: self.base.unwrap_or_default(),
            places: self.places.clone(),
            is_in: self.standing == Standing::In,
            unacked: self.outbox.messages(),
        }
    }
}
