//! A room's beginning: its row, its first members, and the event that is the first of its log.

use common::{
    LogId, RoomId, UserId,
    event::Event,
    room::{Encryption, Role, RoomKind, Visibility},
    text::{RoomName, Topic},
};
use db_api::Refusal;
use serde_json::json;
use service::minted;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{devices::fit, rooms::log_event, store::refuse};

/// A room that is to be.
pub struct NewRoom {
    pub id: RoomId,
    pub kind: RoomKind,
    /// A DM has none.
    pub name: Option<RoomName>,
    pub topic: Option<Topic>,
    pub visibility: Visibility,
    pub encryption: Encryption,
    pub by: UserId,
    pub members: Vec<(UserId, Role)>,
}

/// Whoever is in `new.members` is held still.
pub async fn create(tx: &mut Transaction<'_, Postgres>, new: &NewRoom) -> Result<Event, Refusal> {
    sqlx::query(
        "insert into rooms (id, log_id, kind, name, topic, visibility, encryption, created_at, created_by, \
         last_event_at, activity_at) \
         select $1, $2, $3, $4, $5, $6, $7, at, $8, at, at \
         from date_trunc('milliseconds', clock_timestamp()) at",
    )
    .bind(new.id.0)
    .bind(LogId(minted::id()).0)
    .bind(new.kind.as_str())
    .bind(new.name.as_ref().map(|name| name.as_str()))
    .bind(new.topic.as_ref().map(|topic| topic.as_str()))
    .bind(new.visibility.as_str())
    .bind(new.encryption.as_str())
    .bind(new.by.0)
    .execute(&mut **tx)
    .await
    .map_err(refuse)?;
    let people: Vec<Uuid> = new.members.iter().map(|(user, _)| user.0).collect();
    if new.encryption == Encryption::Envelope {
        fit(tx, new.id, &people).await?;
    }
    let first = new
        .members
        .iter()
        .map(|(user, role)| json!({"userId": user, "role": role}));
    let detail = json!({"change": "created", "by": new.by, "room": {
        "kind": new.kind, "name": new.name, "topic": new.topic, "visibility": new.visibility,
        "encryption": new.encryption, "members": first.collect::<Vec<_>>(),
    }});
    let event = log_event(tx, new.id, "room", detail, new.members.len() as i32).await?;
    let roles: Vec<&str> = new.members.iter().map(|(_, role)| role.as_str()).collect();
    sqlx::query(
        "insert into members (room_id, user_id, role, joined_at, read_seq) \
         select $1, m.user_id, m.role, r.created_at, r.head_seq \
         from unnest($2::uuid[], $3::text[]) m (user_id, role), rooms r where r.id = $1",
    )
    .bind(new.id.0)
    .bind(people)
    .bind(roles)
    .execute(&mut **tx)
    .await
    .map_err(refuse)?;
    Ok(event)
}
