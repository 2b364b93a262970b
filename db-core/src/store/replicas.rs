//! The servers that follow the leader. They answer what can be proved to be complete (consistency rule 12), and, while nobody
//! leads, what they have (rule 14).

use std::sync::atomic::{AtomicUsize, Ordering};

use common::limits;
use futures_util::future::join_all;
use parking_lot::RwLock;
use sqlx::{PgExecutor, PgPool, postgres::PgPoolOptions};
use tokio::time::timeout;

use super::{
    lsn::Lsn,
    servers::{Place, Servers},
};

struct Replica {
    place: Place,
    pool: RwLock<PgPool>,
    /// How far it had come when it was last asked; nothing for one that doesn't answer, or doesn't follow.
    at: RwLock<Option<Lsn>>,
}

pub struct Replicas {
    servers: Servers,
    all: Vec<Replica>,
    turn: AtomicUsize,
}

/// How far a replica has come; nothing for a server that is none.
async fn replayed<'c>(server: impl PgExecutor<'c>) -> Result<Option<Lsn>, sqlx::Error> {
    let ask = "select case when pg_is_in_recovery() then pg_last_wal_replay_lsn()::text end";
    let text: Option<String> = sqlx::query_scalar(ask).fetch_one(server).await?;
    text.map(|text| Lsn::of_postgres(&text)).transpose()
}

fn pool(servers: &Servers, place: Place) -> PgPool {
    PgPoolOptions::new()
        .test_before_acquire(false)
        .max_connections(limits::DATABASE_CONNECTIONS)
        .acquire_timeout(limits::REPLICA_ANSWER)
        .connect_lazy_with(servers.at(place).clone())
}

impl Replicas {
    /// All servers: any of them may follow one day. None is asked yet.
    pub fn of(servers: &Servers) -> Self {
        let replica = |place| Replica {
            place,
            pool: RwLock::new(pool(servers, place)),
            at: RwLock::new(None),
        };
        Self {
            servers: servers.clone(),
            all: servers.places().map(replica).collect(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Asks all but the leader how far they have come.
    pub async fn look(&self, leader: Option<Place>) {
        join_all(self.all.iter().map(|replica| async {
            let at = if leader == Some(replica.place) {
                None
            } else {
                self.ask(replica).await
            };
            *replica.at.write() = at;
        }))
        .await;
    }

    async fn ask(&self, replica: &Replica) -> Option<Lsn> {
        let present = replica.pool.read().clone();
        let at = match timeout(limits::LEADER_ANSWER, replayed(&present)).await {
            Ok(Ok(at)) => at,
            Ok(Err(_)) | Err(_) => None,
        };
        if at.is_none() && replica.at.read().is_some() {
            tracing::warn!(server = self.servers.name(replica.place), "a replica is away");
            // Connections to a server that hangs would stay for as long as it does.
            let old = std::mem::replace(&mut *replica.pool.write(), pool(&self.servers, replica.place));
            tokio::spawn(async move { old.close().await });
        }
        at
    }

    /// One that answered when it was last asked, each in its turn.
    pub fn any(&self) -> Option<PgPool> {
        let there: Vec<&Replica> = self.all.iter().filter(|replica| replica.at.read().is_some()).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        there
            .get(turn % there.len().max(1))
            .map(|replica| replica.pool.read().clone())
    }

    /// The one that has come farthest, and how far at least.
    pub fn newest(&self) -> Option<(PgPool, Lsn)> {
        let there = self
            .all
            .iter()
            .filter_map(|replica| Some((*replica.at.read(), replica)).filter(|(at, _)| at.is_some()));
        let (at, replica) = there.max_by_key(|(at, _)| *at)?;
        Some((replica.pool.read().clone(), at?))
    }
}

/// Waits for a replica to have all that stood in the leader's log up to a place; for a short time only.
///
/// # Errors
/// Those of the driver; `false` when it is too far behind.
pub async fn has_reached(replica: &PgPool, place: Lsn) -> Result<bool, sqlx::Error> {
    let until = tokio::time::Instant::now() + limits::REPLICA_LAG;
    loop {
        match replayed(replica).await? {
            Some(at) if at >= place => return Ok(true),
            Some(_) if tokio::time::Instant::now() < until => tokio::time::sleep(limits::REPLICA_LOOK).await,
            _ => return Ok(false),
        }
    }
}
