//! A leader and its replica.

#![allow(dead_code, reason = "each suite uses a part")]

use std::{fs, process::Command, sync::Arc, time::Duration};

use bus::MemoryBus;
use common::{RoomId, token::Actor};
use db_api::{Refusal, types::*};
use db_api_suite::actions::*;
use db_core::Core;
use local_servers::{Postgres, TempDir, scratch};
use service::Metrics;
use sqlx::{Connection, PgConnection};

use crate::support::*;

/// A leader that acknowledges what its replica has, the replica, and a db-core that knows both, the replica first.
pub struct Pair {
    pub leader: Postgres,
    pub replica: Postgres,
    pub db: Arc<Core>,
    pub metrics: Metrics,
    pub ada: Actor,
    pub room: RoomId,
    pub folder: TempDir,
}

pub async fn run(url: &str, words: &str) {
    let mut server = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(words.to_owned()))
        .execute(&mut server)
        .await
        .unwrap();
}

/// All of a server's processes, itself first: each serves a connection, or has a task of its own.
pub fn processes(server: &Postgres) -> Vec<String> {
    let pid = server.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    std::iter::once(pid.to_string())
        .chain(children.split_whitespace().map(str::to_owned))
        .collect()
}

pub fn signal(processes: &[String], name: &str) {
    let sent = Command::new("kill").args(["-s", name]).args(processes).status();
    assert!(sent.unwrap().success());
}

/// Processes that hang, until it is dropped.
pub struct Hung(Vec<String>);

impl Hung {
    pub fn new(processes: Vec<String>) -> Self {
        signal(&processes, "STOP");
        Self(processes)
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        signal(&self.0, "CONT");
    }
}

/// Both servers in one URL, as libpq takes it.
pub fn both(first: &Postgres, second: &Postgres) -> String {
    let (rest, name) = first.url().rsplit_once('/').unwrap();
    let host = second.url().rsplit_once('@').unwrap().1;
    format!("{rest},{}/{name}", host.rsplit_once('/').unwrap().0)
}

impl Pair {
    pub async fn new() -> Self {
        let folder = scratch("leader").unwrap();
        let leader = Postgres::start(&folder.path().join("one")).unwrap();
        let replica = leader.standby(&folder.path().join("two")).unwrap();
        run(leader.url(), "alter system set synchronous_standby_names = '*'").await;
        run(leader.url(), "select pg_reload_conf()").await;
        let parts = parts_on(&both(&replica, &leader), Arc::new(MemoryBus::new())).await;
        let metrics = parts.metrics.clone();
        let db = Core::new(parts).unwrap();
        let ada = person(&*db, "ada").await;
        let room = room(&*db, &ada, &[]).await.id;
        Self {
            leader,
            replica,
            db,
            metrics,
            ada,
            room,
            folder,
        }
    }

    pub async fn append(&self) {
        self.acked(draft(&self.ada, self.room, fresh_message())).await;
    }

    /// Tries until it has its place, and says which.
    pub async fn acked(&self, draft: Draft) -> u64 {
        let acked = tokio::time::timeout(Duration::from_secs(60), self.try_until_acked(draft)).await;
        acked.expect("nobody takes it")
    }

    pub async fn not_acked(&self, draft: &Draft) {
        let outcome = append(&*self.db, vec![draft.clone()]).await.remove(0);
        assert!(
            matches!(outcome, Outcome::Refused(Refusal::Unavailable { .. })),
            "{outcome:?}"
        );
    }

    async fn try_until_acked(&self, draft: Draft) -> u64 {
        loop {
            match append(&*self.db, vec![draft.clone()]).await.remove(0) {
                Outcome::Appended(appended) => return appended.event.seq.get(),
                Outcome::Refused(Refusal::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn promote(&self) {
        run(self.replica.url(), "select pg_promote(true, 60)").await;
    }

    pub async fn seqs(&self) -> Vec<u64> {
        seqs(&log(&*self.db, &self.ada, self.room).await)
    }
}
