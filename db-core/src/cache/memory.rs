//! The cache of a sole db-core, in its own memory: the embedded default.

use async_trait::async_trait;
use bytes::Bytes;
use common::limits;
use moka::{ops::compute::Op, sync::Cache as Moka};
use uuid::Uuid;

use super::{Cache, CacheError};

#[derive(Clone)]
enum Place {
    Token(Uuid),
    Value(Bytes),
}

#[derive(Clone)]
pub struct MemoryCache(Moka<String, Place>);

impl Default for MemoryCache {
    fn default() -> Self {
        Self(
            Moka::builder()
                .max_capacity(limits::CACHE_ENTRIES)
                .time_to_live(limits::CACHE_TTL)
                .build(),
        )
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        Ok(match self.0.get(key) {
            Some(Place::Value(value)) => Some(value),
            Some(Place::Token(_)) | None => None,
        })
    }

    async fn claim(&self, key: &str, token: Uuid) -> Result<(), CacheError> {
        self.0
            .entry_by_ref(key)
            .and_compute_with(|entry| match entry.map(|entry| entry.into_value()) {
                Some(Place::Value(_)) => Op::Nop,
                Some(Place::Token(_)) | None => Op::Put(Place::Token(token)),
            });
        Ok(())
    }

    async fn fill(&self, key: &str, token: Uuid, value: Bytes) -> Result<(), CacheError> {
        self.0
            .entry_by_ref(key)
            .and_compute_with(|entry| match entry.map(|entry| entry.into_value()) {
                Some(Place::Token(there)) if there == token => Op::Put(Place::Value(value)),
                _ => Op::Nop,
            });
        Ok(())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), CacheError> {
        keys.iter().for_each(|key| self.0.invalidate(key));
        Ok(())
    }
}
