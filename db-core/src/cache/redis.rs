//! The cache over Redis. Each place holds `v` and a value or `t` and a token; what compares and replaces is one script.

use async_trait::async_trait;
use bytes::Bytes;
use common::limits;
use parking_lot::Mutex;
use redis::{
    Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Cache, CacheError};

pub struct RedisCache {
    connection: ConnectionManager,
    prefix: String,
    claim: Script,
    fill: Script,
    /// Until then the cache is left alone.
    paused_until: Mutex<Option<Instant>>,
}

const CLAIM: &str = r"
local there = redis.call('GET', KEYS[1])
if there and string.sub(there, 1, 1) == 'v' then return 0 end
redis.call('SET', KEYS[1], 't' .. ARGV[1], 'PX', ARGV[2])
return 1";

const FILL: &str = r"
if redis.call('GET', KEYS[1]) ~= 't' .. ARGV[1] then return 0 end
redis.call('SET', KEYS[1], 'v' .. ARGV[2], 'PX', ARGV[3])
return 1";

impl RedisCache {
    /// Needs a Tokio runtime. Redis need not be there yet.
    ///
    /// # Errors
    /// When the URL is no Redis URL.
    pub fn new(url: &str, prefix: &str) -> Result<Self, CacheError> {
        let away = |error: redis::RedisError| CacheError(error.to_string());
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(limits::CACHE_ANSWER))
            .set_connection_timeout(Some(limits::CACHE_ANSWER))
            // A retried fill could put an old value behind a write.
            .set_number_of_retries(0);
        let client = redis::Client::open(url).map_err(away)?;
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(away)?;
        Ok(Self {
            connection,
            prefix: format!("{prefix}cache:"),
            claim: Script::new(CLAIM),
            fill: Script::new(FILL),
            paused_until: Mutex::default(),
        })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Asks Redis, unless it was found away a moment ago.
    async fn ask<T>(&self, query: impl Future<Output = redis::RedisResult<T>>) -> Result<T, CacheError> {
        if self.paused_until.lock().is_some_and(|until| Instant::now() < until) {
            return Err(CacheError("it did not answer a moment ago".into()));
        }
        let answer = tokio::time::timeout(limits::CACHE_ANSWER, query).await;
        let error = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        *self.paused_until.lock() = Some(Instant::now() + limits::CACHE_PAUSE);
        Err(CacheError(error))
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        let mut connection = self.connection.clone();
        let get = redis::cmd("GET").arg(self.key(key)).to_owned();
        let there: Option<Vec<u8>> = self.ask(get.query_async(&mut connection)).await?;
        Ok(there
            .filter(|bytes| bytes.first() == Some(&b'v'))
            .map(|bytes| Bytes::from(bytes).slice(1..)))
    }

    async fn claim(&self, key: &str, token: Uuid) -> Result<(), CacheError> {
        let mut connection = self.connection.clone();
        let mut call = self.claim.key(self.key(key));
        call.arg(token.to_string()).arg(limits::CACHE_FILL.as_millis() as u64);
        let claimed: i64 = self.ask(call.invoke_async(&mut connection)).await?;
        if claimed == 1 {
            Ok(())
        } else {
            Err(CacheError("the place is filled already".into()))
        }
    }

    async fn fill(&self, key: &str, token: Uuid, value: Bytes) -> Result<(), CacheError> {
        let mut connection = self.connection.clone();
        let mut call = self.fill.key(self.key(key));
        call.arg(token.to_string())
            .arg(value.as_ref())
            .arg(limits::CACHE_TTL.as_millis() as u64);
        self.ask(call.invoke_async::<i64>(&mut connection)).await.map(drop)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), CacheError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection.clone();
        let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        let delete = redis::cmd("DEL").arg(keys).to_owned();
        self.ask(delete.query_async::<i64>(&mut connection)).await.map(drop)
    }
}
