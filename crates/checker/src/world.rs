//! A run: gateways, devices, people who use the API, and a director who breaks things, until all faults are over and
//! everyone has converged or had time enough to.

mod director;
mod forms;
mod gateways;
mod indoors;
mod people;
pub mod postgres;
mod settling;

use std::{sync::Arc, time::Duration};

use common::{MessageId, RoomId, token::Actor};
use db_api::DbApi;
use parking_lot::Mutex;
use service::CancellationToken;

use crate::{
    chance::Chance,
    client::{Connect, Device, Hints, Parts},
    faults::{Climate, Weather},
    history::{DeviceHistory, History},
};

pub use director::Breaker;
pub use forms::{Form, run_seed};

type ApiOf = Box<dyn Fn(&str) -> Arc<dyn DbApi> + Send + Sync>;

/// Where a run takes place.
pub struct Stage {
    /// db-core without faults: for the first rooms, and for the logs as they stand at the end.
    pub truth: Arc<dyn DbApi>,
    /// The API as somebody of a name reaches it.
    pub api: ApiOf,
    pub connect: Arc<dyn Connect>,
    pub breaker: Arc<dyn Breaker>,
    pub weather: Arc<Weather>,
    /// What the names of its people begin with, where not all runs begin with an empty system.
    pub family: String,
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
    stage: Stage,
    people: Vec<Actor>,
    rooms: Vec<RoomId>,
}

impl World {
    fn chance(&self, part: &str) -> Chance {
        Chance::of(self.seed, part)
    }

    fn devices(&self) -> Vec<(Device, Arc<Mutex<Hints>>)> {
        let mut chance = self.chance("contested");
        let contested: Vec<MessageId> = (0..4).map(|_| MessageId(chance.uuid())).collect();
        let mut devices = Vec::new();
        for (user, actor) in self.people.iter().enumerate() {
            for number in 0..chance.within(1..3) {
                let name = format!("user {user} device {number}");
                let hints = Arc::new(Mutex::new(Hints::default()));
                let parts = Parts {
                    actor: actor.clone(),
                    rooms: self.rooms.clone(),
                    contested: contested.clone(),
                    chance: self.chance(&name),
                    weather: self.stage.weather.clone(),
                    connect: self.stage.connect.clone(),
                    api: (self.stage.api)(&format!("{name} over HTTP")),
                    hints: hints.clone(),
                    name,
                };
                devices.push((Device::new(parts), hints));
            }
        }
        devices
    }
}

/// The climate of a seed.
pub fn weather(seed: u64) -> Arc<Weather> {
    Arc::new(Weather::new(Climate::draw(&mut Chance::of(seed, "climate"))))
}

/// Runs one seed on a stage.
pub async fn run(seed: u64, stage: Stage, plan: Plan) -> History {
    let people = people::register(&*stage.truth, &stage.family, plan.users).await;
    let rooms = people::open_rooms(&*stage.truth, &people, plan.rooms).await;
    let mut posted = people::prefill(&*stage.truth, &people[0], rooms[0], plan.prefilled).await;
    let world = Arc::new(World {
        seed,
        stage,
        people,
        rooms,
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
    world.stage.breaker.restore().await;
    world.stage.weather.calm_down();
    let mut reads = Vec::new();
    for walker in walkers {
        let (wrote, read) = walker.await.unwrap_or_default();
        posted.extend(wrote);
        reads.extend(read);
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
        reads,
    }
}
