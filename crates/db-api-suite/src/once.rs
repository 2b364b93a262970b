//! Requests that are done once, by their `Idempotency-Key`.

use std::sync::Arc;

use common::{
    event::Event,
    room::{Encryption, Visibility},
    text::{IdempotencyKey, RoomName},
    token::Actor,
};
use db_api::{Call, DbApi, Once, Refusal, types::*};

use crate::actions::*;

/// A call with a key, of a request that is told apart by `body`.
pub fn keyed(actor: &Actor, key: &str, scope: &str, body: &str) -> Call {
    Call::of(actor.clone()).done_once(Some(Once {
        key: IdempotencyKey::parse(key).unwrap(),
        scope: scope.into(),
        body: body.into(),
    }))
}

pub fn tea_room() -> CreateRoom {
    CreateRoom {
        name: RoomName::parse("Tea").unwrap(),
        topic: None,
        visibility: Visibility::Public,
        encryption: Encryption::None,
        member_ids: Vec::new(),
    }
}

async fn rooms_of(db: &dyn DbApi, actor: &Actor) -> usize {
    let paging = Paging {
        cursor: None,
        limit: 50,
    };
    db.rooms(Call::of(actor.clone()), paging)
        .await
        .unwrap()
        .value
        .items
        .len()
}

pub async fn at_once_one_key_makes_one_room(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (db, call) = (db.clone(), keyed(&ada, "k", "POST /api/rooms", "b"));
        tries.spawn(async move { db.create_room(call, tea_room()).await.unwrap().value.id });
    }
    let made = tries.join_all().await;
    assert!(made.iter().all(|id| *id == made[0]), "{made:?}");
    assert_eq!(rooms_of(&*db, &ada).await, 1);
    assert_eq!(seqs(&log(&*db, &ada, made[0]).await), [1]);

    let other_body = db
        .create_room(keyed(&ada, "k", "POST /api/rooms", "c"), tea_room())
        .await;
    assert!(matches!(other_body, Err(Refusal::Conflict { .. })), "{other_body:?}");
    for call in [
        keyed(&ada, "k2", "POST /api/rooms", "b"),
        keyed(&ada, "k", "POST /api/elsewhere", "b"),
        keyed(&bob, "k", "POST /api/rooms", "b"),
    ] {
        let another = db.create_room(call, tea_room()).await.unwrap().value;
        assert_ne!(another.id, made[0]);
    }
}

pub async fn a_repeat_does_nothing_and_shows_what_stands_now(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = db.create_room(Call::of(ada.clone()), tea_room()).await.unwrap().value;
    let request = || InRoom { room_id: here.id };
    let join = || db.join_room(keyed(&bob, "j", "join", ""), request());
    let leave = || db.leave_room(keyed(&bob, "l", "leave", ""), request());
    join().await.unwrap();
    leave().await.unwrap();
    assert_eq!(
        join().await.unwrap().value.my_role,
        None,
        "a repeat does not join again"
    );
    db.join_room(keyed(&bob, "j2", "join", ""), request()).await.unwrap();
    leave().await.unwrap();
    assert_eq!(
        seqs(&log(&*db, &bob, here.id).await),
        [1, 2, 3, 4],
        "a repeat does not leave again"
    );
    leave().await.unwrap();

    let adding = || InRoomUser {
        room_id: here.id,
        user_id: bob.user_id,
    };
    let again = || db.add_member(keyed(&ada, "a", "add", ""), adding());
    let there_already = db
        .add_member(keyed(&ada, "a2", "add", ""), adding())
        .await
        .unwrap()
        .value;
    assert!(!there_already.created);
    remove(&*db, &ada, here.id, &bob).await;
    assert!(again().await.unwrap().value.created);
    assert!(
        again().await.unwrap().value.created,
        "it is told what the first was told"
    );
    let still = db
        .add_member(keyed(&ada, "a2", "add", ""), adding())
        .await
        .unwrap()
        .value;
    assert!(!still.created);
    assert_eq!(log(&*db, &ada, here.id).await.len(), 6);
}

pub async fn a_send_is_repeated_with_the_status_of_the_first(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await;
    let sent = draft(&bob, here.id, fresh_message());
    let send = |key: &str| {
        let drafts = vec![sent.clone()];
        let reply = db.append(keyed(&bob, key, "send", "b"), Append { drafts });
        async move { reply.await.unwrap().value.outcomes.remove(0) }
    };
    let appended = |outcome: Outcome| match outcome {
        Outcome::Appended(appended) => *appended,
        Outcome::Refused(refusal) => panic!("{refusal}"),
    };
    assert!(!appended(send("k").await).repeated);
    edit(&*db, &bob, here.id, sent.message_id, said("later")).await.unwrap();
    let again = appended(send("k").await);
    assert_eq!((again.repeated, again.event.seq.get()), (false, 2));
    assert_eq!(
        again.current.unwrap().content,
        said("later"),
        "the message as it now stands"
    );
    assert!(appended(send("another-key").await).repeated);
    assert!(appended(send("another-key").await).repeated);
    remove(&*db, &ada, here.id, &bob).await;
    for key in ["k", "another-key"] {
        let out = send(key).await;
        assert!(matches!(out, Outcome::Refused(Refusal::NotAMember { .. })), "{out:?}");
    }
    let events = log(&*db, &ada, here.id).await;
    assert_eq!(
        events.iter().filter(|event| matches!(event, Event::Message(_))).count(),
        1
    );
}

pub async fn what_is_refused_leaves_its_key_free(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[]).await;
    let sent = draft(&bob, here.id, fresh_message());
    let send = |body: &str| {
        let drafts = vec![sent.clone()];
        let reply = db.append(keyed(&bob, "k", "send", body), Append { drafts });
        async move { reply.await.unwrap().value.outcomes.remove(0) }
    };
    assert!(matches!(send("b").await, Outcome::Refused(Refusal::NotAMember { .. })));
    let adding = InRoomUser {
        room_id: here.id,
        user_id: bob.user_id,
    };
    let not_his = db.add_member(keyed(&bob, "a", "add", "b"), adding.clone()).await;
    assert!(matches!(not_his, Err(Refusal::NotAMember { .. })), "{not_his:?}");
    db.add_member(Call::of(ada.clone()), adding).await.unwrap();
    // Another body too: nothing of the first try is left to differ from.
    assert!(matches!(send("c").await, Outcome::Appended(appended) if !appended.repeated));
    assert!(matches!(send("b").await, Outcome::Refused(Refusal::Conflict { .. })));

    let leave = || db.leave_room(keyed(&ada, "l", "leave", ""), InRoom { room_id: here.id });
    let last_owner = leave().await;
    assert!(matches!(last_owner, Err(Refusal::Conflict { .. })), "{last_owner:?}");
    remove(&*db, &ada, here.id, &bob).await;
    leave().await.unwrap();
    leave().await.unwrap();
}

pub async fn a_repeat_shows_nothing_to_who_is_out(db: Arc<dyn DbApi>) {
    let (ada, bob, eve) = (
        person(&*db, "ada").await,
        person(&*db, "bob").await,
        person(&*db, "eve").await,
    );
    let here = room(&*db, &ada, &[&bob]).await;
    let adding = || InRoomUser {
        room_id: here.id,
        user_id: eve.user_id,
    };
    db.add_member(keyed(&ada, "a", "add", ""), adding()).await.unwrap();
    remove(&*db, &ada, here.id, &bob).await;
    remove(&*db, &ada, here.id, &eve).await;
    db.leave_room(Call::of(ada.clone()), InRoom { room_id: here.id })
        .await
        .unwrap();
    let out = db.add_member(keyed(&ada, "a", "add", ""), adding()).await;
    assert!(matches!(out, Err(Refusal::NotAMember { .. })), "{out:?}");
}
