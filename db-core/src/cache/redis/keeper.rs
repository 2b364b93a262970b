//! Keeps the name known, closes a cache whose Redis is another one now, and opens a closed one again.

use std::{sync::Weak, time::Duration};

use common::limits;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    super::{
        CacheError, Unsure,
        fence::{Name, Primary, State},
    },
    Shared,
};

/// When a closed cache may be opened again: later each time that it did not last.
struct Patience {
    wait: Duration,
    not_before: Instant,
    opened: Option<Instant>,
}

impl Patience {
    fn new() -> Self {
        Self {
            wait: limits::CACHE_REOPEN,
            not_before: Instant::now(),
            opened: None,
        }
    }

    fn saw(&mut self, state: State, now: Instant) {
        match (state, self.opened) {
            (State::Open, None) => self.opened = Some(now),
            (State::Closed, Some(opened)) => {
                let lasted = now.duration_since(opened) >= limits::CACHE_REOPEN_MAX;
                let twice = (self.wait * 2).min(limits::CACHE_REOPEN_MAX);
                self.wait = if lasted { limits::CACHE_REOPEN } else { twice };
                self.not_before = now + self.wait;
                self.opened = None;
            }
            _ => {}
        }
    }
}

/// Until the cache is dropped.
pub(super) async fn keep(cache: Weak<Shared>) {
    let mut ticks = interval(limits::CACHE_NAME_CONFIRMED);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut patience = Patience::new();
    loop {
        ticks.tick().await;
        let Some(cache) = cache.upgrade() else {
            return;
        };
        match cache.fence.confirm().await {
            Ok(name) => {
                patience.saw(name.state, Instant::now());
                if let Err(unsure) = cache.move_on(&name, &patience).await {
                    tracing::debug!(error = %unsure, "the cache's name could not be changed");
                }
            }
            Err(unsure) => tracing::debug!(error = %unsure, "readers pass the cache by"),
        }
    }
}

impl Shared {
    /// One step towards an open cache, if its time has come.
    async fn move_on(&self, name: &Name, patience: &Patience) -> Result<(), Unsure> {
        match name.state {
            State::Open | State::Filling if self.is_another(name).await => self.fence.close(name).await.map(drop),
            State::Open => Ok(()),
            State::Filling if self.fence.is_settled(name) => {
                let open = Name {
                    state: State::Open,
                    ..name.clone()
                };
                if self.fence.change(name, &open).await? == open {
                    tracing::info!(generation = %open.generation, "the cache is open");
                }
                Ok(())
            }
            State::Closed if self.fence.is_settled(name) && Instant::now() >= patience.not_before => {
                let Ok(Some(primary)) = self.primary().await else {
                    return Ok(());
                };
                let filling = Name {
                    generation: service::minted::id(),
                    primary,
                    state: State::Filling,
                };
                self.fence.change(name, &filling).await.map(drop)
            }
            State::Filling | State::Closed => Ok(()),
        }
    }

    /// The Redis that answers here, if it is a primary.
    async fn primary(&self) -> Result<Option<Primary>, CacheError> {
        let link = self.line.link().await?;
        let replication = self.line.replication(&link).await?;
        Ok(replication.map(|replication_id| Primary {
            run_id: link.run_id,
            replication_id,
        }))
    }

    /// A Redis answers here, and it is not the one that counts.
    async fn is_another(&self, name: &Name) -> bool {
        self.primary()
            .await
            .is_ok_and(|primary| primary.as_ref() != Some(&name.primary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cache_that_does_not_last_is_opened_later_each_time() {
        let mut patience = Patience::new();
        let start = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..7 {
            patience.saw(State::Open, start);
            patience.saw(State::Closed, start);
            waits.push(patience.not_before.duration_since(start).as_secs());
        }
        assert_eq!(waits, [2, 4, 8, 16, 30, 30, 30]);
        patience.saw(State::Open, start);
        patience.saw(State::Closed, start + limits::CACHE_REOPEN_MAX);
        assert_eq!(patience.wait, limits::CACHE_REOPEN);
    }
}
