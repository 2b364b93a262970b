//! Reads that are not the leader's: those that a replica can prove to be complete (consistency rule 12), and those of what is
//! left while nobody leads (rule 14). Nothing of either is cached.

use std::{future::Future, sync::Arc};

use common::limits;
use db_api::{Call, Refusal};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use service::Metrics;
use sqlx::PgPool;
use tokio::time::timeout;

use crate::{Core, cache::ReadThrough, store::Lsn};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    entity: &'static str,
    outcome: &'static str,
}

/// How often replicas were asked, and with what success.
#[derive(Clone)]
pub struct Elsewhere(Family<Outcome, Counter>);

impl Elsewhere {
    pub fn new(metrics: &Metrics) -> Self {
        let help = "Reads that asked a replica: complete, behind (the leader answered), failed (likewise)";
        Self(metrics.register("db_replica_reads", help, Family::default()))
    }
}

impl Core {
    /// What a replica says, when there is one and it can prove that nothing is missing: `read` finds nothing otherwise.
    pub(crate) async fn of_replica<T, F>(&self, entity: &'static str, read: impl FnOnce(PgPool) -> F) -> Option<T>
    where
        F: Future<Output = Result<Option<T>, Refusal>>,
    {
        let replica = self.store.replica()?;
        let (outcome, found) = match timeout(limits::REPLICA_ANSWER, read(replica)).await {
            Ok(Ok(Some(found))) => ("complete", Some(found)),
            Ok(Ok(None)) => ("behind", None),
            Ok(Err(_)) | Err(_) => ("failed", None),
        };
        self.elsewhere.0.get_or_create(&Outcome { entity, outcome }).inc();
        found
    }

    /// Whoever answers this call while nobody leads: nobody for one that may not be answered so, or that has seen more than
    /// what is left.
    pub(crate) fn left_for(&self, call: &Call) -> Option<&Core> {
        let seen = call.seen.as_ref().map(Lsn::seen);
        let stands_in = call.may_be_stale && self.store.is_left_with(seen);
        self.left.as_deref().filter(|_| stands_in)
    }

    /// The same, on what is left while nobody leads, and without a cache.
    pub(crate) fn on_what_is_left(&self) -> Core {
        Core {
            store: self.store.left(),
            cache: Arc::new(ReadThrough::without_engine()),
            // What was cleared of no cache is not cleared of the other.
            handed_out: moka::sync::Cache::new(0),
            ..self.clone()
        }
    }
}
