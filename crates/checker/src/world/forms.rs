//! The two forms of a run in one process: over the model in virtual time, where a seed replays to the last frame, and over
//! the real db-core on a fresh database in real time.

use std::sync::Arc;

use anyhow::Context;
use bus::MemoryBus;
use common::{Timestamp, server_key::ServerKey};
use db_api::DbApi;
use db_core::{Core, Parts, Registration, Store as Database, cache::MemoryCache};
use parking_lot::Mutex;
use service::Metrics;
use sqlx::{Connection, PgConnection};

use super::{Plan, System, run};
use crate::{
    History,
    chance::Chance,
    model::{Model, Pace, Store},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    Virtual,
    /// Over databases of their own on the server with this URL.
    Postgres(String),
}

/// Runs one seed on a runtime of its own.
///
/// # Errors
/// When there is no database for it.
pub fn run_seed(seed: u64, form: &Form) -> anyhow::Result<History> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let plan = Plan::draw(&mut Chance::of(seed, "plan"));
    match form {
        Form::Virtual => {
            let runtime = builder.enable_time().start_paused(true).build()?;
            Ok(runtime.block_on(async { run(seed, modelled(seed), plan).await }))
        }
        Form::Postgres(server) => {
            let runtime = builder.enable_all().build()?;
            runtime.block_on(async {
                let database = FreshDatabase::create(server).await?;
                let history = run(seed, over_postgres(&database.url).await?, plan).await;
                database.remove().await?;
                Ok(history)
            })
        }
    }
}

/// When every run in virtual time begins.
const EPOCH: Timestamp = Timestamp(1_800_000_000_000);

fn modelled(seed: u64) -> System {
    let store = Store::new(Chance::of(seed, "ids"), EPOCH);
    let bus = Arc::new(MemoryBus::new());
    let core = |part: &str, times: u32| -> Arc<dyn DbApi> {
        let chance = Mutex::new(Chance::of(seed, part));
        Model::new(store.clone(), bus.clone(), Pace::Seeded { chance, times })
    };
    System {
        cores: vec![core("quick db-core", 1), core("slow db-core", 6)],
        truth: Model::new(store.clone(), bus.clone(), Pace::Ideal),
        bus,
    }
}

async fn over_postgres(url: &str) -> anyhow::Result<System> {
    let bus = Arc::new(MemoryBus::new());
    let mut cores: Vec<Arc<dyn DbApi>> = Vec::new();
    for _ in 0..2 {
        let parts = Parts {
            store: Database::open(url).await?,
            cache: Arc::new(MemoryCache::default()),
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
    })
}

struct FreshDatabase {
    server: String,
    name: String,
    url: String,
}

impl FreshDatabase {
    async fn create(server: &str) -> anyhow::Result<Self> {
        let name = format!("checker_{}", service::minted::id().simple());
        let (base, _) = server.rsplit_once('/').context("the server's URL names no database")?;
        statement(server, format!("create database {name}")).await?;
        Ok(Self {
            server: server.to_owned(),
            url: format!("{base}/{name}"),
            name,
        })
    }

    async fn remove(self) -> anyhow::Result<()> {
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
