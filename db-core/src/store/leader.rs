//! The connections to the leader. They are replaced as a whole when another server leads: those to a server that hangs would
//! otherwise stay in the pool for as long as it does.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use common::limits;
use parking_lot::RwLock;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{
    StoreError,
    lsn::Lsn,
    replicas::Replicas,
    servers::{Place, Servers, leads},
};

/// What leads to one server.
#[derive(Clone)]
pub struct Line {
    pub pool: PgPool,
    /// For small questions that may not wait behind others.
    pub watch: PgPool,
    /// What is written by it: behind a server that hangs it is not the next one's burden.
    pub writes: Arc<Semaphore>,
    to: Place,
}

impl Line {
    fn to(servers: &Servers, to: Place) -> Self {
        let options = servers.at(to);
        let watch = pool()
            .max_connections(limits::WATCH_CONNECTIONS)
            .acquire_timeout(limits::HEALTH_DEADLINE);
        let pool = pool()
            .max_connections(limits::DATABASE_CONNECTIONS)
            .acquire_timeout(limits::CALL_DEADLINE);
        Self {
            watch: lazy(watch, options),
            pool: lazy(pool, options),
            writes: Arc::new(Semaphore::new(limits::WRITES_AT_ONCE)),
            to,
        }
    }

    /// Nothing new goes this way; what is under way may end.
    fn end(self) {
        for pool in [self.pool, self.watch] {
            tokio::spawn(async move { pool.close().await });
        }
    }
}

fn lazy(pool: PgPoolOptions, options: &PgConnectOptions) -> PgPool {
    pool.connect_lazy_with(options.clone())
}

fn pool() -> PgPoolOptions {
    PgPoolOptions::new()
        // A round trip on every use would double the cost of a send; a connection that is broken says so itself.
        .test_before_acquire(false)
        // A leader that comes back as a replica would answer with what it has not heard of yet.
        .after_connect(|connection, _| {
            Box::pin(async move {
                match leads(&mut *connection).await? {
                    true => Ok(()),
                    false => Err(sqlx::Error::Configuration("this server is a replica now".into())),
                }
            })
        })
}

pub struct Leader {
    servers: Servers,
    line: RwLock<Line>,
    /// Nobody led when all were last asked.
    is_missing: AtomicBool,
    pub replicas: Replicas,
}

impl Leader {
    /// Finds the leader, and goes on doing so when there are several servers.
    ///
    /// # Errors
    /// When none of them is one now.
    pub async fn find(servers: Servers) -> Result<Arc<Self>, StoreError> {
        let place = servers.leader().await?;
        let leader = Arc::new(Self {
            line: RwLock::new(Line::to(&servers, place)),
            is_missing: AtomicBool::new(false),
            replicas: Replicas::of(&servers),
            servers,
        });
        if !leader.servers.is_one() {
            tokio::spawn(follow(Arc::downgrade(&leader)));
        }
        Ok(leader)
    }

    pub fn line(&self) -> Line {
        self.line.read().clone()
    }

    /// Whether the present one says that it still leads.
    async fn stands(&self) -> bool {
        let watch = self.line().watch;
        matches!(timeout(limits::LEADER_ANSWER, leads(&watch)).await, Ok(Ok(true)))
    }

    pub fn is_missing(&self) -> bool {
        self.is_missing.load(Ordering::Relaxed)
    }

    /// How far its log is on disk: all that was acknowledged before this was asked is up to there.
    ///
    /// # Errors
    /// Those of the driver.
    pub async fn place(&self) -> Result<Lsn, sqlx::Error> {
        let ask = "select pg_current_wal_flush_lsn()::text";
        let text: String = sqlx::query_scalar(ask).fetch_one(&self.line().watch).await?;
        Lsn::of_postgres(&text)
    }

    async fn look(&self) {
        if self.is_missing() || !self.stands().await {
            self.find_another().await;
        }
        let leader = (!self.is_missing()).then(|| self.line().to);
        self.replicas.look(leader).await;
    }

    async fn find_another(&self) {
        let found = self.servers.leader().await;
        match &found {
            Ok(place) if *place != self.line().to => {
                tracing::warn!(server = self.servers.name(*place), "another Postgres leads");
                let line = Line::to(&self.servers, *place);
                std::mem::replace(&mut *self.line.write(), line).end();
            }
            // It came back.
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "no Postgres leads"),
        }
        self.is_missing.store(found.is_err(), Ordering::Relaxed);
    }
}

/// For as long as somebody needs the leader.
async fn follow(leader: Weak<Leader>) {
    loop {
        let Some(known) = leader.upgrade() else { return };
        known.look().await;
        drop(known);
        sleep(limits::LEADER_LOOK).await;
    }
}
