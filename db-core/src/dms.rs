//! The one room between two people, made at first use. Its members are equals, so that neither can take away what the other
//! has written.

use common::{
    RoomId, UserId,
    event::Event,
    frame::NoticeKind,
    room::{Encryption, Role, Room, RoomKind, Visibility},
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{GetUser, Made},
};
use service::minted;
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core,
    blocks::unblocked,
    creation::{NewRoom, create},
    holding::hold,
    membership::exists,
    once::Once,
    store::refuse,
};

/// What an opening that is done once is remembered by.
#[derive(serde::Serialize, serde::Deserialize)]
struct Opened {
    room: RoomId,
    created: bool,
}

impl Core {
    pub(crate) async fn do_open_dm(&self, call: Call, request: GetUser) -> Reply<Made<Room>> {
        let (user, peer) = (self.actor(&call)?.user_id, request.user_id);
        if user == peer {
            return Err(Refusal::invalid("/userId", "is yourself"));
        }
        let once = Once::of(&call, user);
        let (Opened { room, created }, event) = self
            .store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                if let Some(earlier) = once.earlier(&mut tx).await? {
                    return Ok((earlier, None));
                }
                let (room, event) = open(&mut tx, user, peer).await?;
                let created = event.is_some();
                once.commit(tx, &Opened { room, created }).await?;
                Ok((Opened { room, created }, event))
            })
            .await?;
        if event.is_some() {
            for who in [user, peer] {
                self.announcer.notify(who, NoticeKind::DmCreated, room);
            }
        }
        self.announce(event);
        let object = self.room_of(&call, room).await?;
        Ok(Answer::written(Made { object, created }, self.seen().await))
    }
}

/// The room, and its first event when it is new.
async fn open(
    tx: &mut Transaction<'_, Postgres>,
    user: UserId,
    peer: UserId,
) -> Result<(RoomId, Option<Event>), Refusal> {
    hold(tx, &[user.0, peer.0]).await?;
    if !exists(tx, peer).await? {
        return Err(Refusal::invalid("/userId", "names somebody who isn't there"));
    }
    unblocked(tx, user, &[peer.0]).await?;
    let (low, high) = (user.min(peer), user.max(peer));
    let id = RoomId(minted::id());
    // Of two at once the later one waits here for the earlier one's commit.
    let claimed = sqlx::query("insert into dms (low_id, high_id, room_id) values ($1, $2, $3) on conflict do nothing")
        .bind(low.0)
        .bind(high.0)
        .bind(id.0)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    if claimed.rows_affected() == 0 {
        let room = dm_of(tx, user, peer).await?;
        return Ok((room.ok_or(Refusal::Internal)?, None));
    }
    let new = NewRoom {
        id,
        kind: RoomKind::Dm,
        name: None,
        topic: None,
        visibility: Visibility::Private,
        encryption: Encryption::Envelope,
        by: user,
        members: vec![(user, Role::Member), (peer, Role::Member)],
    };
    Ok((id, Some(create(tx, &new).await?)))
}

/// The room between two people, if there is one.
pub async fn dm_of(connection: &mut PgConnection, user: UserId, peer: UserId) -> Result<Option<RoomId>, Refusal> {
    let room: Option<Uuid> = sqlx::query_scalar("select room_id from dms where low_id = $1 and high_id = $2")
        .bind(user.min(peer).0)
        .bind(user.max(peer).0)
        .fetch_optional(connection)
        .await
        .map_err(refuse)?;
    Ok(room.map(RoomId))
}
