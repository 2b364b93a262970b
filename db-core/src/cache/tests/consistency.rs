//! A read that begins after a write was acknowledged never returns less: several db-core share a Redis, read and write all
//! the time, are slow between any two steps, die before they clear, and lose their ways to Redis and to Postgres.
//!
//! Each scenario makes one ingredient of rule 11 matter; without it this fails. The last one mixes them by a seed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use common::UserId;
use local_servers::{Redis, scratch};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use service::Metrics;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{task::JoinSet, time::sleep};

use super::{
    super::*,
    fresh_database,
    path::{Manner, Path, address},
};
use crate::Store;

const NODES: usize = 3;
/// Few, so that all meet at each.
const ENTRIES: usize = 4;

/// A db-core as far as its cache goes.
struct Node {
    cache: ReadThrough,
    redis: Path,
    postgres: Path,
}

/// A value, which is its own version; and the newest that was acknowledged.
struct Register {
    entry: Entry,
    acked: AtomicI64,
}

struct World {
    nodes: Vec<Node>,
    registers: Vec<Register>,
    /// The leader, which is always there for values; the nodes' own ways to it carry the name of the cache.
    leader: PgPool,
    primary: String,
    replica: String,
    _servers: [Redis; 2],
    hits: AtomicU64,
    over: AtomicBool,
}

async fn command(url: &str, words: &[&str]) {
    let client = ::redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = ::redis::Cmd::new();
    command.arg(words).exec_async(&mut connection).await.unwrap();
}

async fn follow(follower: &str, of: &str) {
    let at = address(of);
    command(follower, &["REPLICAOF", &at.ip().to_string(), &at.port().to_string()]).await;
}

impl World {
    async fn new(folder: &std::path::Path) -> Arc<Self> {
        let database = fresh_database().await;
        let leader = PgPoolOptions::new()
            .max_connections(8)
            .connect(&database)
            .await
            .unwrap();
        let make = "create table register (place int primary key, version bigint not null)";
        sqlx::query(make).execute(&leader).await.unwrap();
        let fill = "insert into register select place, 1 from generate_series(0, $1) place";
        sqlx::query(fill).bind(ENTRIES as i32).execute(&leader).await.unwrap();
        let servers = Redis::start_pair(folder).unwrap();
        let [primary, replica] = servers.each_ref().map(|server| server.url().to_owned());
        follow(&replica, &primary).await;
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let (redis, postgres) = (Path::to(&primary).await, Path::to(&database).await);
            let store = Store::open(postgres.url()).await.unwrap();
            let engine = Arc::new(RedisCache::start(redis.url(), "", store.fence()).unwrap());
            let cache = ReadThrough::new(engine, &Metrics::new("db", "test"));
            nodes.push(Node { cache, redis, postgres });
        }
        let register = |_| Register {
            entry: Entry::User(UserId(service::minted::id())),
            acked: AtomicI64::new(1),
        };
        let world = Arc::new(Self {
            nodes,
            registers: (0..ENTRIES).map(register).collect(),
            leader,
            primary,
            replica,
            _servers: servers,
            hits: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        world.opened().await;
        world
    }

    async fn opened(&self) {
        for node in &self.nodes {
            while !node.cache.is_there().await {
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn version(&self, place: usize) -> Result<i64, Refusal> {
        let read = sqlx::query_scalar("select version from register where place = $1").bind(place as i32);
        read.fetch_one(&self.leader).await.map_err(crate::store::refuse)
    }

    async fn read(&self, chance: &mut StdRng, node: usize, place: usize) {
        let register = &self.registers[place];
        let (before, after) = (pause(chance), pause(chance));
        let acked = register.acked.load(Ordering::SeqCst);
        let mut was_read = false;
        let look_up = || {
            was_read = true;
            async {
                sleep(before).await;
                let version = self.version(place).await?;
                sleep(after).await;
                Ok((version, version))
            }
        };
        let read = self.nodes[node].cache.get(register.entry, look_up).await;
        if let Ok(version) = read {
            assert!(
                version >= acked,
                "db-core {node} reads {version} of {place} after {acked} was acknowledged"
            );
            if !was_read {
                self.hits.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A write whose db-core may be slow, or dead, between its commit and what it owes the cache.
    async fn write(&self, chance: &mut StdRng, node: usize, place: usize) {
        let (stall, dies) = (pause(chance), chance.random_bool(0.2));
        let commit = "update register set version = version + 1 where place = $1 returning version";
        let commit = sqlx::query_scalar(commit).bind(place as i32).fetch_one(&self.leader);
        let version: i64 = commit.await.unwrap();
        if dies {
            return;
        }
        sleep(stall).await;
        let register = &self.registers[place];
        if self.nodes[node].cache.written(&[register.entry]).await.is_ok() {
            register.acked.fetch_max(version, Ordering::SeqCst);
        }
    }

    /// Heads are handed out, and a gateway acks from them.
    async fn hand_out(&self, chance: &mut StdRng, node: usize, place: usize) {
        let Ok(version) = self.version(place).await else { return };
        sleep(pause(chance)).await;
        let register = &self.registers[place];
        if self.nodes[node]
            .cache
            .handed_out(&[(register.entry, version)])
            .await
            .is_ok()
        {
            register.acked.fetch_max(version, Ordering::SeqCst);
        }
    }
}

/// Mostly none, sometimes longer than others take for all they do.
fn pause(chance: &mut StdRng) -> Duration {
    match chance.random_range(0..100) {
        0..60 => Duration::ZERO,
        60..97 => Duration::from_millis(chance.random_range(0..10)),
        _ => Duration::from_millis(chance.random_range(10..700)),
    }
}

async fn busy(world: Arc<World>, node: usize, mut chance: StdRng) {
    while !world.over.load(Ordering::Relaxed) {
        let place = chance.random_range(0..ENTRIES);
        match chance.random_range(0..100) {
            0..80 => world.read(&mut chance, node, place).await,
            80..92 => world.write(&mut chance, node, place).await,
            _ => world.hand_out(&mut chance, node, place).await,
        }
        sleep(Duration::from_micros(chance.random_range(200..2_000))).await;
    }
}

/// Keeps all nodes busy while something happens to them.
async fn under_load<F: Future<Output = ()>>(name: &str, seed: u64, happens: impl FnOnce(Arc<World>, StdRng) -> F) {
    let folder = scratch("cache").unwrap();
    let world = World::new(folder.path()).await;
    let mut tasks = JoinSet::new();
    for worker in 0..NODES * 4 {
        let chance = StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(worker as u64));
        tasks.spawn(busy(world.clone(), worker % NODES, chance));
    }
    happens(world.clone(), StdRng::seed_from_u64(seed)).await;
    world.over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap_or_else(|_| panic!("{name}, seed {seed}: a read was old; above is which"));
    }
    assert!(world.hits.load(Ordering::Relaxed) > 100, "the cache was in use");
    let mut acked = world
        .registers
        .iter()
        .map(|register| register.acked.load(Ordering::SeqCst));
    assert!(acked.all(|acked| acked > 1), "writes were acknowledged");
}

const A_WHILE: Duration = Duration::from_millis(700);

/// A writer that can't reach Redis closes the cache and waits; when it opens again, nobody may read before all write to it.
#[tokio::test]
async fn one_of_several_loses_redis_and_finds_it_again() {
    under_load("cut off", 1, |world, _| async move {
        for manner in [Manner::Cut, Manner::Held, Manner::Cut] {
            world.nodes[0].redis.be(manner);
            sleep(A_WHILE).await;
            world.nodes[0].redis.be(Manner::Through);
            world.opened().await;
            sleep(A_WHILE).await;
        }
    })
    .await;
}

/// A reader that hears nothing of the name any more trusts it for half a second at most, while others close the cache.
#[tokio::test]
async fn one_hears_nothing_of_the_name_while_another_closes_it() {
    under_load("lease", 2, |world, _| async move {
        for _ in 0..2 {
            world.nodes[1].postgres.be(Manner::Held);
            sleep(Duration::from_millis(50)).await;
            world.nodes[0].redis.be(Manner::Cut);
            sleep(A_WHILE * 2).await;
            world.nodes[0].redis.be(Manner::Through);
            sleep(A_WHILE).await;
            world.nodes[1].postgres.be(Manner::Through);
            world.opened().await;
            sleep(A_WHILE).await;
        }
    })
    .await;
}

/// Everything is lost, again and again, between a reader's look and its fill.
#[tokio::test]
async fn redis_forgets_while_readers_fill() {
    under_load("flushed", 3, |world, mut chance| async move {
        for _ in 0..40 {
            command(&world.primary, &["FLUSHALL"]).await;
            sleep(Duration::from_millis(chance.random_range(0..100))).await;
        }
    })
    .await;
}

/// A replica that lacks the last commands becomes the primary, and the old one its replica. The ways to it change one after
/// the other, some of them only once the old primary follows the new.
#[tokio::test]
async fn a_replica_that_lacks_the_last_writes_takes_over() {
    under_load("promoted", 4, |world, _| async move {
        // It can't keep up: what is deleted from here on it still has.
        command(&world.replica, &["REPLICAOF", "NO", "ONE"]).await;
        sleep(A_WHILE).await;
        world.nodes[0].redis.lead_to(address(&world.replica));
        sleep(Duration::from_millis(150)).await;
        world.nodes[1].redis.lead_to(address(&world.replica));
        sleep(Duration::from_millis(150)).await;
        follow(&world.primary, &world.replica).await;
        sleep(A_WHILE).await;
        world.nodes[2].redis.lead_to(address(&world.replica));
        world.opened().await;
        sleep(A_WHILE).await;
    })
    .await;
}

#[tokio::test]
async fn anything_at_any_time() {
    let seeds = std::env::var("CHAT_CACHE_SEEDS").unwrap_or_else(|_| "10,11,12".into());
    let mut runs = JoinSet::new();
    for seed in seeds.split(',').map(|seed| seed.parse().unwrap()) {
        runs.spawn(under_load("mixed", seed, |world, mut chance| async move {
            for _ in 0..25 {
                something(&world, &mut chance).await;
                sleep(Duration::from_millis(chance.random_range(0..400))).await;
            }
            for node in &world.nodes {
                node.redis.be(Manner::Through);
                node.postgres.be(Manner::Through);
            }
            world.opened().await;
            sleep(A_WHILE).await;
        }));
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

async fn something(world: &World, chance: &mut StdRng) {
    let node = &world.nodes[chance.random_range(0..NODES)];
    match chance.random_range(0..100) {
        0..20 => node.redis.be(Manner::Cut),
        20..35 => node.redis.be(Manner::Held),
        35..55 => node.redis.be(Manner::Through),
        55..65 => node.postgres.be(Manner::Held),
        65..80 => node.postgres.be(Manner::Through),
        80..90 => command(&world.primary, &["FLUSHALL"]).await,
        _ => world.nodes.iter().for_each(|node| node.redis.be(Manner::Through)),
    }
}
