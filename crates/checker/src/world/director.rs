//! Who breaks things: kills and drains gateways, takes db-core and the bus away for a while.

use std::time::Duration;

use tokio::time::Instant;

use super::World;
use crate::{chance::Chance, client::Connect, faults::DbState};

pub async fn direct(world: &World, storm: Duration) {
    let mut chance = world.chance("director");
    let until = Instant::now() + storm;
    while Instant::now() < until {
        tokio::time::sleep(chance.millis(100..1_500)).await;
        let climate = &world.weather.climate;
        let (killed, outage) = (chance.happens(climate.killed), chance.happens(climate.outage));
        if killed {
            lose_gateway(world, &mut chance).await;
        }
        if outage {
            lose_dependency(world, &mut chance).await;
        }
    }
}

async fn lose_gateway(world: &World, chance: &mut Chance) {
    let gateway = chance.within(0..world.gateways.gateways() as u64) as usize;
    if chance.happens(0.3) {
        world.gateways.drain(gateway);
    } else {
        world.gateways.kill(gateway);
    }
    tokio::time::sleep(chance.millis(0..1_500)).await;
    world.gateways.revive(gateway);
}

async fn lose_dependency(world: &World, chance: &mut Chance) {
    match chance.within(0..4) {
        0 => world.weather.set_db(DbState::Refusing),
        1 => world.weather.set_db(DbState::Hanging),
        _ => world.weather.silence_bus(true),
    }
    tokio::time::sleep(chance.millis(50..4_000)).await;
    world.weather.set_db(DbState::Fine);
    world.weather.silence_bus(false);
}
