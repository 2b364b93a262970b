//! A stage in one process: gateways on unsteady ways to several db-core and to the bus.

use std::sync::Arc;

use async_trait::async_trait;
use bus::Bus;
use db_api::DbApi;
use service::CancellationToken;

use super::{Breaker, Plan, Stage, gateways::Gateways, postgres::Database, weather};
use crate::{
    chance::Chance,
    client::Connect,
    faults::{DbState, UnsteadyDb, Weather},
};

/// What gateways and people reach: one log behind several db-core, and the bus.
pub struct System {
    pub cores: Vec<Arc<dyn DbApi>>,
    /// The same without faults.
    pub truth: Arc<dyn DbApi>,
    pub bus: Arc<dyn Bus>,
    /// Where it is a real one: its connections may break.
    pub database: Option<Arc<Database>>,
}

pub fn stage(seed: u64, system: System, plan: &Plan) -> Stage {
    let weather = weather(seed);
    let gateways = Gateways::start(seed, plan.gateways, &system, weather.clone());
    let (cores, around) = (system.cores.clone(), weather.clone());
    let api = move |part: &str| -> Arc<dyn DbApi> {
        let never = CancellationToken::new();
        UnsteadyDb::new(cores.clone(), around.clone(), Chance::of(seed, part), never)
    };
    let breaker = Indoors {
        gateways: gateways.clone(),
        weather: weather.clone(),
        database: system.database,
    };
    Stage {
        truth: system.truth,
        api: Box::new(api),
        connect: gateways,
        breaker: Arc::new(breaker),
        weather,
        family: "user".to_owned(),
    }
}

/// Kills and drains gateways, takes db-core and the bus away for a while, breaks a database's connections.
struct Indoors {
    gateways: Arc<Gateways>,
    weather: Arc<Weather>,
    database: Option<Arc<Database>>,
}

#[async_trait]
impl Breaker for Indoors {
    async fn disturb(&self, chance: &mut Chance) {
        let climate = &self.weather.climate;
        let (killed, outage) = (chance.happens(climate.killed), chance.happens(climate.outage));
        if killed {
            self.lose_gateway(chance).await;
        }
        if outage {
            self.lose_dependency(chance).await;
        }
    }

    async fn restore(&self) {
        self.gateways.restore();
    }
}

impl Indoors {
    async fn lose_gateway(&self, chance: &mut Chance) {
        let gateway = chance.within(0..self.gateways.gateways() as u64) as usize;
        if chance.happens(0.3) {
            self.gateways.drain(gateway);
        } else {
            self.gateways.kill(gateway);
        }
        tokio::time::sleep(chance.millis(0..1_500)).await;
        self.gateways.revive(gateway);
    }

    async fn lose_dependency(&self, chance: &mut Chance) {
        if let Some(database) = self.database.as_ref().filter(|_| chance.happens(0.4)) {
            database.hang_up().await;
            return;
        }
        match chance.within(0..4) {
            0 => self.weather.set_db(DbState::Refusing),
            1 => self.weather.set_db(DbState::Hanging),
            _ => self.weather.silence_bus(true),
        }
        tokio::time::sleep(chance.millis(50..4_000)).await;
        self.weather.set_db(DbState::Fine);
        self.weather.silence_bus(false);
    }
}
