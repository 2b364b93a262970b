//! What memberships rest on and how they begin and end, inside a transaction that holds the room's lock.

use common::{
    RoomId, UserId,
    event::Event,
    room::{Member, Role},
};
use db_api::Refusal;
use serde_json::json;
use sqlx::{PgConnection, Postgres, Transaction};

use crate::{
    devices::fit,
    holding::hold,
    rooms::{Locked, log_event},
    rows::MemberRow,
    store::refuse,
};

/// The columns of [`MemberRow`], of the room `$1`.
pub const MEMBER: &str = "m.user_id, u.username, u.display_name, m.role, to_ms(m.joined_at) joined_at_ms \
     from members m left join users u on u.id = m.user_id where m.room_id = $1";

/// The role of a member, at the state that the connection sees now.
pub async fn role_of(connection: &mut PgConnection, room: RoomId, user: UserId) -> Result<Option<Role>, Refusal> {
    let role: Option<String> = sqlx::query_scalar("select role from members where room_id = $1 and user_id = $2")
        .bind(room.0)
        .bind(user.0)
        .fetch_optional(connection)
        .await
        .map_err(refuse)?;
    role.map(|role| Role::parse(&role).ok_or(Refusal::Internal)).transpose()
}

/// The role of who wants to change the room.
///
/// # Errors
/// What a stranger is told, and `Forbidden` in a direct conversation.
pub async fn acting(connection: &mut PgConnection, locked: &Locked, room: RoomId, by: UserId) -> Result<Role, Refusal> {
    let role = role_of(connection, room, by).await?;
    let role = role.ok_or_else(|| locked.stranger())?;
    if locked.kind == "dm" {
        return Err(two_for_good());
    }
    Ok(role)
}

/// A member as it now stands.
pub async fn member_of(connection: &mut PgConnection, room: RoomId, user: UserId) -> Result<Member, Refusal> {
    let query = format!("select {MEMBER} and m.user_id = $2");
    let row = sqlx::query_as::<_, MemberRow>(sqlx::AssertSqlSafe(query))
        .bind(room.0)
        .bind(user.0)
        .fetch_optional(connection)
        .await
        .map_err(refuse)?;
    row.ok_or(Refusal::NotFound)?.try_into()
}

/// Whether somebody has an account.
pub async fn exists(connection: &mut PgConnection, user: UserId) -> Result<bool, Refusal> {
    sqlx::query_scalar("select exists (select 1 from users where id = $1)")
        .bind(user.0)
        .fetch_one(connection)
        .await
        .map_err(refuse)
}

pub fn two_for_good() -> Refusal {
    Refusal::forbidden("A direct conversation has its two members for good.")
}

pub async fn may_end(
    tx: &mut Transaction<'_, Postgres>,
    locked: &Locked,
    room: RoomId,
    user: UserId,
    by: UserId,
) -> Result<(), Refusal> {
    let mine = acting(tx, locked, room, by).await?;
    let role = role_of(tx, room, user).await?.ok_or(Refusal::NotFound)?;
    if user != by && (mine == Role::Member || (mine == Role::Moderator && role != Role::Member)) {
        return Err(Refusal::forbidden("Owners remove anyone, moderators remove members."));
    }
    if user == by && is_last_owner(tx, locked, room, role).await? {
        return Err(Refusal::conflict(
            "The last owner can't leave while others are in the room.",
        ));
    }
    Ok(())
}

/// Whether without this one the others would be a room that nobody owns.
pub async fn is_last_owner(
    connection: &mut PgConnection,
    locked: &Locked,
    room: RoomId,
    role: Role,
) -> Result<bool, Refusal> {
    if role != Role::Owner || locked.member_count == 1 {
        return Ok(false);
    }
    sqlx::query_scalar("select count(*) = 1 from members where room_id = $1 and role = 'owner'")
        .bind(room.0)
        .fetch_one(connection)
        .await
        .map_err(refuse)
}

pub async fn enter(
    tx: &mut Transaction<'_, Postgres>,
    locked: &Locked,
    room: RoomId,
    user: UserId,
    by: UserId,
    change: &str,
) -> Result<Event, Refusal> {
    if locked.encryption == "envelope" {
        hold(tx, &[user.0]).await?;
        fit(tx, room, &[user.0]).await?;
    }
    let detail = json!({"userId": user, "change": change, "role": Role::Member, "by": by});
    let event = log_event(tx, room, "member", detail, 1).await?;
    // A new member's marker starts at the head.
    sqlx::query(
        "insert into members (room_id, user_id, role, joined_at, read_seq) \
         select $1, $2, 'member', last_event_at, head_seq from rooms where id = $1",
    )
    .bind(room.0)
    .bind(user.0)
    .execute(&mut **tx)
    .await
    .map_err(refuse)?;
    Ok(event)
}

pub async fn exit(
    tx: &mut Transaction<'_, Postgres>,
    locked: &Locked,
    room: RoomId,
    user: UserId,
    by: UserId,
) -> Result<Event, Refusal> {
    let change = if user == by { "left" } else { "removed" };
    sqlx::query("delete from members where room_id = $1 and user_id = $2")
        .bind(room.0)
        .bind(user.0)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    if locked.encryption == "envelope" {
        // Who is out holds the keys so far: nothing new may be sealed with them.
        sqlx::query("update rooms set min_epoch = epoch + 1 where id = $1")
            .bind(room.0)
            .execute(&mut **tx)
            .await
            .map_err(refuse)?;
    }
    log_event(
        tx,
        room,
        "member",
        json!({"userId": user, "change": change, "by": by}),
        -1,
    )
    .await
}
