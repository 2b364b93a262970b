//! The Postgres and the Redis of a stack's own: started before its services, started again when they die, stopped last.

use std::time::Duration;

use local_servers::{Postgres, Redis};
use service::CancellationToken;
use stack::Folder;

use crate::{Topology, Up, up::progress};

const LOOK: Duration = Duration::from_millis(250);

pub struct Servers {
    redis: Option<Redis>,
    postgres: Option<Postgres>,
}

impl Servers {
    /// Starts those that the arguments don't name.
    ///
    /// # Errors
    /// When one doesn't come up; with its last words.
    pub fn start(arguments: &Up, folder: &Folder) -> anyhow::Result<Self> {
        let mut servers = Self {
            redis: None,
            postgres: None,
        };
        if arguments.postgres.is_none() {
            progress("starting Postgres");
            servers.postgres = Some(Postgres::start(&folder.path().join("postgres"))?);
        }
        if arguments.redis.is_none() && arguments.topology == Topology::Split {
            progress("starting Redis");
            servers.redis = Some(Redis::start(&folder.path().join("redis"))?);
        }
        Ok(servers)
    }

    pub fn postgres_url(&self) -> Option<String> {
        self.postgres.as_ref().map(|postgres| postgres.url().to_owned())
    }

    pub fn redis_url(&self) -> Option<String> {
        self.redis.as_ref().map(|redis| redis.url().to_owned())
    }

    pub fn pids(&self) -> Vec<(String, Vec<u32>)> {
        let postgres = self.postgres.as_ref().map(|postgres| ("postgres", postgres.pid()));
        let redis = self.redis.as_ref().map(|redis| ("redis", redis.pid()));
        let named = |(name, pid): (&str, u32)| (name.to_owned(), vec![pid]);
        [postgres, redis].into_iter().flatten().map(named).collect()
    }

    /// Starts again what dies, until `stop`; `changed` hears of new processes.
    pub async fn supervise(&mut self, stop: &CancellationToken, changed: impl Fn(Vec<(String, Vec<u32>)>)) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let (mut again, mut failed) = (Vec::new(), Vec::new());
            tokio::task::block_in_place(|| {
                let postgres = self.postgres.as_mut().map(|server| ("postgres", server.revive()));
                let redis = self.redis.as_mut().map(|server| ("redis", server.revive()));
                for (name, outcome) in [postgres, redis].into_iter().flatten() {
                    match outcome {
                        Ok(false) => {}
                        Ok(true) => again.push(name),
                        Err(error) => failed.push((name, error)),
                    }
                }
            });
            for (process, error) in failed {
                tracing::warn!(
                    process,
                    error = format!("{error:#}"),
                    "a server died and does not come up yet"
                );
            }
            if !again.is_empty() {
                tracing::warn!(processes = again.join(", "), "servers died and were started again");
                changed(self.pids());
            }
        }
    }
}
