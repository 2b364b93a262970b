//! Reading through an engine, and what writers owe it.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use db_api::Refusal;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use serde::{Serialize, de::DeserializeOwned};
use service::Metrics;

use super::{Cache, Claim, Entry, Look, Unsure, flights::Flights};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Entity {
    entity: &'static str,
}

/// The engine of those who may not use one.
struct NoCache;

#[async_trait]
impl Cache for NoCache {
    async fn look(&self, _: Entry) -> Look {
        Look::Bypass
    }

    async fn fill(&self, _: Claim, _: i64, _: Bytes) {}

    async fn forget(&self, _: &[Entry]) -> Result<(), Unsure> {
        Ok(())
    }

    async fn outdate(&self, _: &[(Entry, i64)]) -> Result<(), Unsure> {
        Ok(())
    }

    async fn is_there(&self) -> bool {
        false
    }
}

/// Reads through an engine.
pub struct ReadThrough {
    engine: Arc<dyn Cache>,
    flights: Flights,
    hits: Family<Entity, Counter>,
    misses: Family<Entity, Counter>,
    invalidations: Family<Entity, Counter>,
}

impl ReadThrough {
    pub fn new(engine: Arc<dyn Cache>, metrics: &Metrics) -> Self {
        Self {
            engine,
            flights: Flights::default(),
            hits: metrics.register("db_cache_hits", "Reads answered by the cache", Family::default()),
            misses: metrics.register("db_cache_misses", "Reads that asked the database", Family::default()),
            invalidations: metrics.register("db_invalidation", "Entries deleted by writes", Family::default()),
        }
    }

    /// Reads past everything, and keeps nothing.
    pub fn without_engine() -> Self {
        Self {
            engine: Arc::new(NoCache),
            flights: Flights::default(),
            hits: Family::default(),
            misses: Family::default(),
            invalidations: Family::default(),
        }
    }

    /// The cached value, else what `read` finds with its version, which is cached for the next.
    ///
    /// # Errors
    /// Those of `read`; a cache that is away is passed by.
    pub async fn get<T, F>(&self, entry: Entry, read: impl FnOnce() -> F) -> Result<T, Refusal>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<(i64, T), Refusal>>,
    {
        let label = Entity { entity: entry.entity() };
        let look_up = async {
            match self.engine.look(entry).await {
                Look::Hit(bytes) => {
                    self.hits.get_or_create(&label).inc();
                    Ok(bytes)
                }
                look => {
                    self.misses.get_or_create(&label).inc();
                    let (version, value) = read().await?;
                    let bytes: Bytes = serde_json::to_vec(&value).map_err(|_| Refusal::Internal)?.into();
                    if let Look::Miss(claim) = look {
                        self.engine.fill(claim, version, bytes.clone()).await;
                    }
                    Ok(bytes)
                }
            }
        };
        let bytes = self.flights.share(entry, look_up).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            tracing::error!(%error, entity = entry.entity(), "a cached value can't be read");
            Refusal::Internal
        })
    }

    /// After a commit and before its ack, also that of a repeat or of a request that changes nothing any more: what it
    /// changed is no longer in the cache.
    ///
    /// # Errors
    /// `Unavailable` when that can't be told; the outcome is then open for the caller.
    pub async fn written(&self, entries: &[Entry]) -> Result<(), Refusal> {
        for entry in entries {
            let label = Entity { entity: entry.entity() };
            self.invalidations.get_or_create(&label).inc();
        }
        Ok(self.engine.forget(entries).await?)
    }

    /// Before heads or events are handed out from which a gateway may ack: nothing older is in the cache.
    ///
    /// # Errors
    /// As [`ReadThrough::written`].
    pub async fn handed_out(&self, entries: &[(Entry, i64)]) -> Result<(), Refusal> {
        Ok(self.engine.outdate(entries).await?)
    }

    /// Whether readers are answered by the engine now.
    pub async fn is_there(&self) -> bool {
        self.engine.is_there().await
    }
}
