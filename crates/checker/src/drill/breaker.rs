//! What happens to the processes of a stack.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process};
use service::client::{self, HttpClient};
use tokio::time::Instant;

use super::{
    Drilled,
    garbling::{Garbled, Garbling},
    proxy::Cut,
};
use crate::{chance::Chance, world::Breaker};

pub struct Processes {
    stack: Arc<Drilled>,
    client: HttpClient,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    GatewayDies,
    GatewayHangs,
    DbCoreDiesBeforeItAnswers,
    DbCoreHangs,
    PostgresDies,
    RedisHangs,
    RedisForgets,
    GatewayIsCutFromRedis,
    DbCoreIsCutFromRedis,
    RedisIsReplaced,
    AnnouncementsAreGarbled,
}

const FAULTS: [Fault; 11] = [
    Fault::GatewayDies,
    Fault::GatewayHangs,
    Fault::DbCoreDiesBeforeItAnswers,
    Fault::DbCoreHangs,
    Fault::PostgresDies,
    Fault::RedisHangs,
    Fault::RedisForgets,
    Fault::GatewayIsCutFromRedis,
    Fault::DbCoreIsCutFromRedis,
    Fault::RedisIsReplaced,
    Fault::AnnouncementsAreGarbled,
];

/// For all to run again after the last fault.
const RECOVERY: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
const ANSWER: Duration = Duration::from_secs(2);
const ANSWER_BYTES: usize = 64 * 1024;
/// Between the moment in which a process is stopped, with what it has asked of others under way, and its end.
const BETWEEN_COMMIT_AND_ANSWER: Duration = Duration::from_millis(60);

impl Processes {
    pub fn new(stack: Arc<Drilled>) -> Self {
        Self {
            stack,
            client: client::client(),
        }
    }

    /// One process of a family, if it runs now.
    fn one_of(&self, chance: &mut Chance, family: &str) -> Option<u32> {
        let pids = self.stack.endpoints().ok()?.family(family);
        (!pids.is_empty()).then(|| *chance.pick(&pids))
    }

    async fn kill(&self, chance: &mut Chance, family: &str) {
        if let Some(process) = self.one_of(chance, family) {
            signal(process, Signal::KILL);
            tokio::time::sleep(chance.millis(100..2_500)).await;
        }
    }

    /// What it has sent to its database is done, and nobody hears of it.
    async fn kill_before_it_answers(&self, chance: &mut Chance) {
        if let Some(process) = self.one_of(chance, "db-core") {
            signal(process, Signal::STOP);
            tokio::time::sleep(BETWEEN_COMMIT_AND_ANSWER).await;
            signal(process, Signal::KILL);
            tokio::time::sleep(chance.millis(100..2_500)).await;
        }
    }

    async fn hang(&self, chance: &mut Chance, process: Option<u32>) {
        if let Some(process) = process {
            signal(process, Signal::STOP);
            tokio::time::sleep(chance.millis(200..4_000)).await;
            signal(process, Signal::CONT);
        }
    }

    async fn cut(&self, chance: &mut Chance, family: &str) {
        let how = *chance.pick(&[Cut::Closed, Cut::Silent]);
        if let Some(process) = self.one_of(chance, family) {
            self.stack.proxy.cut(process, how);
            tokio::time::sleep(chance.millis(500..4_000)).await;
            self.stack.proxy.heal(process);
        }
    }

    /// What one gateway hears of the others is dropped, repeated and late, and nothing says so.
    async fn garble(&self, chance: &mut Chance) {
        if let Some(gateway) = self.one_of(chance, "ws-core") {
            self.stack.proxy.garble(gateway, Garbling::draw(chance));
            tokio::time::sleep(chance.millis(1_000..5_000)).await;
            let Garbled {
                dropped,
                repeated,
                overtaken,
            } = self.stack.proxy.clear(gateway);
            tracing::info!(dropped, repeated, overtaken, "announcements were garbled");
        }
    }

    /// Another Redis takes the place of the one that counts, and lacks what was written in between.
    async fn replace_redis(&self, chance: &mut Chance) {
        let copied = self.stack.redis.copy().await;
        tokio::time::sleep(chance.millis(20..600)).await;
        match copied {
            Ok(copy) => {
                self.stack.proxy.switch(copy);
                self.stack.redis.promoted();
            }
            Err(error) => tracing::warn!(%error, "Redis was not replaced"),
        }
    }

    async fn flush(&self) {
        if let Err(error) = self.stack.redis.flush().await {
            tracing::warn!(%error, "Redis was not flushed");
        }
    }

    async fn is_ready(&self) -> bool {
        let Ok(endpoints) = self.stack.endpoints() else {
            return false;
        };
        for metrics in endpoints.metrics.values() {
            let Ok(request) = client::get(&metrics.replace("/metrics", "/readyz")) else {
                return false;
            };
            match client::call(&self.client, request, ANSWER, ANSWER_BYTES).await {
                Ok(answer) if answer.status().is_success() => {}
                _ => return false,
            }
        }
        true
    }
}

#[async_trait]
impl Breaker for Processes {
    async fn disturb(&self, chance: &mut Chance) {
        let fault = *chance.pick(&FAULTS);
        tracing::info!(?fault, "a fault begins");
        match fault {
            Fault::GatewayDies => self.kill(chance, "ws-core").await,
            Fault::GatewayHangs => {
                let gateway = self.one_of(chance, "ws-core");
                self.hang(chance, gateway).await;
            }
            Fault::DbCoreDiesBeforeItAnswers => self.kill_before_it_answers(chance).await,
            Fault::DbCoreHangs => {
                let db = self.one_of(chance, "db-core");
                self.hang(chance, db).await;
            }
            Fault::PostgresDies => self.kill(chance, "postgres").await,
            Fault::RedisHangs => self.hang(chance, Some(self.stack.redis.pid())).await,
            Fault::RedisForgets => self.flush().await,
            Fault::GatewayIsCutFromRedis => self.cut(chance, "ws-core").await,
            Fault::DbCoreIsCutFromRedis => self.cut(chance, "db-core").await,
            Fault::RedisIsReplaced => self.replace_redis(chance).await,
            Fault::AnnouncementsAreGarbled => self.garble(chance).await,
        }
    }

    async fn restore(&self) {
        let until = Instant::now() + RECOVERY;
        while !self.is_ready().await && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// One that has just ended needs none.
fn signal(process: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(process as i32) {
        let _ = kill_process(pid, signal);
    }
}
