//! Accounts that are held still while something rests on them. Whoever also locks rooms locks these first, in the order of
//! their ids, and accounts after them, so that nobody waits in a circle.

use common::UserId;
use db_api::Refusal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::refuse;

/// Holds accounts until the transaction ends, together with others who do: nobody of them blocks somebody or changes their
/// devices meanwhile. Says whether all are there.
pub async fn hold(connection: &mut PgConnection, users: &[Uuid]) -> Result<bool, Refusal> {
    let found: Vec<Uuid> = sqlx::query_scalar("select id from users where id = any($1) order by id for share")
        .bind(users)
        .fetch_all(connection)
        .await
        .map_err(refuse)?;
    Ok(users.iter().all(|user| found.contains(user)))
}

/// Waits for all who hold the account, and keeps them out until the transaction ends.
pub async fn claim(connection: &mut PgConnection, user: UserId) -> Result<(), Refusal> {
    sqlx::query("select 1 from users where id = $1 for no key update")
        .bind(user.0)
        .execute(connection)
        .await
        .map_err(refuse)?;
    Ok(())
}

/// Claims the account together with all sealed rooms that it is in, which are returned.
///
/// # Errors
/// `Unavailable` when it came into another one meanwhile: another try makes sense.
pub async fn claim_with_sealed_rooms(connection: &mut PgConnection, user: UserId) -> Result<Vec<Uuid>, Refusal> {
    let locked = sealed_rooms(connection, user, "for update of r").await?;
    claim(connection, user).await?;
    let now = sealed_rooms(connection, user, "").await?;
    if now.iter().any(|room| !locked.contains(room)) {
        return Err(Refusal::unavailable("another room came along"));
    }
    Ok(now)
}

async fn sealed_rooms(connection: &mut PgConnection, user: UserId, how: &'static str) -> Result<Vec<Uuid>, Refusal> {
    let query = format!(
        "select r.id from rooms r where r.id in (select room_id from members where user_id = $1) \
         and r.encryption = 'envelope' and r.deleted_at is null order by r.id {how}"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(query))
        .bind(user.0)
        .fetch_all(connection)
        .await
        .map_err(refuse)
}
