//! The servers that a Postgres URL names, and which of them is the leader. The driver knows one server only, so they are
//! asked: none that is in recovery takes writes, and of two that would, one was left behind by a failover.

use std::{str::FromStr, time::Duration};

use common::limits;
use futures_util::future::join_all;
use sqlx::{ConnectOptions, Connection, PgConnection, PgExecutor, postgres::PgConnectOptions};
use tokio::time::timeout;

use super::StoreError;

/// `postgres://user:password@one:5432,two:5432/name`, as libpq takes it; in a URL of one server nothing is special.
#[derive(Clone, Debug)]
pub struct Servers(Vec<PgConnectOptions>);

/// One of the servers, by its place in the URL.
pub type Place = usize;

impl FromStr for Servers {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let milliseconds = |duration: Duration| format!("{}ms", duration.as_millis());
        let settings = [
            ("statement_timeout", milliseconds(limits::HASH_DEADLINE)),
            ("lock_timeout", milliseconds(limits::CALL_DEADLINE)),
            (
                "idle_in_transaction_session_timeout",
                milliseconds(limits::HASH_DEADLINE),
            ),
        ];
        let options = |url: String| -> Result<PgConnectOptions, sqlx::Error> {
            let options: PgConnectOptions = url.parse()?;
            Ok(options.application_name("db-core").options(settings.clone()))
        };
        let servers = each(url).map(options).collect::<Result<_, _>>();
        Ok(Self(servers.map_err(StoreError::Url)?))
    }
}

/// The URL of each server: they differ in the part between the password and the database's name.
fn each(url: &str) -> impl Iterator<Item = String> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
    let (before, after) = (&url[..start], &url[end..]);
    url[start..end]
        .split(',')
        .map(move |server| format!("{before}{server}{after}"))
}

/// The timeline that a server writes, in hexadecimal digits, and null of a replica. The name of a file begins with it:
/// nothing else says it before the next checkpoint.
pub const TIMELINE: &str = "case when pg_is_in_recovery() then null \
    else substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) end";

/// What a server says of itself.
enum Role {
    /// With the timeline that it writes: each failover begins a higher one.
    Leader(i64),
    Replica,
}

async fn role(connection: &mut PgConnection) -> Result<Role, sqlx::Error> {
    let ask = sqlx::AssertSqlSafe(format!("select {TIMELINE}"));
    let timeline: Option<String> = sqlx::query_scalar(ask).fetch_one(connection).await?;
    let timeline = timeline.map(|digits| i64::from_str_radix(&digits, 16));
    Ok(match timeline {
        Some(timeline) => Role::Leader(timeline.map_err(|error| sqlx::Error::Decode(error.into()))?),
        None => Role::Replica,
    })
}

async fn ask(server: &PgConnectOptions) -> Result<Role, sqlx::Error> {
    let mut connection = server.connect().await?;
    let role = role(&mut connection).await;
    let _ = connection.close().await;
    role
}

/// Whether this leads to the leader.
///
/// # Errors
/// Those of the driver.
pub async fn leads<'c>(server: impl PgExecutor<'c>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select not pg_is_in_recovery()")
        .fetch_one(server)
        .await
}

impl Servers {
    pub fn is_one(&self) -> bool {
        self.0.len() == 1
    }

    pub fn places(&self) -> impl Iterator<Item = Place> {
        0..self.0.len()
    }

    pub fn at(&self, place: Place) -> &PgConnectOptions {
        &self.0[place]
    }

    pub fn name(&self, place: Place) -> String {
        let server = self.at(place);
        format!("{}:{}", server.get_host(), server.get_port())
    }

    /// Asks all of them at once.
    ///
    /// # Errors
    /// What each said, when none is the leader.
    pub async fn leader(&self) -> Result<Place, StoreError> {
        let answers = join_all(self.0.iter().map(|server| timeout(limits::LEADER_ANSWER, ask(server)))).await;
        let mut leader = None;
        let mut words = Vec::new();
        for (place, answer) in answers.into_iter().enumerate() {
            let word = match answer {
                Ok(Ok(Role::Leader(timeline))) => {
                    leader = leader.max(Some((timeline, place)));
                    continue;
                }
                Ok(Ok(Role::Replica)) => "is a replica".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "does not answer".to_owned(),
            };
            words.push(format!("{}: {word}", self.name(place)));
        }
        match leader {
            Some((_, place)) => Ok(place),
            None => Err(StoreError::Unreachable(words.join("; "))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn names(url: &str) -> Vec<String> {
        let servers: Servers = url.parse().unwrap();
        (0..servers.0.len()).map(|place| servers.name(place)).collect()
    }

    #[test]
    fn a_url_may_name_several_servers() {
        // Without a port it is that of the environment, as with libpq.
        let one = "postgres://chat:secret@db.example:5432/chat?sslmode=disable";
        assert_eq!(names(one), ["db.example:5432"]);
        let several = "postgres://chat:se%2Ccret@a:5433,b:5432,[::1]:5434/chat?sslmode=disable";
        assert_eq!(names(several), ["a:5433", "b:5432", "[::1]:5434"]);
        let servers: Servers = several.parse().unwrap();
        assert!(servers.0.iter().all(|server| server.get_database() == Some("chat")));
        assert!(matches!(
            "postgres://a:x,b/chat".parse::<Servers>(),
            Err(StoreError::Url(_))
        ));
    }
}
