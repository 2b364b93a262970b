//! Who may do what in a room, from within and without.

use std::sync::Arc;

use common::{
    RoomId,
    room::{Encryption, Role, Visibility},
    text::RoomName,
    token::Actor,
};
use db_api::{DbApi, Refusal, types::*};

use crate::{
    actions::*,
    invites::{all, invite},
    rooms::{give, named},
};

fn pair(room_id: RoomId, user: &Actor) -> InRoomUser {
    InRoomUser {
        room_id,
        user_id: user.user_id,
    }
}

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
