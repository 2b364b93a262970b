//! The cache over one Redis primary, shared by several db-core. Each place holds `v`, a version in 16 digits and a value, or
//! `t` and a token; what compares and replaces is one script.

mod keeper;
mod link;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use common::limits;
use redis::{Script, aio::MultiplexedConnection};

use super::{
    Cache, CacheError, Claim, Entry, Fence, Look, Unsure,
    fence::{Name, State},
};
use link::{Line, Link};

/// A clone shares the connection.
#[derive(Clone)]
pub struct RedisCache(Arc<Shared>);

struct Shared {
    line: Line,
    fence: Fence,
    prefix: String,
    scripts: Scripts,
}

struct Scripts {
    claim: Script,
    fill: Script,
    outdate: Script,
}

const CLAIM: &str = r"
if redis.call('GETRANGE', KEYS[1], 0, 0) == 'v' then return 0 end
redis.call('SET', KEYS[1], 't' .. ARGV[1], 'PX', ARGV[2])
return 1";

const FILL: &str = r"
if redis.call('GETRANGE', KEYS[1], 0, 63) ~= 't' .. ARGV[1] then return 0 end
redis.call('SET', KEYS[1], 'v' .. ARGV[2], 'PX', ARGV[3])
return 1";

const OUTDATE: &str = r"
for n, key in ipairs(KEYS) do
    local head = redis.call('GETRANGE', key, 0, 16)
    local kind = string.sub(head, 1, 1)
    if kind == 't' or (kind == 'v' and tonumber(string.sub(head, 2)) < tonumber(ARGV[n])) then
        redis.call('DEL', key)
    end
end
return 1";

/// Where a value begins behind `v` and its version.
const VALUE_AT: usize = 17;

impl RedisCache {
    /// Needs a Tokio runtime. Redis need not be there yet.
    ///
    /// # Errors
    /// When the URL is no Redis URL.
    pub fn start(url: &str, prefix: &str, fence: Fence) -> Result<Self, CacheError> {
        let shared = Arc::new(Shared {
            line: Line::new(url)?,
            fence,
            prefix: format!("{prefix}cache:"),
            scripts: Scripts {
                claim: Script::new(CLAIM),
                fill: Script::new(FILL),
                outdate: Script::new(OUTDATE),
            },
        });
        tokio::spawn(keeper::keep(Arc::downgrade(&shared)));
        Ok(Self(shared))
    }
}

impl Shared {
    fn key(&self, name: &Name, entry: Entry) -> String {
        format!("{}{}", self.prefix, entry.key(name.generation))
    }

    /// A connection to the named Redis, whichever the URL leads to now.
    async fn named(&self, name: &Name) -> Result<Link, CacheError> {
        let link = self.line.link().await?;
        if link.run_id == name.primary.run_id {
            Ok(link)
        } else {
            Err(CacheError("another Redis answers than the one that counts".into()))
        }
    }

    /// What the named Redis holds, if it still is the primary that was named: pipelined, so that the answer to that is as
    /// new as the value.
    async fn read(&self, name: &Name, key: &str) -> Result<(Link, Option<Vec<u8>>), CacheError> {
        let link = self.named(name).await?;
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(key).cmd("INFO").arg("replication");
        let ask = async |mut connection: MultiplexedConnection| pipeline.query_async(&mut connection).await;
        let (there, replication): (Option<Vec<u8>>, String) = self.line.ask(&link, ask).await?;
        if link::replication_of(&replication).as_ref() == Some(&name.primary.replication_id) {
            Ok((link, there))
        } else {
            Err(CacheError("it is not the primary any more that was named".into()))
        }
    }

    async fn look(&self, name: &Name, entry: Entry) -> Result<Look, CacheError> {
        let key = self.key(name, entry);
        let (link, there) = self.read(name, &key).await?;
        if let Some(bytes) = there.filter(|bytes| bytes.first() == Some(&b'v') && bytes.len() >= VALUE_AT) {
            return Ok(Look::Hit(Bytes::from(bytes).slice(VALUE_AT..)));
        }
        let token = service::minted::id();
        let mut call = self.scripts.claim.key(&key);
        call.arg(token.to_string()).arg(limits::CACHE_FILL.as_millis() as u64);
        let ask = async |mut connection: MultiplexedConnection| call.invoke_async::<i64>(&mut connection).await;
        match self.line.ask(&link, ask).await? {
            1 => Ok(Look::Miss(Claim { key, token })),
            _ => Ok(Look::Bypass),
        }
    }

    /// Clears the named Redis of what a writer has changed.
    async fn clear(&self, name: &Name, what: &What<'_>) -> Result<(), CacheError> {
        let link = self.named(name).await?;
        match what {
            What::All(entries) => {
                let keys: Vec<String> = entries.iter().map(|entry| self.key(name, *entry)).collect();
                let delete = redis::cmd("DEL").arg(keys).to_owned();
                let ask =
                    async |mut connection: MultiplexedConnection| delete.query_async::<i64>(&mut connection).await;
                self.line.ask(&link, ask).await.map(drop)
            }
            What::Older(entries) => {
                let mut call = self.scripts.outdate.prepare_invoke();
                for (entry, version) in *entries {
                    call.key(self.key(name, *entry)).arg(*version);
                }
                let ask = async |mut connection: MultiplexedConnection| call.invoke_async::<i64>(&mut connection).await;
                self.line.ask(&link, ask).await.map(drop)
            }
        }
    }

    /// Returns once no reader that begins later can be answered with what is to be cleared: because it was cleared in the
    /// cache that counts, or because everybody knows that none does.
    async fn settle(&self, what: What<'_>) -> Result<(), Unsure> {
        let mut name = match self.fence.look() {
            Some(name) => name,
            None => self.fence.confirm().await?,
        };
        loop {
            match name.state {
                State::Closed => {
                    self.fence.settled(&name).await;
                    return Ok(());
                }
                State::Filling | State::Open => match self.clear(&name, &what).await {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        tracing::debug!(%error, "the cache can't be cleared");
                        name = self.fence.close(&name).await?;
                    }
                },
            }
        }
    }
}

enum What<'a> {
    All(&'a [Entry]),
    /// What is older than a version.
    Older(&'a [(Entry, i64)]),
}

#[async_trait]
impl Cache for RedisCache {
    async fn look(&self, entry: Entry) -> Look {
        match self.0.fence.look() {
            Some(name) if name.state == State::Open => self.0.look(&name, entry).await.unwrap_or(Look::Bypass),
            _ => Look::Bypass,
        }
    }

    async fn fill(&self, claim: Claim, version: i64, value: Bytes) {
        let Some(link) = self.0.line.present() else {
            return;
        };
        let mut held = format!("{version:016}").into_bytes();
        held.extend_from_slice(&value);
        let mut call = self.0.scripts.fill.key(claim.key);
        call.arg(claim.token.to_string())
            .arg(held)
            .arg(limits::CACHE_TTL.as_millis() as u64);
        let ask = async |mut connection: MultiplexedConnection| call.invoke_async::<i64>(&mut connection).await;
        // Only its token is replaced, and the generation is in its key: wherever it lands, it can't be wrong.
        let _ = self.0.line.ask(&link, ask).await;
    }

    async fn forget(&self, entries: &[Entry]) -> Result<(), Unsure> {
        if entries.is_empty() {
            return Ok(());
        }
        self.0.settle(What::All(entries)).await
    }

    async fn outdate(&self, entries: &[(Entry, i64)]) -> Result<(), Unsure> {
        if entries.is_empty() {
            return Ok(());
        }
        self.0.settle(What::Older(entries)).await
    }

    async fn is_there(&self) -> bool {
        match self.0.fence.look() {
            Some(name) if name.state == State::Open => self.0.read(&name, "health").await.is_ok(),
            _ => false,
        }
    }
}
