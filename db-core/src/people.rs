//! Profiles, and finding people.

use common::{
    UserId, cursor, limits,
    room::{Page, User},
    text::Username,
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{FindUsers, GetUser, UpdateMe},
};

use crate::{Core, cache::Entry, rows::UserRow, store::refuse};

impl Core {
    pub(crate) async fn do_user(&self, call: Call, request: GetUser) -> Result<User, Refusal> {
        self.actor(&call)?;
        self.profile(&call, request.user_id).await
    }

    pub(crate) async fn profile(&self, call: &Call, id: UserId) -> Result<User, Refusal> {
        let read = || async move {
            let row = sqlx::query_as::<_, UserRow>("select id, username, display_name from users where id = $1")
                .bind(id.0)
                .fetch_optional(&self.store.pool())
                .await
                .map_err(refuse)?;
            // Also that there is nobody is worth keeping.
            Ok((0, row.map(User::try_from).transpose()?))
        };
        let found: Option<User> = self.store.read(call, self.cache.get(Entry::User(id), read)).await?;
        found.ok_or(Refusal::NotFound)
    }

    pub(crate) async fn do_update_me(&self, call: Call, request: UpdateMe) -> Reply<User> {
        let id = self.actor(&call)?.user_id;
        if let Some(name) = request.display_name {
            self.store
                .write(&call, move |pool| async move {
                    let rename = "update users set display_name = $2 where id = $1";
                    sqlx::query(rename)
                        .bind(id.0)
                        .bind(name.as_str())
                        .execute(&pool)
                        .await
                        .map_err(refuse)
                })
                .await?;
        }
        self.cache.written(&[Entry::User(id)]).await?;
        Ok(Answer::written(self.profile(&call, id).await?, self.seen().await))
    }

    pub(crate) async fn do_find_users(&self, call: Call, request: FindUsers) -> Result<Page<User>, Refusal> {
        self.actor(&call)?;
        let limit = page_limit(request.paging.limit)?;
        let after: Option<Username> = place(request.paging.cursor.as_deref())?;
        let start = like_start(&request.query.as_str().to_lowercase());
        let pool = self.store.pool();
        let query = sqlx::query_as::<_, UserRow>(
            "select id, username, display_name from users \
             where (username like $1 or lower(display_name) like $1) and ($2::text is null or username > $2) \
             order by username limit $3",
        )
        .bind(start)
        .bind(after.as_ref().map(Username::as_str))
        .bind(limit + 1)
        .fetch_all(&pool);
        let rows = self.store.read(&call, async { query.await.map_err(refuse) }).await?;
        let mut items = rows.into_iter().map(User::try_from).collect::<Result<Vec<_>, _>>()?;
        let next_cursor = next(&mut items, limit, |user| cursor::encode(&user.username));
        Ok(Page { items, next_cursor })
    }
}

/// A pattern for what starts with the text, whose own `%` and `_` mean themselves.
pub fn like_start(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "%"
}

/// # Errors
/// `Invalid` out of 1 to [`limits::PAGE_ITEMS_MAX`].
pub fn page_limit(limit: u32) -> Result<i64, Refusal> {
    if (1..=limits::PAGE_ITEMS_MAX).contains(&limit) {
        return Ok(i64::from(limit));
    }
    Err(Refusal::invalid(
        "?limit",
        format!("must be 1 to {}", limits::PAGE_ITEMS_MAX),
    ))
}

/// Where a cursor points to.
///
/// # Errors
/// `Invalid` for what is no cursor.
pub fn place<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, Refusal> {
    text.map(cursor::decode)
        .transpose()
        .map_err(|bad| Refusal::invalid("?cursor", bad.to_string()))
}

/// Cuts a list that was read one too long, or that is too large, and says where the next page begins.
pub fn next<T: serde::Serialize>(items: &mut Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Option<String> {
    let mut bytes = 0;
    let fits = items.iter().position(|item| {
        bytes += serde_json::to_vec(item).map_or(0, |json| json.len() + 1);
        bytes > limits::PAGE_BYTES
    });
    let keep = fits.map_or(limit as usize, |fits| fits.max(1).min(limit as usize));
    if items.len() <= keep {
        return None;
    }
    items.truncate(keep);
    items.last().map(cursor)
}
