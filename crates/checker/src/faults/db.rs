//! The way from a gateway to its db-core: calls that take long, get lost, hang beyond their deadline or lose their answer,
//! and go to one of several db-core.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use common::{
    revocation::RevocationList,
    room::{Account, Invite, Member, Message, Page, ReadMarker, Room, User},
};
use db_api::{Call, DbApi, Refusal, Reply, types::*};
use parking_lot::Mutex;
use service::CancellationToken;
use tokio::{sync::oneshot, time::Instant};

use super::{DbState, Weather};
use crate::chance::Chance;

/// db-core as one caller reaches it.
pub struct UnsteadyDb {
    cores: Vec<Arc<dyn DbApi>>,
    weather: Arc<Weather>,
    chance: Mutex<Chance>,
    /// The caller is dead: it asks nothing any more and hears no answer.
    severed: CancellationToken,
}

/// What becomes of one call.
struct Fate {
    core: Arc<dyn DbApi>,
    up: Duration,
    down: Duration,
    lost: Lost,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    No,
    /// The call never arrives; the caller waits for its deadline or is told at once.
    Call,
    CallToldAtOnce,
    /// The answer never arrives.
    Answer,
    AnswerToldAtOnce,
}

impl UnsteadyDb {
    pub fn new(
        cores: Vec<Arc<dyn DbApi>>,
        weather: Arc<Weather>,
        chance: Chance,
        severed: CancellationToken,
    ) -> Arc<Self> {
        let chance = Mutex::new(chance);
        Arc::new(Self {
            cores,
            weather,
            chance,
            severed,
        })
    }

    fn fate(&self) -> Fate {
        let mut chance = self.chance.lock();
        let climate = &self.weather.climate;
        let at_once = chance.happens(0.5);
        let lost = match self.weather.db() {
            _ if self.weather.is_calm() => Lost::No,
            DbState::Refusing => Lost::CallToldAtOnce,
            DbState::Hanging => Lost::Call,
            DbState::Fine if chance.happens(climate.call_lost) && at_once => Lost::CallToldAtOnce,
            DbState::Fine if chance.happens(climate.call_lost) => Lost::Call,
            DbState::Fine if chance.happens(climate.answer_lost) && at_once => Lost::AnswerToldAtOnce,
            DbState::Fine if chance.happens(climate.answer_lost) => Lost::Answer,
            DbState::Fine => Lost::No,
        };
        Fate {
            core: chance.pick(&self.cores).clone(),
            up: chance.latency(),
            down: chance.latency(),
            lost,
        }
    }

    /// Calls one of the db-core, on a task of its own: what is under way goes on without its caller.
    async fn through<T, F, R>(&self, call: Call, run: F) -> Reply<T>
    where
        T: Send + 'static,
        F: FnOnce(Arc<dyn DbApi>, Call) -> R + Send + 'static,
        R: Future<Output = Reply<T>> + Send,
    {
        if self.severed.is_cancelled() {
            return std::future::pending().await;
        }
        let fate = self.fate();
        let deadline = call.deadline();
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let began = Instant::now();
            tokio::time::sleep(fate.up).await;
            let lost = fate.lost;
            if lost == Lost::Call || lost == Lost::CallToldAtOnce {
                return silence(lost, deadline.saturating_sub(began.elapsed()), answer).await;
            }
            // db-core begins no write after the deadline.
            let Some(left) = deadline.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) else {
                return;
            };
            let reply = run(fate.core, call.within(left)).await;
            tokio::time::sleep(fate.down).await;
            if lost == Lost::No {
                let _ = answer.send(reply);
            } else {
                silence(lost, deadline.saturating_sub(began.elapsed()), answer).await;
            }
        });
        let reply = tokio::time::timeout(deadline, answered).await;
        if self.severed.is_cancelled() {
            return std::future::pending().await;
        }
        match reply {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(Refusal::unavailable("the connection broke")),
            Err(_) => Err(Refusal::unavailable("no answer in time")),
        }
    }
}

/// No answer: the caller sees its connection break, or waits for its deadline.
async fn silence<T>(lost: Lost, left: Duration, answer: oneshot::Sender<T>) {
    match lost {
        Lost::CallToldAtOnce | Lost::AnswerToldAtOnce => {}
        Lost::No | Lost::Call | Lost::Answer => tokio::time::sleep(left).await,
    }
    drop(answer);
}

macro_rules! unsteadily {
    ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
        #[async_trait]
        impl DbApi for UnsteadyDb {
            $(async fn $name(&self, call: Call, request: $request) -> Reply<$answer> {
                self.through(call, move |core, call| async move { core.$name(call, request).await }).await
            })*
        }
    };
}

db_api::with_operations!(unsteadily);
