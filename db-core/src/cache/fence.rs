//! Which cache counts (consistency rule 11). A row in Postgres names one Redis and a generation of keys, and says whether it
//! is closed, filling or open; it changes only by compare-and-set. Each db-core confirms it ten times a second and trusts it
//! for half a second, so that a change is known everywhere after one wait.
//!
//! Closed: nobody uses the cache, and a writer acks only once it has known that for a wait. Filling: writers clear the cache,
//! readers keep away. Open: readers use it, writers clear it before they ack.

use common::limits;
use parking_lot::Mutex;
use sqlx::{FromRow, Postgres, postgres::PgArguments, query::QueryAs};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::Unsure;
use crate::store::Store;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed,
    Filling,
    Open,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Filling => "filling",
            State::Open => "open",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [State::Closed, State::Filling, State::Open]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// One Redis process as a primary with one history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    pub run_id: String,
    pub replication_id: String,
}

/// The row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub generation: Uuid,
    pub primary: Primary,
    pub state: State,
}

#[derive(FromRow)]
struct Row {
    generation: Uuid,
    run_id: String,
    replication_id: String,
    state: String,
}

/// What this process knows of the row.
struct Known {
    name: Name,
    /// When the question was sent that it answered: it is at least as new as that.
    sent: Instant,
    /// When an answer first showed this generation in this state.
    since: Instant,
}

pub struct Fence {
    store: Store,
    known: Mutex<Option<Known>>,
}

const READ: &str = "select generation, run_id, replication_id, state from cache_name";
/// Nothing but what stood there is replaced; answers what stands there afterwards.
const CHANGE: &str = "with changed as (update cache_name set generation = $3, run_id = $4, replication_id = $5, state = $6 \
     where generation = $1 and state = $2 returning generation, run_id, replication_id, state) \
     select * from changed union all select generation, run_id, replication_id, state from cache_name \
     where not exists (select 1 from changed)";

impl Fence {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: Mutex::new(None),
        }
    }

    /// The name, if it can be trusted without asking.
    pub fn look(&self) -> Option<Name> {
        let known = self.known.lock();
        let known = known.as_ref()?;
        (known.sent.elapsed() < limits::CACHE_NAME_TRUSTED).then(|| known.name.clone())
    }

    /// Asks for the name.
    ///
    /// # Errors
    /// When the leader does not answer.
    pub async fn confirm(&self) -> Result<Name, Unsure> {
        let sent = Instant::now();
        let row = self.ask(sqlx::query_as(READ)).await?;
        self.heard(sent, row)
    }

    /// Changes the name, unless somebody was quicker; answers what it is then.
    ///
    /// # Errors
    /// When the leader does not answer; the change may have happened.
    pub async fn change(&self, from: &Name, to: &Name) -> Result<Name, Unsure> {
        let sent = Instant::now();
        let change = sqlx::query_as(CHANGE)
            .bind(from.generation)
            .bind(from.state.as_str())
            .bind(to.generation)
            .bind(&to.primary.run_id)
            .bind(&to.primary.replication_id)
            .bind(to.state.as_str());
        let row = self.ask(change).await?;
        self.heard(sent, row)
    }

    /// A connection that does not answer in time is given up: the pool would wait for it when it comes back.
    async fn ask(&self, query: QueryAs<'_, Postgres, Row, PgArguments>) -> Result<Row, Unsure> {
        let unsure = |error: sqlx::Error| Unsure(error.to_string());
        // A wait behind others would be a name that can't be trusted.
        let mut connection = self.store.watch().acquire().await.map_err(unsure)?;
        match timeout(limits::CACHE_NAME_TRUSTED, query.fetch_one(&mut *connection)).await {
            Ok(row) => row.map_err(unsure),
            Err(_) => {
                drop(connection.detach());
                Err(Unsure("no answer in time".into()))
            }
        }
    }

    /// Closes the cache, as its Redis can't be reached from here; answers what the name is then.
    ///
    /// # Errors
    /// As [`Fence::change`].
    pub async fn close(&self, name: &Name) -> Result<Name, Unsure> {
        let closed = Name {
            state: State::Closed,
            ..name.clone()
        };
        let now = self.change(name, &closed).await?;
        if now == closed {
            tracing::warn!(generation = %name.generation, "the cache is closed: its Redis cannot be reached from here");
        }
        Ok(now)
    }

    /// Returns once this process has known this generation in this state for a wait: then everybody does.
    pub async fn settled(&self, name: &Name) {
        let since = match &*self.known.lock() {
            Some(known) if known.name.generation == name.generation && known.name.state == name.state => known.since,
            // It has moved on: whoever moved it had waited.
            _ => return,
        };
        sleep_until(since + limits::CACHE_NAME_WAIT).await;
    }

    /// Whether [`Fence::settled`] would return at once.
    pub fn is_settled(&self, name: &Name) -> bool {
        let known = self.known.lock();
        known
            .as_ref()
            .is_some_and(|known| known.name == *name && known.since.elapsed() >= limits::CACHE_NAME_WAIT)
    }

    fn heard(&self, sent: Instant, row: Row) -> Result<Name, Unsure> {
        let name = Name {
            generation: row.generation,
            primary: Primary {
                run_id: row.run_id,
                replication_id: row.replication_id,
            },
            state: State::parse(&row.state).ok_or_else(|| Unsure(format!("unknown state {}", row.state)))?,
        };
        let mut known = self.known.lock();
        match &mut *known {
            // Answered before, though asked later: this one may be older.
            Some(known) if known.sent > sent => return Ok(known.name.clone()),
            Some(known) if known.name.generation == name.generation && known.name.state == name.state => {
                known.sent = sent;
            }
            slot => {
                *slot = Some(Known {
                    name: name.clone(),
                    sent,
                    since: Instant::now(),
                });
            }
        }
        Ok(name)
    }
}
