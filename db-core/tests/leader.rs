//! The leader among several servers: found, followed when it dies or hangs, and no replica taken for it.

#![allow(clippy::unwrap_used)]

mod pair;
mod support;

use std::{fs, path::Path, sync::Arc, time::Duration};

use bus::MemoryBus;
use common::Seq;
use db_api::{Call, DbApi, Refusal, types::*};
use db_api_suite::actions::*;
use db_core::{Store, StoreError};
use futures_util::future::join_all;
use local_servers::Postgres;
use pair::*;
use sqlx::{Connection, PgConnection};
use support::*;

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
        pair.not_acked(&draft).await;
    }
    drop(hung);
    assert_eq!(pair.acked(draft).await, 3, "as it was written first");
    assert_eq!(pair.seqs().await, [1, 2, 3]);
}

/// Consistency rule 7: after a crash the leader shows at once what no replica has.
#[tokio::test]
async fn after_a_crash_a_repeat_waits_for_the_replica_too() {
    let mut pair = Pair::new().await;
    pair.append().await;
    let hung = Hung::new(processes(&pair.replica));
    let draft = draft(&pair.ada, pair.room, fresh_message());
    for _ in 0..2 {
        pair.not_acked(&draft).await;
        restart(&mut pair.leader).await;
        let written = "select head_seq from rooms";
        let mut leader = PgConnection::connect(pair.leader.url()).await.unwrap();
        let head: i64 = sqlx::query_scalar(written).fetch_one(&mut leader).await.unwrap();
        assert_eq!(head, 3);
    }
    drop(hung);
    assert_eq!(pair.acked(draft).await, 3);
}

/// Kills a server and starts it again.
async fn restart(server: &mut Postgres) {
    let killed = processes(server);
    signal(&killed, "KILL");
    while killed[1..]
        .iter()
        .any(|process| Path::new("/proc").join(process).exists())
        || !server.revive().unwrap()
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_leader_that_comes_back_as_a_replica_answers_nothing() {
    let mut pair = Pair::new().await;
    pair.append().await;
    fs::write(pair.folder.path().join("one/data/standby.signal"), "").unwrap();
    restart(&mut pair.leader).await;
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
