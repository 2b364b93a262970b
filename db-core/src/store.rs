//! Postgres: the leader, its schema, and the rules of writing. A write runs in a task of its own, so that nobody's deadline
//! cancels a COMMIT (consistency rule 7); the caller stops waiting, and the outcome is open.

mod leader;
mod lsn;
mod replicas;
mod servers;

use std::{future::Future, sync::Arc};

use common::limits;
use db_api::{Call, Refusal};
use sqlx::{
    PgPool,
    migrate::{MigrateError, Migrator},
};
use tokio::time::Instant;

use crate::cache::Fence;
use leader::{Leader, Line};
pub use lsn::Lsn;
pub use replicas::has_reached;
pub use servers::TIMELINE;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why db-core can't start on this database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the Postgres URL is not usable: {0}")]
    Url(#[source] sqlx::Error),
    /// With what each server said that the URL names: none takes writes.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Also a schema that a later release has made.
    #[error("the schema is not one that this release knows: {0}")]
    Schema(#[source] MigrateError),
}

#[derive(Clone)]
pub struct Store {
    leader: Arc<Leader>,
    /// Reads what replicas have, and writes nothing.
    is_left: bool,
}

impl Store {
    /// Connects to the leader among the servers of the URL, and brings the schema up to date, under a lock that several
    /// db-core share.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed then.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let leader = Leader::find(url.parse()?).await?;
        MIGRATIONS.run(&leader.line().pool).await.map_err(StoreError::Schema)?;
        let is_left = false;
        Ok(Self { leader, is_left })
    }

    /// What there is to read while nobody leads: the replica that has come farthest.
    pub fn left(&self) -> Self {
        let is_left = true;
        Self {
            is_left,
            ..self.clone()
        }
    }

    /// Connections to the present leader; of what is left, to the replica that has come farthest.
    pub fn pool(&self) -> PgPool {
        if self.is_left
            && let Some((replica, _)) = self.leader.replicas.newest()
        {
            return replica;
        }
        self.leader.line().pool
    }

    /// As [`Store::pool`], for small questions that may not wait behind others.
    pub fn watch(&self) -> PgPool {
        self.leader.line().watch
    }

    /// Connections to a replica, if there is one. It may be behind: what it says is to be proved.
    pub fn replica(&self) -> Option<PgPool> {
        if self.is_left { None } else { self.leader.replicas.any() }
    }

    /// Whether nobody leads, and a replica has at least what stood in the log up to a place.
    pub fn is_left_with(&self, place: Option<Lsn>) -> bool {
        let newest = self
            .leader
            .is_missing()
            .then(|| self.leader.replicas.newest())
            .flatten();
        newest.is_some_and(|(_, at)| place.is_none_or(|place| place <= at))
    }

    /// What whoever is acknowledged now has seen.
    pub async fn place(&self) -> Lsn {
        let place = tokio::time::timeout(limits::REPLICA_ANSWER, self.leader.place()).await;
        place.map_or(Lsn::UNKNOWN, |place| place.unwrap_or(Lsn::UNKNOWN))
    }

    /// The name of the cache that counts, kept in this database.
    pub fn fence(&self) -> Fence {
        Fence::new(self.clone())
    }

    /// As when the database is gone.
    #[cfg(test)]
    pub async fn close_for_test(&self) {
        self.watch().close().await;
    }

    /// Reads, as long as the caller waits.
    ///
    /// # Errors
    /// `Unavailable` past the deadline, else those of `query`.
    pub async fn read<T>(&self, call: &Call, query: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        tokio::time::timeout(call.deadline(), query)
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    /// Writes. The work goes on when the caller has stopped waiting, but does not begin then.
    ///
    /// # Errors
    /// `Unavailable` past the deadline or when too much is under way; the outcome is open. Else those of `work`.
    pub async fn write<T, F>(&self, call: &Call, work: impl FnOnce(PgPool) -> F + Send + 'static) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send,
    {
        let until = Instant::now() + call.deadline();
        self.write_between(until, until, work).await
    }

    /// As [`Store::write`], for work of several callers: not begun after `begin_by`, the first of their deadlines, and
    /// waited for until the last.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_between<T, F>(
        &self,
        begin_by: Instant,
        until: Instant,
        work: impl FnOnce(PgPool) -> F + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send,
    {
        if self.is_left {
            return Err(Refusal::unavailable("nobody takes writes now"));
        }
        let Line { pool, writes, .. } = self.leader.line();
        let permit = writes.try_acquire_owned();
        let permit = permit.map_err(|_| Refusal::unavailable("too many writes are under way"))?;
        let task = tokio::spawn(async move {
            let _permit = permit;
            // Waiting for a connection is waiting, not writing: it ends at the deadline.
            let connection = tokio::time::timeout_at(begin_by, pool.acquire())
                .await
                .map_err(|_| late())?;
            drop(connection.map_err(refuse)?);
            if Instant::now() >= begin_by {
                return Err(late());
            }
            work(pool).await
        });
        match tokio::time::timeout_at(until, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => {
                tracing::error!(%error, "a write panicked");
                Err(Refusal::Internal)
            }
            Err(_) => Err(late()),
        }
    }
}

pub fn late() -> Refusal {
    Refusal::unavailable("the deadline has passed")
}

/// SQLSTATEs after which another try makes sense: connection lost (08), resources (53), operator intervention (57),
/// deadlock and serialisation (40), lock timeout (55P03), and a leader that has become a replica (25006).
fn is_passing(code: &str) -> bool {
    matches!(&code[..2.min(code.len())], "08" | "40" | "53" | "57") || matches!(code, "55P03" | "25006")
}

/// An error of the database as a refusal; what is our fault is logged here.
pub fn refuse(error: sqlx::Error) -> Refusal {
    let passing = match &error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_passing(&code)),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        _ => false,
    };
    if passing {
        tracing::warn!(%error, "the database is away");
        return Refusal::unavailable(error.to_string());
    }
    tracing::error!(%error, "a query failed");
    Refusal::Internal
}

/// Whether a unique constraint was hit.
pub fn is_duplicate(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation())
}
