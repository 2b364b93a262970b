//! The read markers that a socket moves: one call to db-core at a time, and of what waits for a room only the furthest, so
//! that somebody who scrolls fast costs no more than somebody who doesn't.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use common::{
    Problem, RoomId, Seq,
    frame::{ErrorFrame, ServerFrame},
    limits,
    token::Actor,
};
use db_api::types::MarkRead;
use parking_lot::Mutex;

use crate::{outbox::Outbox, rooms::Rooms};

/// What waits, without I/O.
#[derive(Default)]
struct Queue {
    wanted: HashMap<RoomId, Seq>,
    order: VecDeque<RoomId>,
    working: bool,
    stopped: bool,
}

/// What becomes of a marker that a socket wants to move.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Waits,
    /// Nobody works on the queue: somebody has to begin.
    Begins,
    TooMany,
}

impl Queue {
    fn add(&mut self, room: RoomId, seq: Seq) -> Taken {
        if let Some(wanted) = self.wanted.get_mut(&room) {
            *wanted = seq.max(*wanted);
            return Taken::Waits;
        }
        if self.order.len() >= limits::READS_WAITING {
            return Taken::TooMany;
        }
        self.wanted.insert(room, seq);
        self.order.push_back(room);
        if std::mem::replace(&mut self.working, true) {
            Taken::Waits
        } else {
            Taken::Begins
        }
    }

    fn next(&mut self) -> Option<MarkRead> {
        let next = self.order.pop_front().filter(|_| !self.stopped);
        let next = next.and_then(|room_id| {
            let seq = self.wanted.remove(&room_id)?;
            Some(MarkRead { room_id, seq })
        });
        self.working = next.is_some();
        next
    }
}

pub struct Markers {
    rooms: Arc<Rooms>,
    outbox: Arc<Outbox>,
    queue: Mutex<Queue>,
}

impl Markers {
    pub fn new(rooms: Arc<Rooms>, outbox: Arc<Outbox>) -> Arc<Self> {
        Arc::new(Self {
            rooms,
            outbox,
            queue: Mutex::default(),
        })
    }

    /// Moves the actor's marker as soon as it is its turn; only a refusal is answered.
    pub fn add(self: &Arc<Self>, actor: &Actor, room: RoomId, seq: Seq) {
        let taken = self.queue.lock().add(room, seq);
        match taken {
            Taken::Waits => {}
            Taken::Begins => drop(tokio::spawn(self.clone().work(actor.clone()))),
            Taken::TooMany => self.refuse(room, Problem::rate_limited(1_000)),
        }
    }

    pub fn stop(&self) {
        self.queue.lock().stopped = true;
    }

    async fn work(self: Arc<Self>, actor: Actor) {
        loop {
            let Some(marker) = self.queue.lock().next() else { return };
            if let Err(refusal) = self.rooms.mark_read(actor.clone(), marker).await {
                self.refuse(marker.room_id, refusal.into());
            }
        }
    }

    fn refuse(&self, room: RoomId, problem: Problem) {
        self.outbox.answer(&ServerFrame::Error(ErrorFrame {
            reference: None,
            code: problem.code,
            detail: problem.detail,
            room_id: Some(room),
            message_id: None,
            retry_after_ms: problem.retry_after_ms,
        }));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn room(number: u128) -> RoomId {
        RoomId(Uuid::from_u128(number))
    }

    fn seq(number: u64) -> Seq {
        Seq::try_from(number).unwrap()
    }

    fn next(queue: &mut Queue) -> Option<(RoomId, u64)> {
        queue.next().map(|marker| (marker.room_id, marker.seq.get()))
    }

    #[test]
    fn a_fast_scroller_costs_one_call_at_a_time_and_the_furthest_wins() {
        let mut queue = Queue::default();
        assert_eq!(queue.add(room(1), seq(1)), Taken::Begins);
        assert_eq!(next(&mut queue), Some((room(1), 1)));
        for place in [2, 9, 5] {
            assert_eq!(queue.add(room(1), seq(place)), Taken::Waits, "the call is under way");
        }
        assert_eq!(queue.add(room(2), seq(3)), Taken::Waits);
        assert_eq!(next(&mut queue), Some((room(1), 9)));
        assert_eq!(next(&mut queue), Some((room(2), 3)));
        assert_eq!(next(&mut queue), None);
        assert_eq!(queue.add(room(1), seq(10)), Taken::Begins);
    }

    #[test]
    fn what_waits_is_bounded_and_ends_with_the_socket() {
        let mut queue = Queue::default();
        for number in 0..limits::READS_WAITING {
            assert_ne!(queue.add(room(number as u128), seq(1)), Taken::TooMany);
        }
        assert_eq!(queue.add(room(1 << 100), seq(1)), Taken::TooMany);
        assert_eq!(queue.add(room(0), seq(2)), Taken::Waits, "a known room has its place");
        queue.stopped = true;
        assert_eq!(next(&mut queue), None);
    }
}
