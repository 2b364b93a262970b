//! Who may read a room, cache-first.

use std::collections::BTreeSet;

use common::{RoomId, UserId, limits};
use db_api::{Call, Refusal};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{Core, cache::Entry, store::refuse};

/// The members of a room, unless they are too many to be kept. A room that isn't there has none.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Roster {
    members: BTreeSet<UserId>,
}

impl Core {
    /// Whether the caller is a member, as every read of a room needs it. A yes may come out of the cache, which a change of
    /// members clears before its ack; a no is always the leader's.
    ///
    /// # Errors
    /// As [`Core::member_now`].
    pub(crate) async fn may_read(&self, call: &Call, room: RoomId) -> Result<(), Refusal> {
        let user = self.actor(call)?.user_id;
        let roster: Roster = self
            .store
            .read(call, self.cache.get(Entry::Roster(room), || self.roster(room)))
            .await?;
        if roster.members.contains(&user) {
            return Ok(());
        }
        self.member_now(call, room).await.map(drop)
    }

    /// A write that may change what is cached of a room. That is cleared before the answer, also before that of a request
    /// that changes nothing any more: its first try may have died between its commit and this.
    ///
    /// # Errors
    /// Those of `work`, and `Unavailable` as for any write.
    pub(crate) async fn change_room<T, F>(
        &self,
        call: &Call,
        room: RoomId,
        work: impl FnOnce(PgPool) -> F + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send,
    {
        let done = self.store.write(call, work).await;
        if !matches!(done, Err(Refusal::Unavailable { .. })) {
            self.cache.written(&Entry::of_room(room)).await?;
        }
        done
    }

    /// With the counter of such changes, read in the same statement.
    async fn roster(&self, room: RoomId) -> Result<(i64, Roster), Refusal> {
        let row = sqlx::query_as::<_, (i64, Vec<Uuid>)>(
            "select r.rules, case when r.member_count <= $2 then \
               array(select m.user_id from members m where m.room_id = r.id) else '{}' end \
             from rooms r where r.id = $1 and r.deleted_at is null",
        )
        .bind(room.0)
        .bind(limits::ROSTER_MEMBERS as i32)
        .fetch_optional(&self.store.pool())
        .await
        .map_err(refuse)?;
        let (rules, members) = row.unwrap_or_default();
        let members = members.into_iter().map(UserId).collect();
        Ok((rules, Roster { members }))
    }
}
