//! A run: gateways, devices, people who use the API, and a director who breaks things, until all faults are over and
//! everyone has converged or had time enough to.

mod director;
mod forms;
mod gateways;
mod people;
mod settling;

use std::{sync::Arc, time::Duration};

use bus::Bus;
use common::{MessageId, RoomId, token::Actor};
use db_api::DbApi;
use parking_lot::Mutex;
use service::CancellationToken;

use crate::{
    chance::Chance,
    client::{Connect, Device, Hints, Parts},
    faults::{Climate, UnsteadyDb, Weather},
    history::{DeviceHistory, History},
};

pub use forms::{Form, run_seed};
pub use gateways::Gateways;

/// What gateways and people reach: one log behind several db-core, and the bus.
pub struct System {
    pub cores: Vec<Arc<dyn DbApi>>,
    /// The same without faults: for the first rooms and for the logs as they stand at the end.
    pub truth: Arc<dyn DbApi>,
    pub bus: Arc<dyn Bus>,
}

/// How large a run is.
#[derive(Debug, Clone)]
pub struct Plan {
    pub gateways: usize,
    pub users: usize,
    pub rooms: usize,
    /// How long faults happen.
    pub storm: Duration,
    /// Messages that the first room has from the start: more than a `joined` holds make it truncated.
    pub prefilled: usize,
}

impl Plan {
    pub fn draw(chance: &mut Chance) -> Self {
        Self {
            gateways: chance.within(2..4) as usize,
            users: chance.within(3..6) as usize,
            rooms: chance.within(1..4) as usize,
            storm: chance.millis(4_000..14_000),
            prefilled: if chance.happens(0.06) { 1_100 } else { 0 },
        }
    }
}

/// Everybody and everything of a run.
struct World {
    seed: u64,
    system: System,
    weather: Arc<Weather>,
    people: Vec<Actor>,
    rooms: Vec<RoomId>,
    gateways: Arc<Gateways>,
}

impl World {
    fn chance(&self, part: &str) -> Chance {
        Chance::of(self.seed, part)
    }

    /// The API as people reach it.
    fn api(&self, part: &str) -> Arc<dyn DbApi> {
        let never = CancellationToken::new();
        UnsteadyDb::new(
            self.system.cores.clone(),
            self.weather.clone(),
            self.chance(part),
            never,
        )
    }

    fn devices(&self) -> Vec<(Device, Arc<Mutex<Hints>>)> {
        let mut chance = self.chance("contested");
        let contested: Vec<MessageId> = (0..4).map(|_| MessageId(chance.uuid())).collect();
        let mut devices = Vec::new();
        for (user, actor) in self.people.iter().enumerate() {
            for number in 0..chance.within(1..3) {
                let name = format!("user {user} device {number}");
                let hints = Arc::new(Mutex::new(Hints::default()));
                let connect: Arc<dyn Connect> = self.gateways.clone();
                let parts = Parts {
                    actor: actor.clone(),
                    rooms: self.rooms.clone(),
                    contested: contested.clone(),
                    chance: self.chance(&name),
                    weather: self.weather.clone(),
                    connect,
                    api: self.api(&format!("{name} over HTTP")),
                    hints: hints.clone(),
                    name,
                };
                devices.push((Device::new(parts), hints));
            }
        }
        devices
    }
}

/// Runs one seed over a system.
pub async fn run(seed: u64, system: System, plan: Plan) -> History {
    let climate = Climate::draw(&mut Chance::of(seed, "climate"));
    let weather = Arc::new(Weather::new(climate));
    let people = people::register(&*system.truth, plan.users).await;
    let rooms = people::open_rooms(&*system.truth, &people, plan.rooms).await;
    let mut posted = people::prefill(&*system.truth, &people[0], rooms[0], plan.prefilled).await;
    let gateways = Gateways::start(seed, plan.gateways, &system, weather.clone());
    let world = Arc::new(World {
        seed,
        system,
        weather,
        people,
        rooms,
        gateways,
    });
    let stop = CancellationToken::new();
    let (mut running, mut hints) = (Vec::new(), Vec::new());
    for (device, hint) in world.devices() {
        running.push(tokio::spawn(device.run(stop.clone())));
        hints.push(hint);
    }
    let walkers = (0..2).map(|walker| tokio::spawn(people::walk(world.clone(), walker)));
    let walkers: Vec<_> = walkers.collect();
    director::direct(&world, plan.storm).await;
    world.weather.calm_down();
    world.gateways.restore();
    for walker in walkers {
        posted.extend(walker.await.unwrap_or_default());
    }
    people::readmit(&world).await;
    settling::settle(&world, &hints).await;
    stop.cancel();
    let mut devices: Vec<DeviceHistory> = Vec::new();
    for device in running {
        devices.extend(device.await.ok());
    }
    History {
        seed,
        rooms: settling::logs(&world).await,
        devices,
        posted,
    }
}
