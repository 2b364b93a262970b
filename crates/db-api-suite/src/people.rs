//! Between two people: direct conversations and blocks.

use std::sync::Arc;

use common::{
    event::{Event, RoomEventChange},
    room::{Encryption, Page, Role, Room, RoomKind, User, Visibility},
    text::RoomName,
    token::Actor,
};
use db_api::{DbApi, Refusal, types::*};
use tokio::task::JoinSet;

use crate::actions::*;

fn user(actor: &Actor) -> GetUser {
    let user_id = actor.user_id;
    GetUser { user_id }
}

async fn dm(db: &dyn DbApi, by: &Actor, with: &Actor) -> Result<Made<Room>, Refusal> {
    db.open_dm(of(by), user(with)).await.map(|answer| answer.value)
}

async fn blocked(db: &dyn DbApi, by: &Actor) -> Page<User> {
    let (cursor, limit) = (None, 50);
    db.blocks(of(by), Paging { cursor, limit }).await.unwrap().value
}

async fn may_type(db: &dyn DbApi, who: &Actor, room_id: common::RoomId) -> bool {
    let user_id = who.user_id;
    let answer = db
        .may_type(db_api::Call::anonymous(), InRoomUser { room_id, user_id })
        .await;
    answer.unwrap().value.allowed
}

pub async fn two_people_have_one_room(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let mut opened = JoinSet::new();
    for n in 0..8 {
        let (by, with) = if n % 2 == 0 { (&ada, &bob) } else { (&bob, &ada) };
        let (db, by, with) = (db.clone(), by.clone(), with.clone());
        opened.spawn(async move { dm(&*db, &by, &with).await.unwrap() });
    }
    let opened = opened.join_all().await;
    assert_eq!(opened.iter().filter(|made| made.created).count(), 1);
    let here = opened[0].object.id;
    assert!(opened.iter().all(|made| made.object.id == here));
    for (me, other) in [(&ada, &bob), (&bob, &ada)] {
        let seen = db.room(of(me), InRoom { room_id: here }).await.unwrap().value;
        assert_eq!(
            (seen.kind, seen.visibility, seen.encryption),
            (RoomKind::Dm, Visibility::Private, Encryption::Envelope)
        );
        assert_eq!(
            (seen.name.clone(), seen.member_count, seen.my_role),
            (None, 2, Some(Role::Member))
        );
        assert_eq!(seen.peer.as_ref().map(|peer| peer.id), Some(other.user_id));
        let (cursor, limit) = (None, 50);
        let mine = db.rooms(of(me), Paging { cursor, limit }).await.unwrap().value.items;
        assert_eq!(mine, [seen]);
    }
    let events = log(&*db, &ada, here).await;
    let [Event::Room(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(event.change, RoomEventChange::Created);
    assert_eq!(event.room["members"].as_array().map(Vec::len), Some(2));
    for wrong in [
        user(&ada),
        GetUser {
            user_id: common::UserId(service::minted::id()),
        },
    ] {
        let refused = db.open_dm(of(&ada), wrong).await;
        assert!(
            matches!(&refused, Err(Refusal::Invalid { pointer, .. }) if pointer == "/userId"),
            "{refused:?}"
        );
    }
}

/// Nothing about it can change, and to others it is not there.
pub async fn a_dm_stays_as_it_is(db: Arc<dyn DbApi>) {
    let (ada, bob, eve) = (
        person(&*db, "ada").await,
        person(&*db, "bob").await,
        person(&*db, "eve").await,
    );
    let room_id = dm(&*db, &ada, &bob).await.unwrap().object.id;
    let here = || InRoom { room_id };
    let (named, paging) = (
        |who: &Actor| InRoomUser {
            room_id,
            user_id: who.user_id,
        },
        || Paging {
            cursor: None,
            limit: 50,
        },
    );
    for (by, is_member) in [(&ada, true), (&bob, true), (&eve, false)] {
        let update = UpdateRoom {
            room_id,
            name: Some(RoomName::parse("Ours").unwrap()),
            topic: None,
            visibility: None,
        };
        let role = SetRole {
            room_id,
            user_id: bob.user_id,
            role: Role::Owner,
        };
        let invite = CreateInvite {
            room_id,
            expires_in_seconds: None,
            max_uses: None,
        };
        let (code, members) = (
            "forged".to_owned(),
            Members {
                room_id,
                paging: paging(),
            },
        );
        let answers = [
            db.update_room(of(by), update).await.map(drop),
            db.delete_room(of(by), here()).await.map(drop),
            db.leave_room(of(by), here()).await.map(drop),
            db.add_member(of(by), named(&eve)).await.map(drop),
            db.remove_member(of(by), named(&bob)).await.map(drop),
            db.set_role(of(by), role).await.map(drop),
            db.create_invite(of(by), invite).await.map(drop),
            db.invites(of(by), members).await.map(drop),
            db.withdraw_invite(of(by), NamedInvite { room_id, code })
                .await
                .map(drop),
        ];
        for (at, answer) in answers.iter().enumerate() {
            let visibility = Visibility::Private;
            match is_member {
                true => assert!(matches!(answer, Err(Refusal::Forbidden { .. })), "{at}: {answer:?}"),
                false => assert_eq!(*answer, Err(Refusal::NotAMember { visibility }), "{at}"),
            }
        }
    }
    assert_eq!(db.join_room(of(&eve), here()).await, Err(Refusal::NotFound));
    assert_eq!(db.room(of(&eve), here()).await, Err(Refusal::NotFound));
    assert_eq!(seqs(&log(&*db, &ada, room_id).await), [1]);
}

pub async fn a_block_keeps_the_other_away(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    for _ in 0..2 {
        db.block(of(&ada), user(&bob)).await.unwrap();
    }
    let listed = blocked(&*db, &ada).await;
    assert_eq!(
        listed.items.iter().map(|user| user.id).collect::<Vec<_>>(),
        [bob.user_id]
    );
    assert!(blocked(&*db, &bob).await.items.is_empty());
    let mine = room(&*db, &bob, &[]).await.id;
    let add = || InRoomUser {
        room_id: mine,
        user_id: ada.user_id,
    };
    let create = || CreateRoom {
        name: RoomName::parse("Tea").unwrap(),
        topic: None,
        visibility: Visibility::Private,
        encryption: Encryption::None,
        member_ids: vec![ada.user_id],
    };
    let refusals = [
        dm(&*db, &bob, &ada).await.map(drop),
        db.add_member(of(&bob), add()).await.map(drop),
        db.create_room(of(&bob), create()).await.map(drop),
    ];
    for refused in refusals {
        assert!(matches!(refused, Err(Refusal::Forbidden { .. })), "{refused:?}");
    }
    let between = dm(&*db, &ada, &bob).await.unwrap();
    assert!(between.created, "who blocks may");
    assert!(matches!(dm(&*db, &bob, &ada).await, Err(Refusal::Forbidden { .. })));
    let here = room(&*db, &ada, &[&bob]).await.id;
    assert!(!may_type(&*db, &ada, between.object.id).await && !may_type(&*db, &bob, between.object.id).await);
    assert!(may_type(&*db, &bob, here).await, "among others");
    for _ in 0..2 {
        db.unblock(of(&ada), user(&bob)).await.unwrap();
    }
    assert!(may_type(&*db, &ada, between.object.id).await && may_type(&*db, &bob, between.object.id).await);
    assert!(!dm(&*db, &bob, &ada).await.unwrap().created);
    assert!(db.add_member(of(&bob), add()).await.unwrap().value.created);
    let oneself = db.block(of(&ada), user(&ada)).await;
    assert!(matches!(oneself, Err(Refusal::Invalid { .. })), "{oneself:?}");
    let nobody = || GetUser {
        user_id: common::UserId(service::minted::id()),
    };
    assert_eq!(db.block(of(&ada), nobody()).await, Err(Refusal::NotFound));
    assert_eq!(db.unblock(of(&ada), nobody()).await, Err(Refusal::NotFound));
}

/// Whoever adds people looks at blocks; one that is answered while that goes on holds from then on.
pub async fn nobody_is_added_behind_a_block(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    for round in 0..10 {
        let eve = person(&*db, &format!("eve-{round}")).await;
        let rooms: Vec<_> = [room(&*db, &bob, &[]).await.id, room(&*db, &bob, &[]).await.id].into();
        let mut adds = JoinSet::new();
        for room_id in rooms.clone() {
            let (db, bob, user_id) = (db.clone(), bob.clone(), ada.user_id);
            adds.spawn(async move { db.add_member(of(&bob), InRoomUser { room_id, user_id }).await.is_ok() });
        }
        let (opener, by, with) = (db.clone(), eve.clone(), ada.clone());
        let opening = tokio::spawn(async move { dm(&*opener, &by, &with).await.is_ok() });
        db.block(of(&ada), user(&bob)).await.unwrap();
        db.block(of(&ada), user(&eve)).await.unwrap();
        // What was done by now was done before; what is answered later must have been done by now, or is refused.
        let (cursor, limit) = (None, 200);
        let before = db.rooms(of(&ada), Paging { cursor, limit }).await.unwrap().value.items;
        let is_in = |room_id| before.iter().any(|room| room.id == room_id);
        let with_eve = before
            .iter()
            .any(|room| room.peer.as_ref().is_some_and(|peer| peer.id == eve.user_id));
        let done = adds.join_all().await.into_iter().filter(|done| *done).count();
        assert_eq!(rooms.iter().filter(|room| is_in(**room)).count(), done);
        assert_eq!(opening.await.unwrap(), with_eve);
        db.unblock(of(&ada), user(&bob)).await.unwrap();
    }
}
