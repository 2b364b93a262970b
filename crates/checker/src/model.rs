//! db-core as a model: the rules of its contract over memory, with nothing of how the real one keeps them. It passes the
//! suite of the contract but for looking for words, so that what runs over it runs over what db-core promises.
//!
//! A model is one db-core; several over one [`Store`] are several db-core over one database. What waits for a lock, for a
//! commit or for an answer waits as the [`Pace`] says, and everything is judged and written after the last wait.

mod accounts;
mod append;
mod calls;
mod gateways;
mod invites;
mod keys;
mod members;
mod messages;
mod once;
mod people;
mod reading;
mod rooms;
mod state;

use std::{sync::Arc, time::Duration};

use bus::{Announcement, Bus};
use common::{Timestamp, token::Actor};
use db_api::{Answer, Call, Refusal, Reply, Seen};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;
use uuid::Uuid;

use crate::chance::Chance;
use state::State;

/// The database.
pub struct Store {
    state: Mutex<State>,
    ids: Mutex<Chance>,
    began: Instant,
    epoch: Timestamp,
}

impl Store {
    /// An empty one, whose clock begins with `epoch`.
    pub fn new(ids: Chance, epoch: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            ids: Mutex::new(ids),
            began: Instant::now(),
            epoch,
        })
    }
}

/// How a db-core takes its time, and what goes wrong in it.
pub enum Pace {
    /// At once, and nothing goes wrong.
    Ideal,
    /// Waits as drawn, this many times as long; some batches are done draft by draft, and some drafts are lost.
    Seeded { chance: Mutex<Chance>, times: u32 },
}

/// What happens to one write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// Nothing is written, and nobody knows.
    Lost,
    /// It is written, and nobody is told.
    AnswerLost,
}

impl Pace {
    /// Waits for a lock.
    async fn lock(&self) {
        if let Pace::Seeded { chance, times } = self {
            let wait: Duration = chance.lock().latency() * *times / 4;
            tokio::time::sleep(wait).await;
        }
    }

    fn fate(&self) -> Fate {
        match self {
            Pace::Ideal => Fate::Done,
            Pace::Seeded { chance, .. } => match chance.lock().within(0..100) {
                0..8 => Fate::Lost,
                8..16 => Fate::AnswerLost,
                _ => Fate::Done,
            },
        }
    }

    /// Whether a batch is spoiled and has to be done draft by draft.
    fn spoils(&self) -> bool {
        match self {
            Pace::Ideal => false,
            Pace::Seeded { chance, .. } => chance.lock().happens(0.25),
        }
    }
}

pub struct Model {
    store: Arc<Store>,
    bus: Arc<dyn Bus>,
    pace: Pace,
}

impl Model {
    pub fn new(store: Arc<Store>, bus: Arc<dyn Bus>, pace: Pace) -> Arc<Self> {
        Arc::new(Self { store, bus, pace })
    }

    fn id(&self) -> Uuid {
        self.store.ids.lock().uuid()
    }

    fn now(&self) -> Timestamp {
        self.store.epoch.plus(self.store.began.elapsed())
    }

    /// The state under all locks, for a write or a read that is judged here and now.
    async fn locked(&self) -> MutexGuard<'_, State> {
        self.pace.lock().await;
        self.store.state.lock()
    }

    /// After the commit.
    async fn announce(&self, announcements: Vec<Announcement>) {
        let encoded = announcements.iter().map(Announcement::encoded).collect();
        // A lost announcement is no error: the log has it.
        let _ = self.bus.publish(encoded).await;
    }

    fn written<T>(&self, value: T) -> Reply<T> {
        Ok(Answer::written(value, Seen(format!("model.{}", self.now().0))))
    }
}

fn actor(call: &Call) -> Result<&Actor, Refusal> {
    call.actor.as_ref().ok_or(Refusal::Unauthenticated)
}
