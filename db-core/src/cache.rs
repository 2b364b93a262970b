//! Cache-first reads that never return less than what was acknowledged before they began (consistency rule 11).
//!
//! A reader that misses first puts a token of its own into the entry's place, then reads the leader, then replaces only that
//! token. A writer deletes whatever stands there, after its commit and before its ack. So a value that was read before a
//! commit can't be put back behind it: its token is gone. Which cache counts, when several db-core share one, is the
//! [`Fence`]'s matter.

mod fence;
mod flights;
mod memory;
mod redis;
#[cfg(test)]
mod tests;
mod through;

use async_trait::async_trait;
use bytes::Bytes;
use common::{RoomId, UserId};
use db_api::Refusal;
use uuid::Uuid;

pub use fence::Fence;
pub use memory::MemoryCache;
pub use redis::RedisCache;
pub use through::ReadThrough;

/// The cache is away or too slow, or is not the one that counts.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the cache is away: {0}")]
pub struct CacheError(pub String);

/// It can't be told whether a reader could still be answered with what was before: nothing may be acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
#[error("which cache counts can't be confirmed: {0}")]
pub struct Unsure(pub String);

impl From<Unsure> for Refusal {
    fn from(unsure: Unsure) -> Refusal {
        Refusal::unavailable(unsure.to_string())
    }
}

/// What is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    User(UserId),
    /// The newest page of a room's history.
    Newest(RoomId),
    /// Who is in a room, and what strangers may know of it.
    Roster(RoomId),
}

impl Entry {
    fn entity(self) -> &'static str {
        match self {
            Entry::User(_) => "user",
            Entry::Newest(_) => "history",
            Entry::Roster(_) => "members",
        }
    }

    /// A room's keys stay together by their hash tag.
    fn key(self, generation: Uuid) -> String {
        match self {
            Entry::User(id) => format!("{generation}:user:{{{id}}}"),
            Entry::Newest(id) => format!("{generation}:newest:{{{id}}}"),
            Entry::Roster(id) => format!("{generation}:roster:{{{id}}}"),
        }
    }

    /// All that depends on a room.
    pub fn of_room(room: RoomId) -> [Entry; 2] {
        [Entry::Newest(room), Entry::Roster(room)]
    }
}

/// A reader's place in the cache, which it may fill once it has read the leader.
#[derive(Debug, Clone)]
pub struct Claim {
    key: String,
    token: Uuid,
}

/// What a reader finds.
#[derive(Debug)]
pub enum Look {
    Hit(Bytes),
    Miss(Claim),
    /// The cache is not to be used now: the leader answers, and nothing is filled.
    Bypass,
}

/// An engine: places that hold a value with its version or a reader's token, for a limited time.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// The value in a place, else the place with a fresh token in it.
    async fn look(&self, entry: Entry) -> Look;

    /// Replaces the claim's token, and nothing else, by a value. That it fails costs the next reader a query.
    async fn fill(&self, claim: Claim, version: i64, value: Bytes);

    /// Empties places. When it returns, no reader that begins later is answered with what was in them.
    ///
    /// # Errors
    /// When that can't be told; what rests on it may not be acknowledged.
    async fn forget(&self, entries: &[Entry]) -> Result<(), Unsure>;

    /// As [`Cache::forget`] for what is older than a version, and for tokens, whose readers may have read older.
    ///
    /// # Errors
    /// As [`Cache::forget`].
    async fn outdate(&self, entries: &[(Entry, i64)]) -> Result<(), Unsure>;

    /// Whether readers are answered by it now.
    async fn is_there(&self) -> bool;
}
