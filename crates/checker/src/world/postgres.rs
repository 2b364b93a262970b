//! The real db-core in this process: two of them over a fresh database, with the cache and the bus on a real Redis.

use std::sync::Arc;

use anyhow::Context;
use bus::{Bus, MemoryBus, RedisBus};
use common::server_key::ServerKey;
use db_api::DbApi;
use db_core::{Core, Parts, Registration, Store, cache::RedisCache};
use service::Metrics;
use sqlx::{Connection, PgConnection};

use super::indoors::System;

/// Where the servers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers {
    pub postgres: String,
    pub redis: String,
}

/// Every second seed hears announcements by way of Redis, the others in memory.
pub async fn system(seed: u64, servers: &Servers, database: Arc<Database>) -> anyhow::Result<System> {
    let prefix = format!("{}:", database.name);
    let bus: Arc<dyn Bus> = if seed.is_multiple_of(2) {
        Arc::new(RedisBus::new(&servers.redis, &prefix)?)
    } else {
        Arc::new(MemoryBus::new())
    };
    let mut cores: Vec<Arc<dyn DbApi>> = Vec::new();
    for _ in 0..2 {
        let store = Store::open(&database.url).await?;
        let cache = RedisCache::start(&servers.redis, &prefix, store.fence())?;
        let parts = Parts {
            store,
            cache: Arc::new(cache),
            bus: bus.clone(),
            server_key: ServerKey::new([7; 32]),
            registration: Registration::Open,
            metrics: Metrics::new("db", "checker"),
        };
        cores.push(Core::new(parts)?);
    }
    Ok(System {
        truth: cores[0].clone(),
        cores,
        bus,
        database: Some(database),
    })
}

/// A database of a run's own.
pub struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    pub async fn create(server: &str) -> anyhow::Result<Arc<Self>> {
        let name = format!("checker_{}", service::minted::id().simple());
        let (base, _) = server.rsplit_once('/').context("the server's URL names no database")?;
        statement(server, format!("create database {name}")).await?;
        Ok(Arc::new(Self {
            server: server.to_owned(),
            url: format!("{base}/{name}"),
            name,
        }))
    }

    /// Ends every connection to it, whatever it is in the middle of.
    pub async fn hang_up(&self) {
        let each = "select pg_terminate_backend(pid) from pg_stat_activity where datname";
        if let Err(error) = statement(&self.server, format!("{each} = '{}'", self.name)).await {
            tracing::warn!(%error, "the connections could not be broken");
        }
    }

    pub async fn remove(&self) -> anyhow::Result<()> {
        statement(&self.server, format!("drop database {} with (force)", self.name)).await
    }
}

async fn statement(server: &str, statement: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&mut connection)
        .await?;
    Ok(())
}
