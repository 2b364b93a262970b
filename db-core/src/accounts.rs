//! Accounts and their passwords.

use common::{
    SessionId, UserId, limits,
    room::{AccountRole, User},
    text::{DeviceName, DisplayName, Password},
    token::Scope,
};
use db_api::{
    Call, Refusal,
    types::{ChangePassword, Login, Nothing, Register, SessionGrant},
};
use service::minted;
use sqlx::{Postgres, Transaction};

use crate::{
    Core, Registration,
    passwords::{is_common, is_outdated},
    rows::UserRow,
    sessions::{ALL_SCOPES, Opened, end_sessions, open_session},
    store::{is_duplicate, refuse},
};

#[derive(sqlx::FromRow)]
struct AccountRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: String,
    password_version: i64,
}

const COMMON: &str = "is one of the commonest passwords";
/// What is asked of a password's account before it counts.
const ACCOUNT: &str = "select id, username, display_name, password_hash, password_version from users";

/// The circumstances of the database's part of a call that may wait long for its turn to hash: a database that is away
/// is told as fast as anywhere.
fn hurried(call: &Call) -> Call {
    call.clone().within(call.deadline().min(limits::CALL_DEADLINE))
}

impl Core {
    pub(crate) async fn do_register(&self, call: Call, request: Register) -> Result<SessionGrant, Refusal> {
        if self.registration == Registration::Closed {
            return Err(Refusal::forbidden("Registration is closed."));
        }
        if is_common(request.password.as_str()) {
            return Err(Refusal::invalid("/password", COMMON));
        }
        let hash = self.passwords.hash(request.password.into_string()).await?;
        let (user_id, session) = (UserId(minted::id()), SessionId(minted::id()));
        let username = request.username.clone();
        let display_name = request
            .display_name
            .map_or_else(|| username.as_str().to_owned(), DisplayName::into_string);
        let device = request.device.map(DeviceName::into_string);
        let row = UserRow {
            id: user_id.0,
            username: username.into_string(),
            display_name,
        };
        let user = User::try_from(row)?;
        let written = user.clone();
        self.store
            .write(&hurried(&call), move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let inserted = sqlx::query(
                    "insert into users (id, username, display_name, password_hash) values ($1, $2, $3, $4)",
                )
                .bind(written.id.0)
                .bind(written.username.as_str())
                .bind(written.display_name.as_str())
                .bind(hash)
                .execute(&mut *tx)
                .await;
                match inserted {
                    Ok(_) => {}
                    Err(error) if is_duplicate(&error) => return Err(Refusal::conflict("The username is taken.")),
                    Err(error) => return Err(refuse(error)),
                }
                open_session(&mut tx, written.id, session, device, &ALL_SCOPES).await?;
                tx.commit().await.map_err(refuse)
            })
            .await?;
        let opened = Opened {
            user,
            role: AccountRole::User,
            scopes: ALL_SCOPES.into(),
            session,
            counter: 0,
        };
        Ok(self.grant(opened, minted::now()))
    }

    pub(crate) async fn do_login(&self, call: Call, request: Login) -> Result<SessionGrant, Refusal> {
        let name = request.username.to_lowercase();
        self.failures.check(&name, request.client_address.as_deref())?;
        let pool = self.store.pool();
        let account = sqlx::query_as::<_, AccountRow>(sqlx::AssertSqlSafe(format!("{ACCOUNT} where username = $1")))
            .bind(&name)
            .fetch_optional(&pool);
        let account = if name.contains('\0') {
            None
        } else {
            self.store
                .read(&hurried(&call), async { account.await.map_err(refuse) })
                .await?
        };
        let stored = account.as_ref().map(|account| account.password_hash.clone());
        let password = typed(request.password);
        if !self.passwords.verify(password.clone(), stored).await? {
            self.failures.count(&name, request.client_address.as_deref());
            return Err(Refusal::InvalidCredentials);
        }
        let account = account.ok_or(Refusal::InvalidCredentials)?;
        let (user, version) = (account.user, account.password_version);
        let renewed = match is_outdated(&account.password_hash) {
            true => Some(self.passwords.hash(password).await?),
            false => None,
        };
        let user = User::try_from(user)?;
        let asked = request.scopes.unwrap_or_else(|| ALL_SCOPES.into());
        let granted: Vec<Scope> = ALL_SCOPES.into_iter().filter(|scope| asked.contains(scope)).collect();
        let (session, user_id) = (SessionId(minted::id()), user.id);
        let device = request.device.map(DeviceName::into_string);
        let stored = granted.clone();
        let role = self
            .store
            .write(&hurried(&call), move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let role = judge(&mut tx, user_id, version).await?;
                if let Some(hash) = renewed {
                    set_password(&mut tx, user_id, &hash, version).await?;
                }
                open_session(&mut tx, user_id, session, device, &stored).await?;
                tx.commit().await.map_err(refuse)?;
                Ok(role)
            })
            .await?;
        let opened = Opened {
            user,
            role,
            scopes: granted,
            session,
            counter: 0,
        };
        Ok(self.grant(opened, minted::now()))
    }

    /// All other sessions of the actor end: whoever had the old password may have opened them.
    pub(crate) async fn do_change_password(&self, call: Call, request: ChangePassword) -> Result<Nothing, Refusal> {
        let (user, session) = self.actor(&call).map(|actor| (actor.user_id, actor.session_id))?;
        let pool = self.store.pool();
        let account = sqlx::query_as::<_, AccountRow>(sqlx::AssertSqlSafe(format!("{ACCOUNT} where id = $1")))
            .bind(user.0)
            .fetch_optional(&pool);
        let account = self
            .store
            .read(&hurried(&call), async { account.await.map_err(refuse) })
            .await?;
        let account = account.ok_or(Refusal::Unauthenticated)?;
        let (name, version) = (account.user.username, account.password_version);
        let address = request.client_address.as_deref();
        self.failures.check(&name, address)?;
        let current = typed(request.current_password);
        if !self.passwords.verify(current, Some(account.password_hash)).await? {
            self.failures.count(&name, address);
            return Err(Refusal::InvalidCredentials);
        }
        if is_common(request.new_password.as_str()) {
            return Err(Refusal::invalid("/newPassword", COMMON));
        }
        let hash = self.passwords.hash(request.new_password.into_string()).await?;
        let ended = self
            .store
            .write(&hurried(&call), move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                judge(&mut tx, user, version).await?;
                set_password(&mut tx, user, &hash, version + 1).await?;
                let ended = end_sessions(&mut tx, user, Some(session)).await?;
                tx.commit().await.map_err(refuse)?;
                Ok(ended)
            })
            .await?;
        tracing::info!(user_id = %user, sessions_ended = ended.len(), "audit: a password was changed");
        self.announce_ends(user, ended);
        Ok(Nothing {})
    }
}

/// What can't be a password is checked like one, so that it takes as long.
fn typed(password: String) -> String {
    Password::parse(password).map(Password::into_string).unwrap_or_default()
}

/// Under the account's lock: it still has the password that was found right, and may be used. Its role.
async fn judge(tx: &mut Transaction<'_, Postgres>, user: UserId, version: i64) -> Result<AccountRole, Refusal> {
    let account = "select role, disabled from users where id = $1 and password_version = $2 for no key update";
    let account: Option<(String, bool)> = sqlx::query_as(account)
        .bind(user.0)
        .bind(version)
        .fetch_optional(&mut **tx)
        .await
        .map_err(refuse)?;
    match account {
        None => Err(Refusal::InvalidCredentials),
        Some((_, true)) => Err(Refusal::forbidden("This account is disabled.")),
        Some((role, false)) => AccountRole::parse(&role).ok_or(Refusal::Internal),
    }
}

/// Under the account's lock. A password that is another one has the next version.
pub async fn set_password(
    tx: &mut Transaction<'_, Postgres>,
    user: UserId,
    hash: &str,
    version: i64,
) -> Result<(), Refusal> {
    sqlx::query("update users set password_hash = $2, password_version = $3 where id = $1")
        .bind(user.0)
        .bind(hash)
        .bind(version)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    Ok(())
}
