//! Sessions that were ended, as db-core lists them: what ends their sockets when no notice of it comes.

use std::{collections::BTreeMap, sync::Arc};

use admission::Taken;
use common::{
    Code, SessionId,
    frame::{CloseCode, Notice, NoticeKind, ServerFrame},
    limits,
    token::Actor,
};
use db_api::{Call, DbApi, types::Nothing};
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
                    was_told = true;
                    let changed = self.admission.take(answer.value) == Taken::Changed;
                    if changed || !all_known {
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

    /// Ends the sockets of ended sessions. Says whether it is known of every session here.
    async fn end_ended(&self) -> bool {
        let by_session = |actor: Actor| (actor.session_id, actor);
        let sessions: BTreeMap<SessionId, Actor> = self.users.actors().into_iter().map(by_session).collect();
        let mut all_known = true;
        for actor in sessions.values() {
            match self.admission.admit(actor).await {
                Ok(()) => {}
                Err(problem) if problem.code == Code::Unauthenticated => self.end_session(actor),
                Err(_) => all_known = false,
            }
        }
        all_known
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
    pub(super) fn end_sockets(&self, user: common::UserId, notice: &Notice) {
        let frame = ServerFrame::Notice(notice.clone());
        let of_session = |actor: &Actor| Some(actor.session_id) == notice.session_id;
        for (_, outbox) in self.users.of(user).iter().filter(|(actor, _)| of_session(actor)) {
            outbox.end(&frame, CloseCode::TokenEnded);
        }
    }
}
