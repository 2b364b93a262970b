//! Which sessions were ended while access tokens of theirs may still be good, for the doors (consistency rule 15).

use common::{SessionId, Timestamp, limits, revocation::RevocationList};
use db_api::{
    Call, Refusal,
    types::{NamedSession, Revoked},
};
use sqlx::AssertSqlSafe;
use tokio::{sync::Mutex, time::Instant};
use uuid::Uuid;

use crate::{
    Core,
    store::{TIMELINE, refuse},
};

/// The list as it was read last, for all who ask about then.
#[derive(Default)]
pub struct LastRead(Mutex<Option<(Instant, RevocationList)>>);

impl Core {
    /// Of the leader alone: a replica may not have what was acknowledged.
    pub(crate) async fn do_revocations(&self, call: &Call) -> Result<RevocationList, Refusal> {
        let read = async {
            let mut last = self.revocations.0.lock().await;
            if let Some((read, list)) = &*last
                && read.elapsed() < limits::REVOCATIONS_SHARED
            {
                return Ok(list.clone());
            }
            let began = Instant::now();
            let list = self.read_revocations().await?;
            *last = Some((began, list.clone()));
            Ok(list)
        };
        self.store.read(call, read).await
    }

    async fn read_revocations(&self) -> Result<RevocationList, Refusal> {
        // One clock for all db-core. What was acknowledged before the statement began is in its snapshot.
        let list = format!(
            "select {TIMELINE}, to_ms(statement_timestamp()), \
             array(select id from sessions where revoked_at > now() - make_interval(secs => $1))"
        );
        let (timeline, as_of, ended): (Option<String>, i64, Vec<Uuid>) = sqlx::query_as(AssertSqlSafe(list))
            .bind(limits::REVOCATIONS_KEPT.as_secs_f64())
            .fetch_one(&self.store.watch())
            .await
            .map_err(refuse)?;
        let timeline = leads(timeline)?;
        let ended: Vec<SessionId> = ended.into_iter().map(SessionId).collect();
        Ok(RevocationList::new(timeline, Timestamp(as_of), &ended))
    }

    pub(crate) async fn do_is_revoked(&self, call: Call, request: NamedSession) -> Result<Revoked, Refusal> {
        let watch = self.store.watch();
        let asked = format!(
            "select {TIMELINE}, exists(select from sessions \
             where user_id = $1 and id = $2 and revoked_at is not null)"
        );
        let asked = sqlx::query_as::<_, (Option<String>, bool)>(AssertSqlSafe(asked))
            .bind(request.user_id.0)
            .bind(request.session_id.0)
            .fetch_one(&watch);
        let (timeline, revoked) = self.store.read(&call, async { asked.await.map_err(refuse) }).await?;
        let timeline = leads(timeline)?;
        Ok(Revoked { revoked, timeline })
    }
}

/// The timeline of a server that leads.
fn leads(digits: Option<String>) -> Result<i64, Refusal> {
    let digits = digits.ok_or_else(|| Refusal::unavailable("nobody leads who could say which sessions were ended"))?;
    i64::from_str_radix(&digits, 16).map_err(|_| Refusal::Internal)
}
