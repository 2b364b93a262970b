//! Drafts of many calls and rooms share commits: what comes while one commit is under way is the next one's batch, so that
//! nothing ever waits for a timer.

mod batch;
mod commits;
pub mod statement;

use std::sync::Arc;

use common::{event::MessageEvent, limits};
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

/// What a commit takes.
#[derive(Clone)]
struct Tools {
    store: Store,
    cache: Arc<ReadThrough>,
    announcer: Announcer,
}

pub struct Committer(mpsc::Sender<Vec<Item>>);

impl Committer {
    /// Needs a Tokio runtime.
    pub fn start(store: &Store, cache: &Arc<ReadThrough>, announcer: &Announcer) -> Self {
        let tools = Tools {
            store: store.clone(),
            cache: cache.clone(),
            announcer: announcer.clone(),
        };
        let (sender, queue) = mpsc::channel(limits::DRAFTS_WAITING);
        tokio::spawn(commits::run(tools, queue));
        Self(sender)
    }

    /// What becomes of each draft, in the order given; those of one room are committed in that order. Past `until` nobody
    /// waits, and the outcome is open.
    pub async fn commit(&self, drafts: Vec<Draft>, until: Instant) -> Vec<Settled> {
        let (items, answers): (Vec<_>, Vec<_>) = drafts
            .into_iter()
            .map(|draft| {
                let (answer, answered) = oneshot::channel();
                (Item { draft, until, answer }, answered)
            })
            .unzip();
        if let Err(refused) = self.0.try_send(items) {
            for item in refused.into_inner() {
                item.settle(Settled::Refused(Refusal::unavailable("too many drafts wait")));
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
