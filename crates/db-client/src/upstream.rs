//! One db-core behind its circuit breaker.

use std::sync::Arc;

use common::{
    limits,
    service_token::{Service, ServiceKey},
};
use db_api::{
    Call, Refusal, Reply,
    types::{Health, Nothing},
};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

use crate::{
    breaker::{Breaker, LOOK, Probe, Turn},
    wire::{Asked, Wire},
};

pub struct Upstream {
    url: String,
    wire: Wire,
    breaker: Mutex<Breaker>,
    /// Counts how often the circuit opened: who waits for an answer then gives up.
    openings: watch::Sender<u64>,
    places: Semaphore,
}

/// Whether a call reached the other side.
pub enum Heard<A> {
    /// It did, or it may have.
    Yes(Reply<A>),
    /// Certainly not: another may be asked the same.
    No(Refusal),
}

impl Upstream {
    pub fn new(url: &str, service: Service, key: ServiceKey) -> Self {
        Self {
            url: url.to_owned(),
            wire: Wire::new(url, service, key),
            breaker: Mutex::new(Breaker::new(Instant::now())),
            openings: watch::channel(0).0,
            places: Semaphore::new(limits::CALLS_AT_ONCE),
        }
    }

    pub async fn ask<Q: Serialize, A: DeserializeOwned>(
        self: &Arc<Self>,
        operation: &str,
        call: &Call,
        request: &Q,
    ) -> Heard<A> {
        // Taken first: what opens the circuit from here on is heard.
        let mut openings = self.openings.subscribe();
        if self.breaker.lock().is_open() {
            return Heard::No(away());
        }
        let Ok(_place) = self.places.try_acquire() else {
            return Heard::No(Refusal::unavailable("too many calls wait for db-core"));
        };
        let began = Instant::now();
        let answer = self.wire.ask(operation, call, call.deadline(), request);
        tokio::pin!(answer);
        let asked = loop {
            tokio::select! {
                asked = &mut answer => break asked,
                _ = openings.changed() => return Heard::Yes(Err(away())),
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
                Heard::Yes(reply)
            }
            Asked::Silence(reason) => {
                self.unanswered();
                Heard::Yes(Err(Refusal::unavailable(reason)))
            }
            Asked::Unreached(reason) => {
                self.unanswered();
                Heard::No(Refusal::unavailable(reason))
            }
            Asked::Unsent(refusal) => Heard::Yes(Err(refusal)),
        }
    }

    fn unanswered(self: &Arc<Self>) {
        let turn = self.breaker.lock().unanswered();
        self.turn(turn);
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
                tracing::warn!(url = self.url, "db-core does not answer: the circuit is open");
                self.openings.send_modify(|openings| *openings += 1);
                let kept = Arc::downgrade(self);
                tokio::spawn(async move {
                    loop {
                        tokio::time::sleep(limits::BREAKER_INTERVAL).await;
                        let Some(upstream) = kept.upgrade() else { return };
                        upstream.clone().resolve_doubt().await;
                        if !upstream.breaker.lock().is_open() {
                            tracing::info!(url = upstream.url, "db-core answers again: the circuit is closed");
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
            Asked::Silence(_) | Asked::Unreached(_) | Asked::Unsent(_) => Probe::Silent,
        }
    }
}

fn away() -> Refusal {
    Refusal::unavailable("db-core is away: the circuit is open")
}
