//! One Postgres and one Redis for the tests that need them, gone when they are over.

use std::process::Command;

use local_servers::{Postgres, Redis, TempDir, scratch};

pub struct Servers {
    postgres: Postgres,
    redis: Redis,
    // Behind the servers, as fields are dropped in this order.
    _scratch: TempDir,
}

impl Servers {
    /// # Errors
    /// When one of them is not installed or does not start.
    pub fn start(name: &str) -> anyhow::Result<Self> {
        let scratch = scratch(name)?;
        Ok(Self {
            postgres: Postgres::start(&scratch.path().join("postgres"))?,
            redis: Redis::start(&scratch.path().join("redis"))?,
            _scratch: scratch,
        })
    }

    /// The command, told where they are.
    pub fn beside(&self, mut command: Command) -> Command {
        command
            .env("CHAT_TEST_POSTGRES", self.postgres.url())
            .env("CHAT_TEST_REDIS", self.redis.url());
        command
    }
}
