//! Rooms: who may do what in them, their settings and roles, their end, and the ways into them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use common::{
    RoomId,
    event::{Event, MemberChange, RoomEventChange},
    room::{Encryption, Invite, Role, Room, Visibility},
    text::{RoomName, Topic},
    token::Actor,
};
use db_api::{Call, DbApi, Refusal, types::*};
use tokio::task::JoinSet;

use crate::actions::*;

fn pair(room_id: RoomId, user: &Actor) -> InRoomUser {
    InRoomUser {
        room_id,
        user_id: user.user_id,
    }
}

fn all(room_id: RoomId) -> Members {
    let (cursor, limit) = (None, 200);
    Members {
        room_id,
        paging: Paging { cursor, limit },
    }
}

fn unchanged(room_id: RoomId) -> UpdateRoom {
    UpdateRoom {
        room_id,
        name: None,
        topic: None,
        visibility: None,
    }
}

fn named(room_id: RoomId, name: &str) -> UpdateRoom {
    UpdateRoom {
        name: Some(RoomName::parse(name).unwrap()),
        ..unchanged(room_id)
    }
}

async fn give(db: &dyn DbApi, by: &Actor, room_id: RoomId, to: &Actor, role: Role) -> Result<Role, Refusal> {
    let user_id = to.user_id;
    let request = SetRole { room_id, user_id, role };
    db.set_role(of(by), request).await.map(|answer| answer.value.role)
}

async fn invite(db: &dyn DbApi, by: &Actor, room_id: RoomId, max_uses: Option<u32>) -> Result<Invite, Refusal> {
    let request = CreateInvite {
        room_id,
        expires_in_seconds: None,
        max_uses,
    };
    db.create_invite(of(by), request).await.map(|answer| answer.value)
}

async fn accept(db: &dyn DbApi, user: &Actor, code: &str) -> Result<Room, Refusal> {
    let code = code.to_owned();
    let accepted = db.accept_invite(of(user), AcceptInvite { code }).await;
    accepted.map(|answer| answer.value)
}

// --- Who may do what ---

/// Everybody whom the matrix knows; each is in the room in one way.
struct Cast {
    owner: Actor,
    second_owner: Actor,
    moderator: Actor,
    second_moderator: Actor,
    member: Actor,
    second_member: Actor,
    former: Actor,
    stranger: Actor,
    newcomer: Actor,
}

impl Cast {
    async fn of(db: &dyn DbApi) -> Self {
        Self {
            owner: person(db, "owner").await,
            second_owner: person(db, "owner-2").await,
            moderator: person(db, "moderator").await,
            second_moderator: person(db, "moderator-2").await,
            member: person(db, "member").await,
            second_member: person(db, "member-2").await,
            former: person(db, "former").await,
            stranger: person(db, "stranger").await,
            newcomer: person(db, "newcomer").await,
        }
    }

    /// A fresh room with everybody in their places.
    async fn room(&self, db: &dyn DbApi, visibility: Visibility) -> RoomId {
        let others = [
            &self.second_owner,
            &self.moderator,
            &self.second_moderator,
            &self.member,
            &self.second_member,
            &self.former,
        ];
        let request = CreateRoom {
            name: RoomName::parse("Tea").unwrap(),
            topic: None,
            visibility,
            encryption: Encryption::None,
            member_ids: others.map(|user| user.user_id).to_vec(),
        };
        let room = db.create_room(of(&self.owner), request).await.unwrap().value.id;
        for (user, role) in [
            (&self.second_owner, Role::Owner),
            (&self.moderator, Role::Moderator),
            (&self.second_moderator, Role::Moderator),
        ] {
            give(db, &self.owner, room, user, role).await.unwrap();
        }
        db.leave_room(of(&self.former), InRoom { room_id: room }).await.unwrap();
        room
    }
}

/// What can be tried in a room.
#[derive(Debug, Clone, Copy)]
enum Deed {
    History,
    Events,
    Members,
    Send,
    Open,
    Update,
    Add,
    Invite,
    Invites,
    Withdraw,
    RemoveMember,
    RemoveModerator,
    RemoveOwner,
    GiveRole,
    Delete,
    Leave,
    Join,
}

/// May do it, is forbidden to, or is told what a stranger is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Does,
    Forbidden,
    Strange,
}

/// Owner, moderator, member; whoever is not in the room is a stranger to all of it, unless it is public and joined.
const MATRIX: [(Deed, [Word; 3]); 17] = {
    use Word::{Does, Forbidden};
    [
        (Deed::History, [Does, Does, Does]),
        (Deed::Events, [Does, Does, Does]),
        (Deed::Members, [Does, Does, Does]),
        (Deed::Send, [Does, Does, Does]),
        (Deed::Open, [Does, Does, Does]),
        (Deed::Update, [Does, Does, Forbidden]),
        (Deed::Add, [Does, Does, Forbidden]),
        (Deed::Invite, [Does, Does, Forbidden]),
        (Deed::Invites, [Does, Does, Forbidden]),
        (Deed::Withdraw, [Does, Does, Forbidden]),
        (Deed::RemoveMember, [Does, Does, Forbidden]),
        (Deed::RemoveModerator, [Does, Forbidden, Forbidden]),
        (Deed::RemoveOwner, [Does, Forbidden, Forbidden]),
        (Deed::GiveRole, [Does, Forbidden, Forbidden]),
        (Deed::Delete, [Does, Forbidden, Forbidden]),
        (Deed::Leave, [Does, Does, Does]),
        (Deed::Join, [Does, Does, Does]),
    ]
};

fn done<T>(answer: db_api::Reply<T>) -> Result<(), Refusal> {
    answer.map(drop)
}

async fn attempt(db: &dyn DbApi, cast: &Cast, room_id: RoomId, by: &Actor, deed: Deed) -> Result<(), Refusal> {
    let here = InRoom { room_id };
    match deed {
        Deed::History => {
            let (place, limit) = (Place::Newest, 50);
            done(db.history(of(by), History { room_id, place, limit }).await)
        }
        Deed::Events => {
            let (after, limit) = (common::Seq::ZERO, 50);
            done(db.events(of(by), Events { room_id, after, limit }).await)
        }
        Deed::Members => done(db.members(of(by), all(room_id)).await),
        Deed::Send => match append(db, vec![draft(by, room_id, fresh_message())]).await.remove(0) {
            Outcome::Appended(_) => Ok(()),
            Outcome::Refused(refusal) => Err(refusal),
        },
        Deed::Open => {
            let (after_seq, log_id) = (None, None);
            let rooms = vec![OpenRoom {
                room_id,
                after_seq,
                log_id,
            }];
            match db
                .open_rooms(of(by), OpenRooms { rooms })
                .await
                .unwrap()
                .value
                .rooms
                .remove(0)
            {
                Opening::Opened(_) => Ok(()),
                Opening::Refused(refusal) => Err(refusal),
            }
        }
        Deed::Update => done(db.update_room(of(by), named(room_id, "Coffee")).await),
        Deed::Add => done(db.add_member(of(by), pair(room_id, &cast.newcomer)).await),
        Deed::Invite => invite(db, by, room_id, None).await.map(drop),
        Deed::Invites => done(db.invites(of(by), all(room_id)).await),
        Deed::Withdraw => {
            let code = invite(db, &cast.owner, room_id, None).await.unwrap().code;
            done(db.withdraw_invite(of(by), NamedInvite { room_id, code }).await)
        }
        Deed::RemoveMember => done(db.remove_member(of(by), pair(room_id, &cast.second_member)).await),
        Deed::RemoveModerator => done(db.remove_member(of(by), pair(room_id, &cast.second_moderator)).await),
        Deed::RemoveOwner => done(db.remove_member(of(by), pair(room_id, &cast.second_owner)).await),
        Deed::GiveRole => give(db, by, room_id, &cast.second_member, Role::Moderator)
            .await
            .map(drop),
        Deed::Delete => done(db.delete_room(of(by), here).await),
        Deed::Leave => done(db.leave_room(of(by), here).await),
        Deed::Join => done(db.join_room(of(by), here).await),
    }
}

/// Walks the matrix of the contract, section 3, in public and private rooms, and from without.
pub async fn who_may_do_what(db: Arc<dyn DbApi>) {
    let db = &*db;
    let cast = Cast::of(db).await;
    for visibility in [Visibility::Public, Visibility::Private] {
        for (deed, words) in MATRIX {
            let within = [&cast.owner, &cast.moderator, &cast.member];
            let joins = matches!(deed, Deed::Join) && visibility == Visibility::Public;
            let outside = if joins { Word::Does } else { Word::Strange };
            let without = [&cast.former, &cast.stranger].map(|user| (user, outside));
            for (by, word) in within.into_iter().zip(words).chain(without) {
                let room = cast.room(db, visibility).await;
                let answer = attempt(db, &cast, room, by, deed).await;
                let said = match &answer {
                    Ok(()) => Word::Does,
                    Err(Refusal::Forbidden { .. }) => Word::Forbidden,
                    Err(Refusal::NotAMember { visibility: told }) if *told == visibility => Word::Strange,
                    Err(Refusal::NotFound) if visibility == Visibility::Private => Word::Strange,
                    Err(other) => panic!("{deed:?} in a {visibility:?} room: {other:?}"),
                };
                assert_eq!(said, word, "{deed:?} in a {visibility:?} room by {by:?}: {answer:?}");
            }
        }
    }
}

// --- Settings, roles, the end ---

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

// --- Invites ---

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
