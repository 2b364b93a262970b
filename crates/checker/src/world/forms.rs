//! The forms of a run: over the model in virtual time, where a seed replays to the last frame; over the real db-core in real
//! time; and on the processes of a stack.

use std::sync::Arc;

use bus::MemoryBus;
use common::Timestamp;
use db_api::DbApi;
use parking_lot::Mutex;

use super::{
    Plan,
    indoors::{self, System},
    postgres::{self, Database, Servers},
    run,
};
use crate::{
    History,
    chance::Chance,
    drill::{self, Drilled},
    model::{Model, Pace, Store},
};

pub enum Form {
    Virtual,
    Postgres(Servers),
    Processes(Arc<Drilled>),
}

/// Runs one seed on a runtime of its own.
///
/// # Errors
/// When what it stands on is not there.
pub fn run_seed(seed: u64, form: &Form) -> anyhow::Result<History> {
    let plan = Plan::draw(&mut Chance::of(seed, "plan"));
    let mut builder = tokio::runtime::Builder::new_current_thread();
    match form {
        Form::Virtual => {
            let runtime = builder.enable_time().start_paused(true).build()?;
            Ok(runtime.block_on(async { run(seed, indoors::stage(seed, modelled(seed), &plan), plan).await }))
        }
        Form::Postgres(servers) => builder.enable_all().build()?.block_on(async {
            let database = Database::create(&servers.postgres).await?;
            let system = postgres::system(seed, servers, database.clone()).await?;
            let history = run(seed, indoors::stage(seed, system, &plan), plan).await;
            database.remove().await?;
            Ok(history)
        }),
        Form::Processes(stack) => builder.enable_all().build()?.block_on(async {
            let plan = Plan { prefilled: 0, ..plan };
            Ok(run(seed, drill::stage(seed, stack)?, plan).await)
        }),
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
        database: None,
    }
}
