//! Ways into a room for whoever has a code.

use std::{collections::HashSet, sync::Arc, time::Duration};

use common::{
    RoomId,
    event::{Event, MemberChange},
    room::{Invite, Room},
    token::Actor,
};
use db_api::{DbApi, Refusal, types::*};
use tokio::task::JoinSet;

use crate::actions::*;

pub fn all(room_id: RoomId) -> Members {
    let (cursor, limit) = (None, 200);
    Members {
        room_id,
        paging: Paging { cursor, limit },
    }
}

pub async fn invite(db: &dyn DbApi, by: &Actor, room_id: RoomId, max_uses: Option<u32>) -> Result<Invite, Refusal> {
    let request = CreateInvite {
        room_id,
        expires_in_seconds: None,
        max_uses,
    };
    db.create_invite(of(by), request).await.map(|answer| answer.value)
}

pub async fn accept(db: &dyn DbApi, user: &Actor, code: &str) -> Result<Room, Refusal> {
    let code = code.to_owned();
    let accepted = db.accept_invite(of(user), AcceptInvite { code }).await;
    accepted.map(|answer| answer.value)
}

pub async fn an_invite_lets_in_as_many_as_it_says(db: Arc<dyn DbApi>) {
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await.id;
    let made = invite(&*db, &ada, here, Some(3)).await.unwrap();
    assert_eq!((made.room_id, made.max_uses, made.uses), (here, Some(3), 0));
    accept(&*db, &ada, &made.code).await.unwrap();
    let listed = db.invites(of(&ada), all(here)).await.unwrap().value.items;
    assert_eq!(
        listed,
        std::slice::from_ref(&made),
        "a member's accept counts no use, and the list has the code again"
    );
    let (mut people, mut guests) = (Vec::new(), JoinSet::new());
    for n in 0..8 {
        people.push(person(&*db, &format!("guest-{n}")).await);
    }
    for guest in people {
        let (db, code) = (db.clone(), made.code.clone());
        guests.spawn(async move {
            let first = accept(&*db, &guest, &code).await;
            (guest, first)
        });
    }
    let guests = guests.join_all().await;
    let inside: Vec<&Actor> = guests
        .iter()
        .filter(|(_, first)| first.is_ok())
        .map(|(guest, _)| guest)
        .collect();
    assert_eq!(inside.len(), 3);
    for (guest, first) in &guests {
        match first {
            Ok(_) => drop(
                accept(&*db, guest, &made.code)
                    .await
                    .expect("a lost answer turns into no error"),
            ),
            Err(refusal) => assert_eq!(*refusal, Refusal::Gone),
        }
    }
    let events = log(&*db, &ada, here).await;
    let joined = events.iter().filter_map(|event| match event {
        Event::Member(event) if event.change == MemberChange::Joined && event.by == event.user_id => {
            Some(event.user_id)
        }
        _ => None,
    });
    let inside: HashSet<_> = inside.iter().map(|guest| guest.user_id).collect();
    assert_eq!(joined.collect::<HashSet<_>>(), inside);
    assert_eq!(seqs(&events), rising(4));
    assert!(
        db.invites(of(&ada), all(here)).await.unwrap().value.items.is_empty(),
        "used up"
    );
}

pub async fn an_invite_ends_by_its_time_or_by_hand(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[]).await.id;
    let short = CreateInvite {
        room_id: here,
        expires_in_seconds: Some(1),
        max_uses: None,
    };
    let short = db.create_invite(of(&ada), short).await.unwrap().value;
    // The database's clock decides, so this one passes for real.
    while service::minted::now() <= short.expires_at {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(accept(&*db, &bob, &short.code).await, Err(Refusal::Gone));
    let made = invite(&*db, &ada, here, None).await.unwrap();
    let elsewhere = room(&*db, &ada, &[]).await.id;
    let named = |room_id, code: &str| NamedInvite {
        room_id,
        code: code.to_owned(),
    };
    assert_eq!(
        db.withdraw_invite(of(&ada), named(elsewhere, &made.code)).await,
        Err(Refusal::NotFound),
        "another room's"
    );
    db.withdraw_invite(of(&ada), named(here, &made.code)).await.unwrap();
    assert_eq!(
        db.withdraw_invite(of(&ada), named(here, &made.code)).await,
        Err(Refusal::NotFound)
    );
    for code in [made.code.as_str(), "forged", &made.code[..63]] {
        assert_eq!(accept(&*db, &bob, code).await, Err(Refusal::NotFound), "{code}");
    }
    for (seconds, uses, pointer) in [
        (Some(0), None, "/expiresInSeconds"),
        (Some(2_592_001), None, "/expiresInSeconds"),
        (None, Some(0), "/maxUses"),
    ] {
        let request = CreateInvite {
            room_id: here,
            expires_in_seconds: seconds,
            max_uses: uses,
        };
        let refused = db.create_invite(of(&ada), request).await;
        assert!(
            matches!(&refused, Err(Refusal::Invalid { pointer: at, .. }) if at == pointer),
            "{refused:?}"
        );
    }
}
