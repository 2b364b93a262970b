//! One connection to one Redis process. It never reconnects by itself: whoever answers after a reconnect may be another
//! process, and a repeated command could put an old value behind a write.

use std::{future::Future, time::Duration};

use common::limits;
use parking_lot::Mutex;
use redis::{AsyncConnectionConfig, RedisResult, aio::MultiplexedConnection};
use tokio::time::Instant;

use super::super::CacheError;

/// A connection, and whom it leads to.
#[derive(Clone)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    pub run_id: String,
    number: u64,
}

#[derive(Default)]
struct State {
    link: Option<Link>,
    number: u64,
    /// Until then no connection is tried.
    paused_until: Option<Instant>,
}

/// The way to Redis: at most one link at a time.
pub(super) struct Line {
    client: redis::Client,
    state: Mutex<State>,
    /// Held while connecting.
    connecting: tokio::sync::Mutex<()>,
}

fn away(error: redis::RedisError) -> CacheError {
    CacheError(error.to_string())
}

async fn in_time<T>(answer: Duration, query: impl Future<Output = RedisResult<T>>) -> Result<T, CacheError> {
    match tokio::time::timeout(answer, query).await {
        Ok(answer) => answer.map_err(away),
        Err(_) => Err(CacheError("no answer in time".into())),
    }
}

impl Line {
    pub fn new(url: &str) -> Result<Self, CacheError> {
        Ok(Self {
            client: redis::Client::open(url).map_err(away)?,
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    /// The link that is there.
    pub fn present(&self) -> Option<Link> {
        self.state.lock().link.clone()
    }

    /// The link, connected if there is none and none has failed a moment ago.
    pub async fn link(&self) -> Result<Link, CacheError> {
        if let Some(link) = self.present() {
            return Ok(link);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(link) = self.present() {
            return Ok(link);
        }
        if self
            .state
            .lock()
            .paused_until
            .is_some_and(|until| Instant::now() < until)
        {
            return Err(CacheError("it did not answer a moment ago".into()));
        }
        let connected = in_time(limits::CACHE_ANSWER * 2, self.connect()).await;
        let mut state = self.state.lock();
        match connected {
            Ok((connection, run_id)) => {
                state.number += 1;
                let number = state.number;
                let link = Link {
                    connection,
                    run_id,
                    number,
                };
                state.link = Some(link.clone());
                Ok(link)
            }
            Err(error) => {
                state.paused_until = Some(Instant::now() + limits::CACHE_PAUSE);
                Err(error)
            }
        }
    }

    async fn connect(&self) -> RedisResult<(MultiplexedConnection, String)> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limits::CACHE_ANSWER))
            .set_response_timeout(Some(limits::CACHE_ANSWER));
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let server: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
        Ok((connection, field(&server, "run_id").unwrap_or_default().to_owned()))
    }

    /// Asks over a link; one that failed is given up.
    pub async fn ask<T, F>(&self, link: &Link, query: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, CacheError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let answer = in_time(limits::CACHE_ANSWER, query(link.connection.clone())).await;
        if answer.is_err() {
            let mut state = self.state.lock();
            if state.link.as_ref().is_some_and(|present| present.number == link.number) {
                state.link = None;
                state.paused_until = Some(Instant::now() + limits::CACHE_PAUSE);
            }
        }
        answer
    }

    /// The replication id of a link's Redis, if it is a primary.
    pub async fn replication(&self, link: &Link) -> Result<Option<String>, CacheError> {
        let info = redis::cmd("INFO").arg("replication").to_owned();
        let ask = async |mut connection: MultiplexedConnection| info.query_async::<String>(&mut connection).await;
        Ok(replication_of(&self.ask(link, ask).await?))
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(field, _)| *field == name).map(|(_, value)| value.trim())
}

/// Of `INFO replication`: the id of a primary's history.
pub(super) fn replication_of(info: &str) -> Option<String> {
    let id = field(info, "master_replid")?;
    (field(info, "role") == Some("master")).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_has_no_history_of_its_own() {
        let primary = "# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:abc\r\n";
        assert_eq!(replication_of(primary).as_deref(), Some("abc"));
        let replica = "# Replication\r\nrole:slave\r\nmaster_replid:abc\r\n";
        assert_eq!(replication_of(replica), None);
        assert_eq!(replication_of("role:master\r\n"), None);
    }
}
