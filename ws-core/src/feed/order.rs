//! Events, from wherever they come, into the order of the log.

use common::{Seq, event::Event};

use super::{Encoded, Ended, Feed, Listener, Member, Wish, ring::Entry};
use common::limits;

impl<L: Listener> Feed<L> {
    /// An announced event, in any order, once or more often.
    pub fn announced(&mut self, event: Event) -> Vec<Wish> {
        if !self.has_listeners() {
            return Vec::new();
        }
        self.hold(event);
        self.advance()
    }

    /// The events after a place, as db-core read them, or `None` when it could not be asked.
    pub fn fetched(&mut self, page: Option<(Vec<Event>, Seq)>) -> Vec<Wish> {
        self.fetching = false;
        let Some((events, head)) = page else {
            // The heads are compared again soon; until then the gap stays.
            return Vec::new();
        };
        let before = self.position;
        for event in events {
            self.hold(event);
        }
        let mut wishes = self.advance();
        if self.position > before && self.position < head {
            wishes.extend(self.fetch());
        }
        wishes
    }

    /// db-core's head of this room.
    pub fn compared(&mut self, head: Seq, log: common::LogId) -> Vec<Wish> {
        match self.log {
            Some(ours) if ours != log => {
                self.history_changed();
                Vec::new()
            }
            Some(_) if head > self.position => self.fetch().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// A moment after [`Wish::WatchGap`]: what is still missing is fetched.
    pub fn gap_due(&mut self) -> Vec<Wish> {
        match self.held.first_key_value() {
            Some(_) if self.follows() => self.fetch().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn fetch(&mut self) -> Option<Wish> {
        if self.fetching || !self.follows() {
            return None;
        }
        self.fetching = true;
        Some(Wish::Fetch(self.position))
    }

    fn hold(&mut self, event: Event) {
        if self.follows() && event.seq() <= self.position {
            return;
        }
        if self.held.len() < limits::HELD_EVENTS {
            self.held.insert(event.seq(), event);
        }
    }

    /// Applies what is next in the log as long as it is there, then answers the joins that waited for it.
    pub(super) fn advance(&mut self) -> Vec<Wish> {
        if !self.follows() {
            return Vec::new();
        }
        let mut wishes = Vec::new();
        while let Some(entry) = self.held.first_entry() {
            match (*entry.key()).cmp(&self.position.next()) {
                std::cmp::Ordering::Less => drop(entry.remove()),
                std::cmp::Ordering::Equal => {
                    let event = entry.remove();
                    wishes.extend(self.apply(event));
                }
                std::cmp::Ordering::Greater => break,
            }
        }
        wishes.extend(self.finish_joins());
        self.forget_when_unheard();
        if !self.held.is_empty() && !self.fetching {
            wishes.push(Wish::WatchGap);
        }
        wishes
    }

    /// The event at its own turn: to each member as its frame, or to the socket that waits for it as its `ack`.
    fn apply(&mut self, event: Event) -> Option<Wish> {
        let seq = event.seq();
        self.position = seq;
        let acked_now = self.settle_by(&event);
        let frame = Encoded::of(&event);
        let ends = Ended::by(&event);
        let is_last = |member: &Member<L>| ends.is_some_and(|ended| ended.is_for(member.user));
        for (ws, member) in &mut self.members {
            let had_ack = member.acked.remove(&seq) || acked_now.contains(ws);
            if is_last(member) {
                // That frame is the last of the room for them: no signal may come behind it.
                member.listener.ended(self.room);
            }
            if seq > member.start && !had_ack {
                member.listener.event(&frame);
            }
        }
        self.members.retain(|_, member| !is_last(member));
        self.ring.push(Entry { frame, ends });
        self.noticed(&event, ends)
    }
}
