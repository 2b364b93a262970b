//! db-core's contract over HTTP, from the caller's side. A call that got no answer is `unavailable`: what it asked may have
//! happened, which is why appends carry ids of their own.

mod breaker;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use common::{
    limits,
    room::{Invite, Member, Message, Page, ReadMarker, Room, User},
    service_token::{Service, ServiceKey},
};
use db_api::{Call, DbApi, Refusal, Reply, types::*, with_operations};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

use breaker::{Breaker, LOOK, Probe, Turn};
use wire::{Asked, Wire};

/// db-core, behind a circuit breaker of this process.
pub struct DbClient(Arc<Guarded>);

struct Guarded {
    wire: Wire,
    breaker: Mutex<Breaker>,
    /// Counts how often the circuit opened: who waits for an answer then gives up.
    openings: watch::Sender<u64>,
    places: Semaphore,
}

impl DbClient {
    /// `url` is db-core's origin, without a slash at its end.
    pub fn new(url: &str, service: Service, key: ServiceKey) -> Self {
        Self(Arc::new(Guarded {
            wire: Wire::new(url, service, key),
            breaker: Mutex::new(Breaker::new(Instant::now())),
            openings: watch::channel(0).0,
            places: Semaphore::new(limits::CALLS_AT_ONCE),
        }))
    }
}

impl Guarded {
    async fn ask<Q: Serialize, A: DeserializeOwned>(
        self: &Arc<Self>,
        operation: &str,
        call: Call,
        request: Q,
    ) -> Reply<A> {
        // Taken first: what opens the circuit from here on is heard.
        let mut openings = self.openings.subscribe();
        if self.breaker.lock().is_open() {
            return Err(away());
        }
        let place = self.places.try_acquire();
        let _place = place.map_err(|_| Refusal::unavailable("too many calls wait for db-core"))?;
        let began = Instant::now();
        let answer = self.wire.ask(operation, &call, call.deadline(), &request);
        tokio::pin!(answer);
        let asked = loop {
            tokio::select! {
                asked = &mut answer => break asked,
                _ = openings.changed() => return Err(away()),
                () = tokio::time::sleep(LOOK) => {
                    if self.breaker.lock().doubts(began, Instant::now()) {
                        tokio::spawn(self.clone().resolve_doubt());
                    }
                }
            }
        };
        match asked {
            Asked::Answer(reply) => {
                self.breaker.lock().answered(Instant::now());
                reply
            }
            Asked::Silence(reason) => {
                let turn = self.breaker.lock().unanswered();
                self.turn(turn);
                Err(Refusal::unavailable(reason))
            }
            Asked::Unsent(refusal) => Err(refusal),
        }
    }

    async fn resolve_doubt(self: Arc<Self>) {
        let probe = self.probe().await;
        let turn = self.breaker.lock().probed(probe, Instant::now());
        self.turn(turn);
    }

    fn turn(self: &Arc<Self>, turn: Turn) {
        match turn {
            Turn::Stay => {}
            Turn::Opened => {
                tracing::warn!("db-core does not answer: the circuit is open");
                self.openings.send_modify(|openings| *openings += 1);
                let kept = Arc::downgrade(self);
                tokio::spawn(async move {
                    loop {
                        tokio::time::sleep(limits::BREAKER_INTERVAL).await;
                        let Some(guarded) = kept.upgrade() else { return };
                        guarded.clone().resolve_doubt().await;
                        if !guarded.breaker.lock().is_open() {
                            tracing::info!("db-core answers again: the circuit is closed");
                            return;
                        }
                    }
                });
            }
        }
    }

    /// Whether db-core is there; how its database is doesn't matter, but it may take a while to say.
    async fn probe(&self) -> Probe {
        let call = Call::anonymous().within(limits::BREAKER_PROBE / 2);
        let asked = self
            .wire
            .ask::<_, Health>("health", &call, limits::BREAKER_PROBE, &Nothing {});
        match asked.await {
            Asked::Answer(_) => Probe::Answered,
            Asked::Silence(_) | Asked::Unsent(_) => Probe::Silent,
        }
    }
}

fn away() -> Refusal {
    Refusal::unavailable("db-core is away: the circuit is open")
}

macro_rules! client {
    ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
        #[async_trait]
        impl DbApi for DbClient {
            $(async fn $name(&self, call: Call, request: $request) -> Reply<$answer> {
                self.0.ask(stringify!($name), call, request).await
            })*
        }
    };
}

with_operations!(client);
