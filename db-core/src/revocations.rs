//! Which sessions were ended while access tokens of theirs may still be good, for the doors (consistency rule 15).

use common::{SessionId, Timestamp, limits, revocation::RevocationList};
use db_api::{
    Call, Refusal,
    types::{NamedSession, Revoked},
};
use tokio::{sync::Mutex, time::Instant};
use uuid::Uuid;

use crate::{Core, store::refuse};

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
        let list = "select to_ms(statement_timestamp()), pg_is_in_recovery(), \
                    array(select id from sessions where revoked_at > now() - make_interval(secs => $1))";
        let (as_of, is_replica, ended): (i64, bool, Vec<Uuid>) = sqlx::query_as(list)
            .bind(limits::REVOCATIONS_KEPT.as_secs_f64())
            .fetch_one(&self.store.pool())
            .await
            .map_err(refuse)?;
        if is_replica {
            return Err(Refusal::unavailable(
                "nobody leads who could say which sessions were ended",
            ));
        }
        let ended: Vec<SessionId> = ended.into_iter().map(SessionId).collect();
        Ok(RevocationList::new(Timestamp(as_of), &ended))
    }

    pub(crate) async fn do_is_revoked(&self, call: Call, request: NamedSession) -> Result<Revoked, Refusal> {
        let pool = self.store.pool();
        let asked = "select pg_is_in_recovery(), exists(select from sessions \
                     where user_id = $1 and id = $2 and revoked_at is not null)";
        let asked = sqlx::query_as::<_, (bool, bool)>(asked)
            .bind(request.user_id.0)
            .bind(request.session_id.0)
            .fetch_one(&pool);
        let (is_replica, revoked) = self.store.read(&call, async { asked.await.map_err(refuse) }).await?;
        if is_replica {
            return Err(Refusal::unavailable(
                "nobody leads who could say whether the session was ended",
            ));
        }
        Ok(Revoked { revoked })
    }
}
