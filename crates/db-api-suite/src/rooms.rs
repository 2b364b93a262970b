//! Rooms as their owners change them: settings, roles, the end.

use std::sync::Arc;

use common::{
    RoomId,
    event::{Event, MemberChange, RoomEventChange},
    room::{Role, Visibility},
    text::{RoomName, Topic},
    token::Actor,
};
use db_api::{Call, DbApi, Refusal, types::*};
use tokio::task::JoinSet;

use crate::{
    actions::*,
    invites::{accept, invite},
};

fn unchanged(room_id: RoomId) -> UpdateRoom {
    UpdateRoom {
        room_id,
        name: None,
        topic: None,
        visibility: None,
    }
}

pub fn named(room_id: RoomId, name: &str) -> UpdateRoom {
    UpdateRoom {
        name: Some(RoomName::parse(name).unwrap()),
        ..unchanged(room_id)
    }
}

pub async fn give(db: &dyn DbApi, by: &Actor, room_id: RoomId, to: &Actor, role: Role) -> Result<Role, Refusal> {
    let user_id = to.user_id;
    let request = SetRole { room_id, user_id, role };
    db.set_role(of(by), request).await.map(|answer| answer.value.role)
}

pub async fn a_change_says_what_changed_and_none_takes_no_place(db: Arc<dyn DbApi>) {
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await;
    let same = db.update_room(of(&ada), named(here.id, "Tea")).await.unwrap().value;
    assert_eq!(same.head_seq.get(), 1, "nothing changed");
    let request = UpdateRoom {
        topic: Some(Topic::parse("Leaves").unwrap()),
        visibility: Some(Visibility::Public),
        ..named(here.id, "Tea")
    };
    let changed = db.update_room(of(&ada), request).await.unwrap().value;
    assert_eq!((changed.head_seq.get(), changed.visibility), (2, Visibility::Public));
    let events = log(&*db, &ada, here.id).await;
    let Some(Event::Room(event)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!((event.change, event.by), (RoomEventChange::Updated, ada.user_id));
    let told = serde_json::json!({"topic": "Leaves", "visibility": "public"});
    assert_eq!(serde_json::Value::Object(event.room.clone()), told);
}

pub async fn the_last_owner_stays_one_unless_alone(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await.id;
    let down = give(&*db, &ada, here, &ada, Role::Member).await;
    assert!(matches!(down, Err(Refusal::Conflict { .. })), "{down:?}");
    assert_eq!(give(&*db, &ada, here, &bob, Role::Owner).await, Ok(Role::Owner));
    assert_eq!(
        give(&*db, &ada, here, &bob, Role::Owner).await,
        Ok(Role::Owner),
        "again"
    );
    let events = log(&*db, &ada, here).await;
    let Some(Event::Member(event)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (events.len(), event.change, event.role, event.user_id, event.by),
        (2, MemberChange::Role, Some(Role::Owner), bob.user_id, ada.user_id)
    );
    // Of two owners who step down at once, one stays.
    for _ in 0..5 {
        let mut steps = JoinSet::new();
        for owner in [&ada, &bob] {
            let (db, owner) = (db.clone(), owner.clone());
            steps.spawn(async move { give(&*db, &owner, here, &owner, Role::Member).await });
        }
        let steps = steps.join_all().await;
        assert_eq!(steps.iter().filter(|step| step.is_ok()).count(), 1, "{steps:?}");
        let (owner, other) = match give(&*db, &ada, here, &ada, Role::Owner).await {
            Ok(_) => (&ada, &bob),
            Err(_) => (&bob, &ada),
        };
        give(&*db, owner, here, other, Role::Owner).await.unwrap();
    }
    db.leave_room(of(&bob), InRoom { room_id: here }).await.unwrap();
    assert_eq!(
        give(&*db, &ada, here, &ada, Role::Member).await,
        Ok(Role::Member),
        "alone"
    );
}

/// Sends race the end: none stands behind it. A gateway reads the end of the log; to people the room is not there.
pub async fn a_room_that_was_taken_away_is_nowhere(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await;
    let code = invite(&*db, &ada, here.id, None).await.unwrap().code;
    let mut sends = JoinSet::new();
    for _ in 0..8 {
        let (db, draft) = (db.clone(), draft(&bob, here.id, fresh_message()));
        sends.spawn(async move { append(&*db, vec![draft]).await.remove(0) });
    }
    db.delete_room(of(&ada), InRoom { room_id: here.id }).await.unwrap();
    let outcomes = sends.join_all().await;
    let acked = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::Appended(_)))
        .count();
    let request = Events {
        room_id: here.id,
        after: common::Seq::ZERO,
        limit: 100,
    };
    let page = db.events(Call::anonymous(), request.clone()).await.unwrap().value;
    assert_eq!(seqs(&page.items), rising(acked + 2));
    assert!(matches!(page.items.last(), Some(Event::Room(event)) if event.change == RoomEventChange::Deleted));
    let rooms = vec![here.id];
    let heads = db.heads(Call::anonymous(), Heads { rooms }).await.unwrap().value.heads;
    assert_eq!(heads[0].head_seq, page.head_seq);
    assert_eq!(db.events(of(&ada), request).await, Err(Refusal::NotFound));
    let again = append(&*db, vec![draft(&bob, here.id, fresh_message())])
        .await
        .remove(0);
    assert!(matches!(again, Outcome::Refused(Refusal::NotFound)), "{again:?}");
    let gone = InRoom { room_id: here.id };
    assert_eq!(db.delete_room(of(&ada), gone.clone()).await, Err(Refusal::NotFound));
    assert_eq!(db.room(of(&ada), gone).await, Err(Refusal::NotFound));
    assert_eq!(accept(&*db, &bob, &code).await, Err(Refusal::NotFound));
    let (cursor, limit) = (None, 50);
    assert!(
        db.rooms(of(&bob), Paging { cursor, limit })
            .await
            .unwrap()
            .value
            .items
            .is_empty()
    );
}
