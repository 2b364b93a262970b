//! What admins may do: see accounts, disable them, make others admins. Each change is a line of the log, marked `audit`.

use common::{
    Timestamp, UserId, cursor,
    room::{Account, AccountRole, Page, User},
    text::Username,
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{Accounts, UpdateAccount},
};
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core,
    people::{like_start, next, page_limit, place},
    rows::UserRow,
    sessions::end_sessions,
    store::refuse,
};

#[derive(sqlx::FromRow)]
struct AccountRow {
    #[sqlx(flatten)]
    user: UserRow,
    role: String,
    disabled: bool,
    created_at_ms: i64,
    last_seen_at_ms: Option<i64>,
}

const ACCOUNT: &str = "select id, username, display_name, role, disabled, to_ms(created_at) created_at_ms, \
     (select to_ms(max(s.last_seen_at)) from sessions s where s.user_id = u.id) last_seen_at_ms from users u";

impl TryFrom<AccountRow> for Account {
    type Error = Refusal;

    fn try_from(row: AccountRow) -> Result<Self, Refusal> {
        Ok(Self {
            user: User::try_from(row.user)?,
            role: AccountRole::parse(&row.role).ok_or(Refusal::Internal)?,
            disabled: row.disabled,
            created_at: Timestamp(row.created_at_ms),
            last_seen_at: row.last_seen_at_ms.map(Timestamp),
        })
    }
}

fn no_admin() -> Refusal {
    Refusal::forbidden("Only admins may do this.")
}

impl Core {
    /// The actor, if its token says that it is an admin; that it still is one, a write looks up under the lock.
    fn admin(&self, call: &Call) -> Result<UserId, Refusal> {
        let actor = self.actor(call)?;
        match actor.role {
            AccountRole::Admin => Ok(actor.user_id),
            AccountRole::User => Err(no_admin()),
        }
    }

    pub(crate) async fn do_accounts(&self, call: Call, request: Accounts) -> Result<Page<Account>, Refusal> {
        self.admin(&call)?;
        let limit = page_limit(request.paging.limit)?;
        let after: Option<Username> = place(request.paging.cursor.as_deref())?;
        let start = like_start(&request.query.unwrap_or_default().to_lowercase());
        if start.contains('\0') {
            return Err(Refusal::invalid("?query", "must not contain U+0000"));
        }
        let pool = self.store.pool();
        let query = format!(
            "{ACCOUNT} where username like $1 and ($2::text is null or username > $2) order by username limit $3"
        );
        let rows = sqlx::query_as::<_, AccountRow>(AssertSqlSafe(query))
            .bind(start)
            .bind(after.as_ref().map(Username::as_str))
            .bind(limit + 1)
            .fetch_all(&pool);
        let rows = self.store.read(&call, async { rows.await.map_err(refuse) }).await?;
        let mut items = rows.into_iter().map(Account::try_from).collect::<Result<Vec<_>, _>>()?;
        let next_cursor = next(&mut items, limit, |account| cursor::encode(&account.user.username));
        Ok(Page { items, next_cursor })
    }

    pub(crate) async fn do_update_account(&self, call: Call, request: UpdateAccount) -> Reply<Account> {
        let by = self.admin(&call)?;
        let user = request.user_id;
        let (account, ended) = self
            .store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let admins = admins(&mut tx).await?;
                if !admins.contains(&by) {
                    return Err(no_admin());
                }
                let before = account(&mut tx, user).await?;
                let role = request.role.unwrap_or(before.role);
                let disabled = request.disabled.unwrap_or(before.disabled);
                let stays = role == AccountRole::Admin && !disabled;
                if !stays && admins == [user] {
                    return Err(Refusal::conflict("Somebody has to stay an admin."));
                }
                let mut ended = Vec::new();
                if request.role.is_some() || request.disabled.is_some() {
                    change(&mut tx, user, role, disabled).await?;
                    ended = end_sessions(&mut tx, user, None).await?;
                }
                let account = account(&mut tx, user).await?;
                tx.commit().await.map_err(refuse)?;
                Ok((account, ended))
            })
            .await?;
        tracing::info!(%by, user_id = %user, role = account.role.as_str(), disabled = account.disabled,
            sessions_ended = ended.len(), "audit: an admin changed an account");
        self.announce_ends(user, ended);
        Ok(Answer::written(account, self.seen().await))
    }
}

/// Those who are admins now, each under its lock: until the transaction ends nobody becomes one or stops being one by
/// another's doing.
async fn admins(tx: &mut Transaction<'_, Postgres>) -> Result<Vec<UserId>, Refusal> {
    let admins = "select id from users where role = 'admin' and not disabled order by id for no key update";
    let ids: Vec<Uuid> = sqlx::query_scalar(admins).fetch_all(&mut **tx).await.map_err(refuse)?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// An account under its lock.
async fn account(tx: &mut Transaction<'_, Postgres>, user: UserId) -> Result<Account, Refusal> {
    let row = sqlx::query_as::<_, AccountRow>(AssertSqlSafe(format!("{ACCOUNT} where id = $1 for no key update of u")))
        .bind(user.0)
        .fetch_optional(&mut **tx)
        .await
        .map_err(refuse)?;
    row.ok_or(Refusal::NotFound)?.try_into()
}

async fn change(
    tx: &mut Transaction<'_, Postgres>,
    user: UserId,
    role: AccountRole,
    disabled: bool,
) -> Result<(), Refusal> {
    sqlx::query("update users set role = $2, disabled = $3 where id = $1")
        .bind(user.0)
        .bind(role.as_str())
        .bind(disabled)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    Ok(())
}
