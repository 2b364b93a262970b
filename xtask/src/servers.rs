//! One Postgres and one Redis for the tests that need them, gone when they are over.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use local_servers::{Postgres, Redis};

/// A folder that is removed with its content.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let path = env::temp_dir().join(format!("chat-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub struct Servers {
    postgres: Postgres,
    redis: Redis,
    // Behind the servers, as fields are dropped in this order.
    _scratch: Scratch,
}

impl Servers {
    /// # Errors
    /// When one of them is not installed or does not start.
    pub fn start(name: &str) -> anyhow::Result<Self> {
        let scratch = Scratch::new(name)?;
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
