//! Rules about messages, search and requests done once whose state the contract alone can't bring about yet, or only in a
//! day.

#![allow(clippy::unwrap_used)]

mod support;

use std::{sync::Arc, time::Duration};

use bus::MemoryBus;
use common::{
    RoomId,
    event::{Content, ReactionOp},
    text::SearchQuery,
    token::Actor,
};
use db_api::{Call, DbApi, Refusal, types::*};
use db_api_suite::{
    actions::*,
    messages::{SOME_DEVICE, sealed},
    once::{keyed, tea_room},
};
use sqlx::{Connection, PgConnection};
use support::*;

/// A db-core, and a look into its database.
async fn opened() -> (Arc<dyn DbApi>, PgConnection, String) {
    let url = fresh_database().await;
    let core = core_on(&url, Arc::new(MemoryBus::new())).await;
    (core, PgConnection::connect(&url).await.unwrap(), url)
}

async fn run(database: &mut PgConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(database).await.unwrap();
}

#[tokio::test]
async fn a_sealed_edit_names_the_next_revision_and_an_accepted_epoch() {
    let (db, mut database, _) = opened().await;
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await.id;
    run(
        &mut database,
        "update rooms set encryption = 'envelope', epoch = 3, min_epoch = 2",
    )
    .await;
    sqlx::query("insert into devices (user_id, id, public_key) values ($1, $2, decode(repeat('00', 32), 'hex'))")
        .bind(ada.user_id.0)
        .bind(SOME_DEVICE.0)
        .execute(&mut database)
        .await
        .unwrap();
    let sent = Draft {
        content: sealed(3, 0),
        ..draft(&ada, here, fresh_message())
    };
    let id = sent.message_id;
    let outcomes = append(&*db, vec![sent]).await;
    assert!(matches!(outcomes[..], [Outcome::Appended(_)]), "{outcomes:?}");
    for rev in [0, 2] {
        let refused = edit(&*db, &ada, here, id, sealed(3, rev)).await;
        assert!(matches!(refused, Err(Refusal::Conflict { .. })), "{rev}: {refused:?}");
    }
    for epoch in [1, 4, u32::MAX] {
        let refused = edit(&*db, &ada, here, id, sealed(epoch, 1)).await;
        assert_eq!(refused, Err(Refusal::StaleEpoch), "{epoch}");
    }
    let refused = edit(&*db, &ada, here, id, said("plain")).await;
    assert!(matches!(refused, Err(Refusal::Invalid { .. })), "{refused:?}");
    let (first, second) = (sealed(2, 1), sealed(3, 2));
    assert_eq!(edit(&*db, &ada, here, id, first.clone()).await.unwrap().content, first);
    assert!(
        edit(&*db, &ada, here, id, first).await.is_err(),
        "the same again is no next one"
    );
    assert_eq!(
        edit(&*db, &ada, here, id, second.clone()).await.unwrap().content,
        second
    );
    assert_eq!(seqs(&log(&*db, &ada, here).await), [1, 2, 3, 4]);
}

#[tokio::test]
async fn between_two_who_have_blocked_each_other_only_ones_own_is_deleted() {
    let (db, mut database, _) = opened().await;
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await.id;
    run(&mut database, "update rooms set kind = 'dm'").await;
    let (adas, bobs) = (say(&*db, &ada, here, "mine").await, say(&*db, &bob, here, "his").await);
    react(&*db, &ada, here, bobs, "👍", ReactionOp::Added).await.unwrap();
    sqlx::query("insert into blocks (user_id, blocked_id) values ($1, $2)")
        .bind(bob.user_id.0)
        .bind(ada.user_id.0)
        .execute(&mut database)
        .await
        .unwrap();
    for (who, message) in [(&ada, adas), (&bob, bobs)] {
        let edited = edit(&*db, who, here, message, said("x")).await;
        assert!(matches!(edited, Err(Refusal::Forbidden { .. })), "{edited:?}");
        for op in [ReactionOp::Added, ReactionOp::Removed] {
            let reacted = react(&*db, who, here, bobs, "👍", op).await;
            assert!(matches!(reacted, Err(Refusal::Forbidden { .. })), "{reacted:?}");
        }
    }
    let of_the_other = delete(&*db, &ada, here, bobs).await;
    assert!(
        matches!(of_the_other, Err(Refusal::Forbidden { .. })),
        "{of_the_other:?}"
    );
    delete(&*db, &ada, here, adas).await.unwrap();
    delete(&*db, &bob, here, bobs).await.unwrap();
    let page = history(&*db, &bob, here).await;
    assert!(
        page.iter().all(|message| message.content == Content::Deleted(true)),
        "{page:?}"
    );
}

#[tokio::test]
async fn a_key_outlives_db_core_and_dies_after_a_day() {
    let (db, mut database, url) = opened().await;
    let ada = person(&*db, "ada").await;
    let create = |db: Arc<dyn DbApi>, key: &'static str| {
        let call = keyed(&ada, key, "POST /api/rooms", "b");
        async move { db.create_room(call, tea_room()).await.unwrap().value.id }
    };
    let first = create(db.clone(), "k").await;
    let restarted: Arc<dyn DbApi> = core_on(&url, Arc::new(MemoryBus::new())).await;
    assert_eq!(create(restarted, "k").await, first);
    for key in ["a", "b", "c", "d", "e", "f"] {
        create(db.clone(), key).await;
    }
    run(
        &mut database,
        "update requests_done set at = at - interval '23 hours 59 minutes'",
    )
    .await;
    assert_eq!(create(db.clone(), "k").await, first, "not yet");
    run(&mut database, "update requests_done set at = at - interval '2 minutes'").await;
    let second = create(db.clone(), "k").await;
    assert_ne!(second, first, "as good as new");
    assert_eq!(create(db.clone(), "k").await, second);
    create(db.clone(), "g").await;
    let left: i64 = sqlx::query_scalar("select count(*) from requests_done")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert_eq!(left, 2, "what has died is swept by and by");
}

async fn finds(db: &dyn DbApi, reader: &Actor, query: &str) -> usize {
    let request = Search {
        query: SearchQuery::parse(query).unwrap(),
        room_id: None::<RoomId>,
        paging: Paging {
            cursor: None,
            limit: 50,
        },
    };
    db.search(Call::of(reader.clone()), request)
        .await
        .unwrap()
        .value
        .items
        .len()
}

/// A db-core that died between a commit and its announcement told nobody what to make searchable.
#[tokio::test]
async fn what_was_missed_is_searchable_after_a_start() {
    let (db, mut database, url) = opened().await;
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await.id;
    say(&*db, &ada, here, "lost quince").await;
    let found = async |db: Arc<dyn DbApi>| {
        while finds(&*db, &ada, "quince").await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found(db.clone()))
        .await
        .unwrap();
    run(&mut database, "truncate searchable, searchable_to").await;
    assert_eq!(finds(&*db, &ada, "quince").await, 0);
    let restarted = core_on(&url, Arc::new(MemoryBus::new())).await;
    tokio::time::timeout(Duration::from_secs(20), found(restarted))
        .await
        .unwrap();
}
