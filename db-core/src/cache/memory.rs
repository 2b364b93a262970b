//! The cache of a sole db-core, in its own memory: the embedded default. It is never the fallback of several.

use async_trait::async_trait;
use bytes::Bytes;
use common::limits;
use moka::{ops::compute::Op, sync::Cache as Moka};
use uuid::Uuid;

use super::{Cache, Claim, Entry, Look, Unsure};

#[derive(Clone)]
enum Place {
    Token(Uuid),
    Value(i64, Bytes),
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

fn key(entry: Entry) -> String {
    entry.key(Uuid::nil())
}

#[async_trait]
impl Cache for MemoryCache {
    async fn look(&self, entry: Entry) -> Look {
        let (key, token) = (key(entry), service::minted::id());
        if let Some(Place::Value(_, value)) = self.0.get(&key) {
            return Look::Hit(value);
        }
        self.0.insert(key.clone(), Place::Token(token));
        Look::Miss(Claim { key, token })
    }

    async fn fill(&self, claim: Claim, version: i64, value: Bytes) {
        self.0
            .entry(claim.key)
            .and_compute_with(|entry| match entry.map(|entry| entry.into_value()) {
                Some(Place::Token(there)) if there == claim.token => Op::Put(Place::Value(version, value)),
                _ => Op::Nop,
            });
    }

    async fn forget(&self, entries: &[Entry]) -> Result<(), Unsure> {
        entries.iter().for_each(|entry| self.0.invalidate(&key(*entry)));
        Ok(())
    }

    async fn outdate(&self, entries: &[(Entry, i64)]) -> Result<(), Unsure> {
        for (entry, version) in entries {
            self.0
                .entry(key(*entry))
                .and_compute_with(|entry| match entry.map(|entry| entry.into_value()) {
                    Some(Place::Value(there, _)) if there >= *version => Op::Nop,
                    Some(_) => Op::Remove,
                    None => Op::Nop,
                });
        }
        Ok(())
    }

    async fn is_there(&self) -> bool {
        true
    }
}
