//! What db-core does about its database and its callers.

#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::HashMap, sync::Arc, time::Duration};

use bus::{Bus, Delivery, MemoryBus, Payload, Topic};
use common::{
    event::Event,
    service_token::{Service, ServiceKey},
    text::{Password, Username},
};
use db_api::{Call, DbApi, Refusal, types::*};
use db_api_suite::actions::*;
use db_client::DbClient;
use db_core::{Core, Parts, Registration, Store, StoreError, http};
use sqlx::{Connection, PgConnection};
use support::*;

#[tokio::test]
async fn a_schema_of_a_later_release_is_refused() {
    let url = fresh_database().await;
    Store::open(&url).await.unwrap();
    Store::open(&url).await.expect("its own schema is known");
    let mut later = PgConnection::connect(&url).await.unwrap();
    let migration = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                     values (9999, 'of a later release', true, '', 0)";
    sqlx::query(migration).execute(&mut later).await.unwrap();
    assert!(matches!(Store::open(&url).await, Err(StoreError::Schema(_))));
}

#[tokio::test]
async fn a_closed_registration_takes_nobody() {
    let parts = parts_on(&fresh_database().await, Arc::new(MemoryBus::new())).await;
    let db = Core::new(Parts {
        registration: Registration::Closed,
        ..parts
    })
    .unwrap();
    let request = Register {
        username: Username::parse("ada").unwrap(),
        password: Password::parse("correct horse battery").unwrap(),
        display_name: None,
        device: None,
    };
    let refused = db.register(Call::anonymous(), request).await;
    assert!(matches!(refused, Err(db_api::Refusal::Forbidden { .. })), "{refused:?}");
}

#[tokio::test]
async fn commits_are_announced_with_their_socket() {
    let bus = Arc::new(MemoryBus::new());
    let db = core_on(&fresh_database().await, bus.clone()).await;
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await;
    let mut ear = bus.subscription();
    ear.topics().subscribe(&[Topic::Room(here.id)]).await;
    let mut draft = draft(&ada, here.id, fresh_message());
    draft.ws_id = Some(common::WsId(service::minted::id()));
    append(&*db, vec![draft.clone()]).await;
    append(&*db, vec![draft.clone()]).await;
    append(&*db, vec![db_api_suite::actions::draft(&ada, here.id, fresh_message())]).await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let Delivery::Message { payload, .. } = ear.next().await else {
            panic!("continuity was lost")
        };
        match Payload::decode(&payload) {
            Some(Payload::Event(Event::Message(message))) => heard.push((message.seq.get(), message.ws_id)),
            // That the room was created may be told after the subscription.
            Some(Payload::Event(Event::Room(_))) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        heard,
        [(2, Some(draft.ws_id)), (3, Some(None))],
        "a repeat is not announced"
    );
}

#[tokio::test]
async fn only_services_that_prove_themselves_may_call_and_only_what_is_theirs() {
    let (edge, gateway, stranger) = ([1; 32], [2; 32], [3; 32]);
    let keys = HashMap::from([
        (Service::EdgeAuth, ServiceKey::new(edge)),
        (Service::WsCore, ServiceKey::new(gateway)),
    ]);
    let listener = service::serve::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(service::serve(
        listener,
        http::router(direct().await, keys),
        service::CancellationToken::new(),
    ));
    let client = |service, key| DbClient::new(&[&url], service, &ServiceKey::new(key));
    let heads = || Heads { rooms: Vec::new() };
    assert!(
        client(Service::WsCore, gateway)
            .heads(Call::anonymous(), heads())
            .await
            .is_ok()
    );
    assert!(
        client(Service::WsCore, stranger)
            .heads(Call::anonymous(), heads())
            .await
            .is_err()
    );
    assert!(
        client(Service::EdgeAuth, edge)
            .heads(Call::anonymous(), heads())
            .await
            .is_err(),
        "not its operation"
    );
}

#[tokio::test]
async fn a_database_that_is_locked_up_is_unavailable_in_time_and_then_goes_on() {
    let url = fresh_database().await;
    let db = core_on(&url, Arc::new(MemoryBus::new())).await;
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    sqlx::query("select 1 from rooms for update")
        .execute(&mut *lock)
        .await
        .unwrap();
    let message = fresh_message();
    let hurried = Call::anonymous().within(Duration::from_millis(200));
    let late = db
        .append(
            hurried,
            Append {
                drafts: vec![draft(&ada, here.id, message)],
            },
        )
        .await
        .unwrap()
        .value;
    assert!(
        matches!(&late.outcomes[0], Outcome::Refused(db_api::Refusal::Unavailable { .. })),
        "the outcome is open: {late:?}"
    );
    lock.rollback().await.unwrap();
    // The first try goes on by itself, and a later one finds it, or is it; none goes before its end is known.
    let mut again = append(&*db, vec![draft(&ada, here.id, message)]).await;
    while matches!(&again[0], Outcome::Refused(db_api::Refusal::Unavailable { .. })) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = append(&*db, vec![draft(&ada, here.id, message)]).await;
    }
    assert!(
        matches!(&again[0], Outcome::Appended(appended) if appended.event.seq.get() == 2),
        "{again:?}"
    );
    assert_eq!(log(&*db, &ada, here.id).await.len(), 2);
}

async fn until_somebody_waits_for_a_lock(database: &mut PgConnection) {
    let waits = "select exists (select 1 from pg_stat_activity \
                 where datname = current_database() and wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(waits)
        .fetch_one(&mut *database)
        .await
        .unwrap()
    {}
}

#[tokio::test]
async fn a_room_that_is_locked_up_holds_up_no_other() {
    let url = fresh_database().await;
    let db = core_on(&url, Arc::new(MemoryBus::new())).await;
    let ada = person(&*db, "ada").await;
    let (stuck, free) = (room(&*db, &ada, &[]).await.id, room(&*db, &ada, &[]).await.id);
    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    let one = "select 1 from rooms where id = $1 for update";
    sqlx::query(one).bind(stuck.0).execute(&mut *lock).await.unwrap();
    let behind_the_lock = append(&*db, vec![draft(&ada, stuck, fresh_message())]);
    let meanwhile = async {
        until_somebody_waits_for_a_lock(&mut lock).await;
        let outcomes = append(&*db, vec![draft(&ada, free, fresh_message())]).await;
        assert!(matches!(outcomes[..], [Outcome::Appended(_)]), "{outcomes:?}");
        lock.rollback().await.unwrap();
    };
    let (outcomes, ()) = tokio::join!(behind_the_lock, meanwhile);
    assert!(matches!(outcomes[..], [Outcome::Appended(_)]), "{outcomes:?}");
}

/// Consistency rule 3: else two batches could each have what the other waits for.
#[tokio::test]
async fn a_batch_locks_its_rooms_in_the_order_of_their_ids() {
    let url = fresh_database().await;
    let db = core_on(&url, Arc::new(MemoryBus::new())).await;
    let ada = person(&*db, "ada").await;
    let mut rooms = [room(&*db, &ada, &[]).await.id, room(&*db, &ada, &[]).await.id];
    rooms.sort_unstable();
    let [first, last] = rooms;
    for order in [[first, last], [last, first]] {
        let mut other = PgConnection::connect(&url).await.unwrap();
        let mut lock = other.begin().await.unwrap();
        let one = "select 1 from rooms where id = $1 for update";
        sqlx::query(one).bind(last.0).execute(&mut *lock).await.unwrap();
        let batch = append(&*db, order.map(|room| draft(&ada, room, fresh_message())).to_vec());
        let meanwhile = async {
            until_somebody_waits_for_a_lock(&mut lock).await;
            let free =
                "select count(*) from rooms where id = $1 and id in (select id from rooms for update skip locked)";
            let free: i64 = sqlx::query_scalar(free)
                .bind(first.0)
                .fetch_one(&mut *lock)
                .await
                .unwrap();
            assert_eq!(free, 0, "the first is had before the last is waited for");
            lock.rollback().await.unwrap();
        };
        let (outcomes, ()) = tokio::join!(batch, meanwhile);
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, Outcome::Appended(_))),
            "{outcomes:?}"
        );
    }
}

/// Consistency rule 4, on a clock that was turned back.
#[tokio::test]
async fn what_is_sent_is_never_older_than_what_stands_before_it() {
    let url = fresh_database().await;
    let db = core_on(&url, Arc::new(MemoryBus::new())).await;
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await.id;
    let mut database = PgConnection::connect(&url).await.unwrap();
    let later = "update rooms set last_event_at = last_event_at + interval '1 hour' \
                 returning (extract(epoch from last_event_at) * 1000)::bigint";
    let later: i64 = sqlx::query_scalar(later).fetch_one(&mut database).await.unwrap();
    let [Outcome::Appended(appended)] = &append(&*db, vec![draft(&ada, here, fresh_message())]).await[..] else {
        panic!("refused");
    };
    assert_eq!(appended.event.sent_at.0, later);
}

/// Also that somebody is not there is kept.
#[tokio::test]
async fn who_is_not_there_is_looked_for_once() {
    let parts = parts_on(&fresh_database().await, Arc::new(MemoryBus::new())).await;
    let metrics = parts.metrics.clone();
    let db = Core::new(parts).unwrap();
    let ada = person(&*db, "ada").await;
    let nobody = common::UserId(service::minted::id());
    for _ in 0..5 {
        let found = db.user(Call::of(ada.clone()), GetUser { user_id: nobody }).await;
        assert_eq!(found, Err(Refusal::NotFound));
    }
    let figures = metrics.text();
    for (name, count) in [("db_cache_misses_total{", " 1"), ("db_cache_hits_total{", " 4")] {
        let of_users = |line: &&str| line.starts_with(name) && line.contains(r#"entity="user""#);
        let line = figures.lines().find(of_users);
        assert!(line.is_some_and(|line| line.ends_with(count)), "{figures}");
    }
}

/// One draft that the database can't take makes each be tried by itself. Behind one that is refused nothing of its sender
/// is: should that answer be lost, it comes again, may then be let in, and would stand behind what was written after it.
#[tokio::test]
async fn of_a_batch_that_is_done_singly_nothing_is_tried_behind_a_refused_draft() {
    let url = fresh_database().await;
    let db = core_on(&url, Arc::new(MemoryBus::new())).await;
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await.id;
    let mut database = PgConnection::connect(&url).await.unwrap();
    let poison = "create function poison() returns trigger language plpgsql as $$ begin \
                  if new.content->>'message' = 'poison' then raise exception 'poison'; end if; return new; end $$; \
                  create trigger poison before insert on events for each row execute function poison()";
    sqlx::raw_sql(poison).execute(&mut database).await.unwrap();
    let refused = Draft {
        reply_to: Some(fresh_message()),
        ..draft(&ada, here, fresh_message())
    };
    let behind = draft(&ada, here, fresh_message());
    let poison = Draft {
        content: said("poison"),
        ..draft(&bob, here, fresh_message())
    };
    let outcomes = append(&*db, vec![refused, behind.clone(), poison]).await;
    let [
        Outcome::Refused(Refusal::Invalid { .. }),
        Outcome::Refused(Refusal::Unavailable { .. }),
        Outcome::Refused(Refusal::Internal),
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!(seqs(&log(&*db, &ada, here).await), [1]);
    let again = append(&*db, vec![behind]).await;
    assert!(matches!(again[..], [Outcome::Appended(_)]), "{again:?}");
}
