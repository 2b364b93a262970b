//! A room as a client knows it: up to where its log is known, what is held above a gap, and where the client stands.

use std::collections::BTreeMap;

use common::{
    LogId, MessageId, RoomId, Seq, Timestamp, UserId,
    event::{Event, RoomEventChange},
    frame::ErrorFrame,
};

use super::{
    effect::{Effect, EventPage, Own, Place, Why},
    frame::Joined,
    is_passing,
    outbox::Outbox,
};
use crate::limits::HELD_PLACES;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Out,
    Joining { reference: String, after: Option<Seq> },
    In,
}

#[derive(Debug)]
pub struct Room {
    pub id: RoomId,
    pub standing: Standing,
    pub outbox: Outbox,
    log: Option<LogId>,
    /// Where the view begins; `None` before the first `joined`.
    base: Option<Seq>,
    /// Up to here every place is known.
    head: Seq,
    /// The highest place that is known to be taken.
    seen: Seq,
    /// Places above the head.
    held: BTreeMap<Seq, Place>,
    is_fetching: bool,
}

/// The event is the last that a user hears of its room.
pub fn is_last(event: &Event, user: UserId) -> bool {
    match event {
        Event::Member(member) => member.user_id == user && member.change.ends_membership(),
        Event::Room(room) => room.change == RoomEventChange::Deleted,
        Event::Message(_) | Event::Edited(_) | Event::Deleted(_) | Event::Reaction(_) => false,
    }
}

impl Room {
    pub(super) fn new(id: RoomId) -> Self {
        Self {
            id,
            standing: Standing::Out,
            outbox: Outbox::default(),
            log: None,
            base: None,
            head: Seq::ZERO,
            seen: Seq::ZERO,
            held: BTreeMap::new(),
            is_fetching: false,
        }
    }

    pub fn log(&self) -> Option<LogId> {
        self.log
    }

    /// Up to where the log was shown.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// Where to resume from, once the room is known.
    pub fn resumes_from(&self) -> Option<Seq> {
        self.base.map(|_| self.head)
    }

    /// Places that wait for what stands below them.
    pub fn held(&self) -> impl Iterator<Item = &Place> {
        self.held.values()
    }

    /// Something is known above a place that is not.
    pub fn has_gap(&self) -> bool {
        self.seen > self.head
    }

    pub(super) fn joined(&mut self, joined: Joined) -> Vec<Effect> {
        let Standing::Joining { reference, after } = &self.standing else {
            return Vec::new();
        };
        if *reference != joined.reference {
            return Vec::new();
        }
        let is_another = self.log.is_some_and(|log| log != joined.log_id);
        let is_unknown = joined.truncated && joined.events.is_empty();
        let mut effects = Vec::new();
        match *after {
            Some(after) if !is_another && !is_unknown => {
                if self.base.is_none() {
                    effects.push(self.begin(after));
                }
            }
            _ => {
                if is_another || is_unknown {
                    self.held.clear();
                }
                effects.push(self.begin(joined.head_seq));
            }
        }
        self.log = Some(joined.log_id);
        self.standing = Standing::In;
        self.seen = self.seen.max(joined.head_seq);
        for event in joined.events {
            self.take(Place::Event(Box::new(event)));
        }
        effects.extend(self.advance());
        if self.has_gap() {
            let why = if joined.truncated {
                Why::Truncated
            } else {
                Why::Overtaken
            };
            effects.push(Effect::Fetch { room: self.id, why });
        }
        effects
    }

    /// Knows nothing up to `after`, but what was acknowledged above.
    fn begin(&mut self, after: Seq) -> Effect {
        self.base = Some(after);
        self.head = after;
        self.held.retain(|seq, _| *seq > after);
        self.seen = self.held.last_key_value().map_or(after, |(seq, _)| *seq);
        Effect::Begins { room: self.id, after }
    }

    pub(super) fn heard(&mut self, event: Box<Event>) -> Vec<Effect> {
        self.take(Place::Event(event));
        self.moved()
    }

    pub(super) fn acked(&mut self, reference: &str, message: MessageId, seq: Seq, sent_at: Timestamp) -> Vec<Effect> {
        let room = self.id;
        let draft = self.outbox.acked(reference, message);
        let settled = draft.is_some().then_some(Effect::Settled {
            room,
            message,
            outcome: Ok(seq),
        });
        let own = Own {
            room,
            seq,
            message,
            sent_at,
            draft,
        };
        if !self.held.contains_key(&seq) {
            self.take(Place::Own(Box::new(own)));
        }
        let mut effects = self.moved();
        effects.extend(settled);
        effects
    }

    pub(super) fn refused(&mut self, error: ErrorFrame) -> Vec<Effect> {
        let room = self.id;
        let reference = error.reference.as_deref().unwrap_or_default();
        if matches!(&self.standing, Standing::Joining { reference: asked, .. } if asked == reference) {
            self.standing = Standing::Out;
            let error = Box::new(error);
            return vec![Effect::NotJoined { room, error }];
        }
        if is_passing(error.code) {
            self.outbox.unavailable(reference);
            let again = Effect::Again {
                room,
                after_ms: error.retry_after_ms.unwrap_or_default(),
            };
            return self.outbox.is_held().then_some(again).into_iter().collect();
        }
        let settled = self.outbox.refused(reference).map(|message| Effect::Settled {
            room,
            message,
            outcome: Err(Box::new(error)),
        });
        settled.into_iter().collect()
    }

    pub(super) fn fetch(&mut self) -> Option<Seq> {
        if self.is_fetching || self.base.is_none() || !self.has_gap() {
            return None;
        }
        self.is_fetching = true;
        Some(self.head)
    }

    pub(super) fn fetched(&mut self, page: Option<EventPage>) -> Vec<Effect> {
        self.is_fetching = false;
        let room = self.id;
        let Some(page) = page else {
            return self.unread(Why::Unread);
        };
        if self.log.is_some_and(|log| log != page.log_id) {
            return vec![Effect::Rejoin { room }];
        }
        for event in page.items {
            self.take(Place::Event(Box::new(event)));
        }
        let mut effects = self.advance();
        let why = if effects.is_empty() { Why::Unread } else { Why::More };
        effects.extend(self.unread(why));
        effects
    }

    fn unread(&self, why: Why) -> Vec<Effect> {
        let room = self.id;
        let fetch = self.has_gap().then_some(Effect::Fetch { room, why });
        fetch.into_iter().collect()
    }

    /// Takes a place in; one that is known already changes nothing.
    fn take(&mut self, place: Place) {
        let seq = place.seq();
        if self.base.is_some() && seq <= self.head {
            return;
        }
        self.seen = self.seen.max(seq);
        if self.held.len() < HELD_PLACES || seq == self.head.next() {
            self.held.insert(seq, place);
        }
    }

    fn moved(&mut self) -> Vec<Effect> {
        let mut effects = self.advance();
        if self.base.is_some() && self.has_gap() {
            let (room, why) = (self.id, Why::Overtaken);
            effects.push(Effect::Fetch { room, why });
        }
        effects
    }

    fn advance(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while self.base.is_some()
            && let Some(place) = self.held.remove(&self.head.next())
        {
            self.head = self.head.next();
            effects.push(Effect::Shown { room: self.id, place });
        }
        effects
    }
}
