//! Changing a room, its members' roles, and taking it away.

use common::{
    RoomId, UserId,
    event::Event,
    frame::NoticeKind,
    room::{Member, Role, Room, RoomChange},
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{InRoom, Nothing, SetRole, UpdateRoom},
};
use serde_json::json;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core,
    membership::{acting, is_last_owner, member_of, role_of},
    rooms::{lock, log_event},
    store::refuse,
};

impl Core {
    pub(crate) async fn do_update_room(&self, call: Call, request: UpdateRoom) -> Reply<Room> {
        let (by, room) = (self.actor(&call)?.user_id, request.room_id);
        let event = self
            .change_room(&call, room, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let event = update(&mut tx, by, &request).await?;
                tx.commit().await.map_err(refuse)?;
                Ok(event)
            })
            .await?;
        self.announce(event);
        Ok(Answer::written(self.room_of(&call, room).await?, self.seen().await))
    }

    pub(crate) async fn do_delete_room(&self, call: Call, request: InRoom) -> Reply<Nothing> {
        let (by, room) = (self.actor(&call)?.user_id, request.room_id);
        let (event, members) = self
            .change_room(&call, room, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let deleted = delete(&mut tx, by, room).await?;
                tx.commit().await.map_err(refuse)?;
                Ok(deleted)
            })
            .await?;
        self.announce(Some(event));
        for user in members {
            self.announcer.notify(user, NoticeKind::RoomRemoved, room);
        }
        Ok(Answer::written(Nothing {}, self.seen().await))
    }

    pub(crate) async fn do_set_role(&self, call: Call, request: SetRole) -> Reply<Member> {
        let by = self.actor(&call)?.user_id;
        let (event, member) = self
            .change_room(&call, request.room_id, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let event = give_role(&mut tx, by, &request).await?;
                let member = member_of(&mut tx, request.room_id, request.user_id).await?;
                tx.commit().await.map_err(refuse)?;
                Ok((event, member))
            })
            .await?;
        self.announce(event);
        Ok(Answer::written(member, self.seen().await))
    }
}

async fn update(
    tx: &mut Transaction<'_, Postgres>,
    by: UserId,
    request: &UpdateRoom,
) -> Result<Option<Event>, Refusal> {
    let room = request.room_id;
    let locked = lock(tx, room).await?;
    if acting(tx, &locked, room, by).await? < Role::Moderator {
        return Err(Refusal::forbidden("Only owners and moderators change a room."));
    }
    let changed = changes(tx, request).await?;
    if changed.is_empty() {
        return Ok(None);
    }
    sqlx::query(
        "update rooms set name = coalesce($2, name), topic = coalesce($3, topic), \
         visibility = coalesce($4, visibility) where id = $1",
    )
    .bind(room.0)
    .bind(request.name.as_ref().map(|name| name.as_str()))
    .bind(request.topic.as_ref().map(|topic| topic.as_str()))
    .bind(request.visibility.map(|visibility| visibility.as_str()))
    .execute(&mut **tx)
    .await
    .map_err(refuse)?;
    let detail = json!({"change": "updated", "by": by, "room": changed});
    log_event(tx, room, "room", detail, 0).await.map(Some)
}

/// What of the request is not so already.
async fn changes(tx: &mut Transaction<'_, Postgres>, request: &UpdateRoom) -> Result<RoomChange, Refusal> {
    type Settings = (Option<String>, Option<String>, String);
    let (name, topic, visibility): Settings = sqlx::query_as("select name, topic, visibility from rooms where id = $1")
        .bind(request.room_id.0)
        .fetch_one(&mut **tx)
        .await
        .map_err(refuse)?;
    let wanted = [
        ("name", request.name.as_ref().map(|name| name.as_str()), name.as_deref()),
        (
            "topic",
            request.topic.as_ref().map(|topic| topic.as_str()),
            topic.as_deref(),
        ),
        (
            "visibility",
            request.visibility.map(|visibility| visibility.as_str()),
            Some(visibility.as_str()),
        ),
    ];
    let new = wanted.into_iter().filter(|(_, new, old)| new.is_some() && new != old);
    Ok(new.map(|(what, new, _)| (what.to_owned(), json!(new))).collect())
}

async fn delete(tx: &mut Transaction<'_, Postgres>, by: UserId, room: RoomId) -> Result<(Event, Vec<UserId>), Refusal> {
    let locked = lock(tx, room).await?;
    if acting(tx, &locked, room, by).await? < Role::Owner {
        return Err(Refusal::forbidden("Only an owner takes a room away."));
    }
    let detail = json!({"change": "deleted", "by": by, "room": {}});
    let event = log_event(tx, room, "room", detail, -locked.member_count).await?;
    // The log stays: a gateway that missed the announcement reads the end of it from there.
    sqlx::query("update rooms set deleted_at = last_event_at where id = $1")
        .bind(room.0)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    let members: Vec<Uuid> = sqlx::query_scalar("delete from members where room_id = $1 returning user_id")
        .bind(room.0)
        .fetch_all(&mut **tx)
        .await
        .map_err(refuse)?;
    for leftover in [
        "delete from invites where room_id = $1",
        "delete from room_keys where room_id = $1",
    ] {
        sqlx::query(leftover)
            .bind(room.0)
            .execute(&mut **tx)
            .await
            .map_err(refuse)?;
    }
    Ok((event, members.into_iter().map(UserId).collect()))
}

async fn give_role(
    tx: &mut Transaction<'_, Postgres>,
    by: UserId,
    request: &SetRole,
) -> Result<Option<Event>, Refusal> {
    let (room, user, role) = (request.room_id, request.user_id, request.role);
    let locked = lock(tx, room).await?;
    if acting(tx, &locked, room, by).await? < Role::Owner {
        return Err(Refusal::forbidden("Only an owner gives roles."));
    }
    let present = role_of(tx, room, user).await?.ok_or(Refusal::NotFound)?;
    if present == role {
        return Ok(None);
    }
    if is_last_owner(tx, &locked, room, present).await? {
        return Err(Refusal::conflict(
            "The last owner can't step down while others are in the room.",
        ));
    }
    sqlx::query("update members set role = $3 where room_id = $1 and user_id = $2")
        .bind(room.0)
        .bind(user.0)
        .bind(role.as_str())
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    let detail = json!({"userId": user, "change": "role", "role": role, "by": by});
    log_event(tx, room, "member", detail, 0).await.map(Some)
}
