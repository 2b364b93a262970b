//! Real gateways in one process, that can be killed with all their sockets and come back as new ones.

use std::sync::Arc;

use async_trait::async_trait;
use bus::Bus;
use common::{WsId, frame::SocketLimits, jwk::KeySet, token::Actor};
use db_api::DbApi;
use parking_lot::Mutex;
use service::{CancellationToken, Metrics, Verifier};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
use ws_core::{Gateway, socket::Settings};

use super::indoors::System;
use crate::{
    chance::Chance,
    client::{Connect, Io, Socket},
    faults::{UnsteadyBus, UnsteadyDb, Weather},
};

#[derive(Clone)]
struct Running {
    gateway: Arc<Gateway>,
    severed: CancellationToken,
}

pub struct Gateways {
    cores: Vec<Arc<dyn DbApi>>,
    bus: Arc<dyn Bus>,
    weather: Arc<Weather>,
    slots: Vec<Mutex<Option<Running>>>,
    chance: Mutex<Chance>,
}

/// Bytes between a gateway and a client that the network holds; few, so that a slow reader is felt.
const NETWORK_BYTES: usize = 2 * 1024;

impl Gateways {
    pub fn start(seed: u64, count: usize, system: &System, weather: Arc<Weather>) -> Arc<Self> {
        let gateways = Arc::new(Self {
            cores: system.cores.clone(),
            bus: system.bus.clone(),
            weather,
            slots: (0..count).map(|_| Mutex::default()).collect(),
            chance: Mutex::new(Chance::of(seed, "gateways")),
        });
        gateways.restore();
        gateways
    }

    fn launch(&self) -> Running {
        let severed = CancellationToken::new();
        let stream = |part| Chance::of(self.chance.lock().within(0..u64::MAX), part);
        let db = UnsteadyDb::new(self.cores.clone(), self.weather.clone(), stream("db"), severed.clone());
        let bus = UnsteadyBus::new(self.bus.clone(), self.weather.clone(), stream("bus"), severed.clone());
        let gateway = Gateway::start(
            db,
            Arc::new(bus),
            Verifier::holding("checker".to_owned(), KeySet::default()),
            settings(),
            &Metrics::new("ws", "checker"),
            severed.clone(),
        );
        Running { gateway, severed }
    }

    /// Starts what does not run.
    pub fn restore(&self) {
        (0..self.slots.len()).for_each(|gateway| self.revive(gateway));
    }

    pub fn revive(&self, gateway: usize) {
        let mut slot = self.slots[gateway].lock();
        if slot.is_none() {
            *slot = Some(self.launch());
        }
    }

    /// As SIGKILL does: its sockets break, and nothing of it happens any more. What it asked of db-core goes on.
    pub fn kill(&self, gateway: usize) {
        if let Some(running) = self.slots[gateway].lock().take() {
            running.severed.cancel();
        }
    }

    /// Sends its sockets away and takes no new ones.
    pub fn drain(&self, gateway: usize) {
        if let Some(running) = self.slots[gateway].lock().take() {
            running.gateway.drain();
        }
    }
}

/// Without rates: a client that keeps to them would only send less.
fn settings() -> Settings {
    let limits = SocketLimits {
        frames_per_second: 100_000,
        frame_burst: 100_000,
        sends_per_second: 100_000,
        send_burst: 100_000,
        ..SocketLimits::default()
    };
    Settings {
        limits,
        ..Settings::default()
    }
}

#[async_trait]
impl Connect for Gateways {
    async fn connect(&self, gateway: usize, actor: &Actor) -> Option<Socket> {
        let running = self.slots[gateway].lock().clone()?;
        let ws = WsId(self.chance.lock().uuid());
        let connection = running.gateway.enter(ws, actor.clone()).await.ok()?;
        let (client, server) = tokio::io::duplex(NETWORK_BYTES);
        let served = async move { connection.run(server).await };
        tokio::spawn(running.severed.run_until_cancelled_owned(served));
        let client: Box<dyn Io> = Box::new(client);
        Some(WebSocketStream::from_raw_socket(client, Role::Client, None).await)
    }

    fn gateways(&self) -> usize {
        self.slots.len()
    }
}
