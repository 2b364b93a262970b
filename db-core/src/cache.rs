//! Cache-first reads that never return less than what was acknowledged (consistency rule 11, for a sole db-core).
//!
//! A reader that misses first puts a token of its own into the entry's place, then reads the leader, then replaces only that
//! token. A writer deletes whatever stands there, after its commit and before its ack. So a value that was read before a
//! commit can't be put back behind it: its token is gone.

mod memory;
mod redis;
#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use common::{RoomId, UserId};
use parking_lot::RwLock;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use serde::{Serialize, de::DeserializeOwned};
use service::Metrics;
use uuid::Uuid;

pub use memory::MemoryCache;
pub use redis::RedisCache;

/// The cache is away or too slow.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the cache is away: {0}")]
pub struct CacheError(pub String);

/// An engine: places that hold a value or a reader's token, for a limited time.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// The value in a place; a token is none.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError>;
    /// Puts a token, in place of whatever is no value.
    async fn claim(&self, key: &str, token: Uuid) -> Result<(), CacheError>;
    /// Replaces that token, and nothing else, by a value.
    async fn fill(&self, key: &str, token: Uuid, value: Bytes) -> Result<(), CacheError>;
    /// Empties places.
    async fn delete(&self, keys: &[String]) -> Result<(), CacheError>;
}

/// What is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    User(UserId),
    /// The newest page of a room's history.
    Newest(RoomId),
}

impl Entry {
    fn entity(self) -> &'static str {
        match self {
            Entry::User(_) => "user",
            Entry::Newest(_) => "history",
        }
    }

    /// A room's keys stay together on a Redis Cluster by their hash tag.
    fn key(self, generation: Uuid) -> String {
        match self {
            Entry::User(id) => format!("{generation}:user:{{{id}}}"),
            Entry::Newest(id) => format!("{generation}:newest:{{{id}}}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Entity {
    entity: &'static str,
}

/// Reads through an engine.
pub struct ReadThrough {
    engine: Arc<dyn Cache>,
    /// Prefix of every key. It changes when entries could not be deleted, so that they are never read again.
    generation: RwLock<Uuid>,
    hits: Family<Entity, Counter>,
    misses: Family<Entity, Counter>,
    invalidations: Family<Entity, Counter>,
}

impl ReadThrough {
    pub fn new(engine: Arc<dyn Cache>, metrics: &Metrics) -> Self {
        Self {
            engine,
            generation: RwLock::new(service::minted::id()),
            hits: metrics.register("db_cache_hits", "Reads answered by the cache", Family::default()),
            misses: metrics.register("db_cache_misses", "Reads that asked the database", Family::default()),
            invalidations: metrics.register("db_invalidation", "Entries deleted by writes", Family::default()),
        }
    }

    /// The cached value, else what `read` finds, which is cached for the next.
    ///
    /// # Errors
    /// Those of `read`; a cache that is away is passed by.
    pub async fn get<T, E, F>(&self, entry: Entry, read: impl FnOnce() -> F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, E>>,
    {
        let key = entry.key(*self.generation.read());
        let label = Entity { entity: entry.entity() };
        let found = self.engine.get(&key).await;
        if let Ok(Some(bytes)) = &found
            && let Ok(value) = serde_json::from_slice(bytes)
        {
            self.hits.get_or_create(&label).inc();
            return Ok(value);
        }
        self.misses.get_or_create(&label).inc();
        let token = service::minted::id();
        let claimed = found.is_ok() && self.engine.claim(&key, token).await.is_ok();
        let value = read().await?;
        if claimed && let Ok(bytes) = serde_json::to_vec(&value) {
            // A fill that fails costs the next reader a query and nothing else.
            let _ = self.engine.fill(&key, token, bytes.into()).await;
        }
        Ok(value)
    }

    /// After a commit and before its ack: what it changed is no longer in the cache.
    pub async fn written(&self, entries: &[Entry]) {
        let generation = *self.generation.read();
        for entry in entries {
            self.invalidations
                .get_or_create(&Entity { entity: entry.entity() })
                .inc();
        }
        let keys: Vec<String> = entries.iter().map(|entry| entry.key(generation)).collect();
        if let Err(error) = self.engine.delete(&keys).await {
            tracing::warn!(%error, "entries could not be deleted: the cache starts over");
            *self.generation.write() = service::minted::id();
        }
    }

    /// Whether the engine answers.
    pub async fn is_there(&self) -> bool {
        self.engine.get("health").await.is_ok()
    }
}
