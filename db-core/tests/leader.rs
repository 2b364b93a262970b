//! The leader among several servers: found, followed when it dies or hangs, and no replica taken for it.

#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use bus::MemoryBus;
use common::{RoomId, Seq, token::Actor};
use db_api::{Call, DbApi, Refusal, types::*};
use db_api_suite::actions::*;
use db_core::{Core, Store, StoreError};
use futures_util::future::join_all;
use local_servers::{Postgres, TempDir, scratch};
use sqlx::{Connection, PgConnection};
use support::*;

/// A leader that acknowledges what its replica has, the replica, and a db-core that knows both, the replica first.
struct Pair {
    leader: Postgres,
    replica: Postgres,
    db: Arc<Core>,
    ada: Actor,
    room: RoomId,
    folder: TempDir,
}

async fn run(url: &str, words: &str) {
    let mut server = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(words.to_owned()))
        .execute(&mut server)
        .await
        .unwrap();
}

/// All of a server's processes, itself first: each serves a connection, or has a task of its own.
fn processes(server: &Postgres) -> Vec<String> {
    let pid = server.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    std::iter::once(pid.to_string())
        .chain(children.split_whitespace().map(str::to_owned))
        .collect()
}

fn signal(processes: &[String], name: &str) {
    let sent = Command::new("kill").args(["-s", name]).args(processes).status();
    assert!(sent.unwrap().success());
}

/// Processes that hang, until it is dropped.
struct Hung(Vec<String>);

impl Hung {
    fn new(processes: Vec<String>) -> Self {
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
fn both(first: &Postgres, second: &Postgres) -> String {
    let (rest, name) = first.url().rsplit_once('/').unwrap();
    let host = second.url().rsplit_once('@').unwrap().1;
    format!("{rest},{}/{name}", host.rsplit_once('/').unwrap().0)
}

impl Pair {
    async fn new() -> Self {
        let folder = scratch("leader").unwrap();
        let leader = Postgres::start(&folder.path().join("one")).unwrap();
        let replica = leader.standby(&folder.path().join("two")).unwrap();
        run(leader.url(), "alter system set synchronous_standby_names = '*'").await;
        run(leader.url(), "select pg_reload_conf()").await;
        let db = core_on(&both(&replica, &leader), Arc::new(MemoryBus::new())).await;
        let ada = person(&*db, "ada").await;
        let room = room(&*db, &ada, &[]).await.id;
        Self {
            leader,
            replica,
            db,
            ada,
            room,
            folder,
        }
    }

    async fn append(&self) {
        self.acked(draft(&self.ada, self.room, fresh_message())).await;
    }

    /// Tries until it has its place, and says which.
    async fn acked(&self, draft: Draft) -> u64 {
        let acked = tokio::time::timeout(Duration::from_secs(60), self.try_until_acked(draft)).await;
        acked.expect("nobody takes it")
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

    async fn promote(&self) {
        run(self.replica.url(), "select pg_promote(true, 60)").await;
    }

    async fn seqs(&self) -> Vec<u64> {
        seqs(&log(&*self.db, &self.ada, self.room).await)
    }
}

#[tokio::test]
async fn when_the_leader_dies_the_next_one_is_followed_and_nothing_is_lost() {
    let pair = Pair::new().await;
    pair.append().await;
    signal(&processes(&pair.leader), "KILL");
    let (promoted, appended) = (pair.promote(), pair.append());
    tokio::join!(promoted, appended);
    pair.append().await;
    assert_eq!(pair.seqs().await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_leader_that_hangs_is_left_behind_for_good() {
    let pair = Pair::new().await;
    pair.append().await;
    let hung = Hung::new(processes(&pair.leader));
    tokio::join!(pair.promote(), pair.append());
    drop(hung);
    // Longer than the leader is believed without being asked.
    tokio::time::sleep(common::limits::LEADER_LOOK * 2).await;
    pair.append().await;
    assert_eq!(pair.seqs().await, [1, 2, 3, 4]);
    // Both would take writes; who begins now isn't misled either.
    let newcomer = core_on(&both(&pair.replica, &pair.leader), Arc::new(MemoryBus::new())).await;
    assert_eq!(seqs(&log(&*newcomer, &pair.ada, pair.room).await), [1, 2, 3, 4]);
}

/// Consistency rule 7: who stops waiting does not end the COMMIT, and what it was for is not acknowledged before the replica
/// has it: a repeat locks the room, so that its own COMMIT waits for the replica too.
#[tokio::test]
async fn what_its_replica_has_not_heard_is_never_acknowledged() {
    let pair = Pair::new().await;
    pair.append().await;
    let hung = Hung::new(processes(&pair.replica));
    let draft = draft(&pair.ada, pair.room, fresh_message());
    for _ in 0..2 {
        let outcome = append(&*pair.db, vec![draft.clone()]).await.remove(0);
        assert!(
            matches!(outcome, Outcome::Refused(Refusal::Unavailable { .. })),
            "{outcome:?}"
        );
    }
    drop(hung);
    assert_eq!(pair.acked(draft).await, 3, "as it was written first");
    assert_eq!(pair.seqs().await, [1, 2, 3]);
}

#[tokio::test]
async fn a_leader_that_comes_back_as_a_replica_answers_nothing() {
    let mut pair = Pair::new().await;
    pair.append().await;
    fs::write(pair.folder.path().join("one/data/standby.signal"), "").unwrap();
    let killed = processes(&pair.leader);
    signal(&killed, "KILL");
    while killed[1..]
        .iter()
        .any(|process| Path::new("/proc").join(process).exists())
        || !pair.leader.revive().unwrap()
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // More than there are connections: of those, some were broken anyway.
    let read = || {
        let room_id = pair.room;
        let request = Events {
            room_id,
            after: Seq::ZERO,
            limit: 10,
        };
        pair.db.events(Call::of(pair.ada.clone()), request)
    };
    for answer in join_all((0..32).map(|_| read())).await {
        assert!(matches!(answer, Err(Refusal::Unavailable { .. })), "{answer:?}");
    }
    let none = Store::open(&both(&pair.replica, &pair.leader)).await;
    let Err(StoreError::Unreachable(words)) = none else {
        panic!("a replica was taken for the leader")
    };
    assert_eq!(words.matches("is a replica").count(), 2, "{words}");
    pair.promote().await;
    pair.append().await;
    assert_eq!(pair.seqs().await, [1, 2, 3]);
}
