//! Who breaks things while a storm lasts.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::World;
use crate::chance::Chance;

/// What can be broken, and is whole again.
#[async_trait]
pub trait Breaker: Send + Sync {
    /// Breaks something for a while, or nothing.
    async fn disturb(&self, chance: &mut Chance);

    /// Returns when everything runs.
    async fn restore(&self);
}

pub async fn direct(world: &World, storm: Duration) {
    let mut chance = world.chance("director");
    let until = Instant::now() + storm;
    while Instant::now() < until {
        tokio::time::sleep(chance.millis(100..1_500)).await;
        world.stage.breaker.disturb(&mut chance).await;
    }
}
