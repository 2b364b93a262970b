//! Drafts of many calls and rooms share commits: what comes while one commit is under way is the next one's batch, so that
//! nothing ever waits for a timer. A room always goes by the same lane, so that its drafts keep their order.

mod batch;
mod lane;
pub mod statement;

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use common::{RoomId, event::MessageEvent, limits};
use db_api::{Refusal, types::Draft};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{announcer::Announcer, cache::ReadThrough, store::Store};

/// What became of a draft.
#[derive(Debug)]
pub enum Settled {
    /// It took its place.
    Appended(Box<MessageEvent>),
    /// It stood there already.
    Repeated,
    Refused(Refusal),
}

/// A draft on its way into the log.
struct Item {
    draft: Draft,
    /// Nothing is begun after it.
    until: Instant,
    answer: oneshot::Sender<Settled>,
}

impl Item {
    fn settle(self, settled: Settled) {
        // Who no longer waits knows that the outcome is open.
        let _ = self.answer.send(settled);
    }
}

/// What a lane works with.
#[derive(Clone)]
struct Tools {
    store: Store,
    cache: Arc<ReadThrough>,
    announcer: Announcer,
}

pub struct Committer {
    lanes: Vec<mpsc::Sender<Vec<Item>>>,
    hasher: RandomState,
}

impl Committer {
    /// Needs a Tokio runtime.
    pub fn start(store: &Store, cache: &Arc<ReadThrough>, announcer: &Announcer) -> Self {
        let tools = Tools {
            store: store.clone(),
            cache: cache.clone(),
            announcer: announcer.clone(),
        };
        let lane = |_| {
            let (sender, queue) = mpsc::channel(limits::DRAFTS_WAITING);
            tokio::spawn(lane::run(tools.clone(), queue));
            sender
        };
        Self {
            lanes: (0..limits::COMMIT_LANES).map(lane).collect(),
            hasher: RandomState::new(),
        }
    }

    fn lane(&self, room: RoomId) -> &mpsc::Sender<Vec<Item>> {
        &self.lanes[self.hasher.hash_one(room) as usize % self.lanes.len()]
    }

    /// What becomes of each draft, in the order given; those of one room are committed in that order. Past `until` nobody
    /// waits, and the outcome is open.
    pub async fn commit(&self, drafts: Vec<Draft>, until: Instant) -> Vec<Settled> {
        let mut by_room: Vec<(RoomId, Vec<Item>)> = Vec::new();
        let mut answers = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let (answer, answered) = oneshot::channel();
            answers.push(answered);
            let room = draft.room_id;
            let item = Item { draft, until, answer };
            match by_room.iter_mut().find(|(known, _)| *known == room) {
                Some((_, items)) => items.push(item),
                None => by_room.push((room, vec![item])),
            }
        }
        for (room, items) in by_room {
            if let Err(refused) = self.lane(room).try_send(items) {
                let too_many = || Settled::Refused(Refusal::unavailable("too many drafts wait"));
                refused
                    .into_inner()
                    .into_iter()
                    .for_each(|item| item.settle(too_many()));
            }
        }
        let mut settled = Vec::with_capacity(answers.len());
        for answer in answers {
            settled.push(match tokio::time::timeout_at(until, answer).await {
                Ok(Ok(settled)) => settled,
                Ok(Err(_)) => Settled::Refused(Refusal::Internal),
                Err(_) => Settled::Refused(crate::store::late()),
            });
        }
        settled
    }
}
