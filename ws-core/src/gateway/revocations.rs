//! Sessions that were ended, as db-core lists them: what ends their sockets when no notice of it comes.

use std::sync::Arc;

use admission::Taken;
use common::{
    Code, UserId,
    frame::{CloseCode, Notice, NoticeKind, ServerFrame},
    limits,
    token::Actor,
};
use db_api::{Call, DbApi, types::Nothing};
use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval};

use super::Gateway;

impl Gateway {
    /// Asks every [`limits::REVOCATIONS_INTERVAL`]; announcements are faster, but may be missed.
    pub(super) async fn hear_of_ends(self: Arc<Self>, db: Arc<dyn DbApi>) {
        let mut each = interval(limits::REVOCATIONS_INTERVAL);
        each.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut was_told, mut all_known) = (true, true);
        loop {
            each.tick().await;
            let asked = Call::anonymous().within(limits::REVOCATIONS_INTERVAL);
            match db.revocations(asked, Nothing {}).await {
                Ok(answer) => {
                    let taken = self.admission.take(answer.value);
                    if taken == Taken::Ahead && was_told {
                        tracing::warn!("the list of ended sessions is of a time that is yet to come here");
                    }
                    was_told = taken != Taken::Ahead;
                    if taken == Taken::Changed || !all_known {
                        all_known = self.end_ended().await;
                    }
                }
                Err(refusal) if was_told => {
                    was_told = false;
                    tracing::warn!(error = %refusal, "db-core does not say which sessions were ended");
                }
                Err(_) => {}
            }
        }
    }

    /// Ends the sockets of ended sessions. Says whether it is known of every session here: of those that are not asked
    /// about in time it is not, and the next round goes on with them.
    async fn end_ended(&self) -> bool {
        let suspects = self
            .users
            .actors_that(|actor| !self.admission.is_clear(actor.session_id));
        let asked = futures_util::stream::iter(suspects.into_values()).map(|actor| async move {
            match self.admission.admit(&actor).await {
                Ok(()) => true,
                Err(problem) if problem.code == Code::Unauthenticated => {
                    self.end_session(&actor);
                    true
                }
                Err(_) => false,
            }
        });
        let all = asked
            .buffer_unordered(limits::SESSIONS_ASKED_AT_ONCE)
            .fold(true, |all, known| async move { all && known });
        tokio::time::timeout(limits::REVOCATIONS_INTERVAL, all)
            .await
            .unwrap_or(false)
    }

    fn end_session(&self, ended: &Actor) {
        let notice = Notice {
            kind: NoticeKind::SessionRevoked,
            room_id: None,
            session_id: Some(ended.session_id),
        };
        self.end_sockets(ended.user_id, &notice);
    }

    /// Ends the sockets of the session that a notice names.
    pub(super) fn end_sockets(&self, user: UserId, notice: &Notice) {
        let frame = ServerFrame::Notice(notice.clone());
        let of_session = |actor: &Actor| Some(actor.session_id) == notice.session_id;
        for (_, outbox) in self.users.of(user).iter().filter(|(actor, _)| of_session(actor)) {
            outbox.end(&frame, CloseCode::TokenEnded);
        }
    }
}
