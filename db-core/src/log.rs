//! The rooms' logs: appending and recovery.

mod once;

use common::{
    Seq,
    event::{Content, Event},
    limits,
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{Append, AppendOutcome, Appended, Draft, EventPage, Events, Outcome},
};
use sqlx::PgPool;
use tokio::time::Instant;

use crate::{
    Core,
    committer::Settled,
    rows::{EVENT, EventRow},
    store::refuse,
};

/// What may not be in a draft at all; db-core looks again, as its callers may be of another release.
fn syntax(draft: &Draft) -> Option<Refusal> {
    if matches!(draft.content, Content::Deleted(_)) {
        return Some(Refusal::invalid("/message", "is missing"));
    }
    if let Content::Envelope(envelope) = &draft.content {
        if let Err(bad) = envelope.check() {
            return Some(Refusal::invalid(format!("/envelope/{}", bad.field), bad.detail));
        }
        if envelope.rev != 0 {
            return Some(Refusal::invalid("/envelope/rev", "is 0 until an edit"));
        }
    }
    (draft.mentions.len() > limits::MENTIONS)
        .then(|| Refusal::invalid("/mentions", format!("at most {} members", limits::MENTIONS)))
}

impl Core {
    pub(crate) async fn do_append(&self, call: Call, request: Append) -> Reply<AppendOutcome> {
        if request.drafts.len() > limits::DRAFTS_PER_APPEND {
            return Err(Refusal::invalid(
                "/drafts",
                format!("at most {}", limits::DRAFTS_PER_APPEND),
            ));
        }
        if call.once.is_some() {
            let [draft] = request.drafts.as_slice() else {
                return Err(Refusal::invalid("/drafts", "one alone is done once"));
            };
            let outcome = match syntax(draft) {
                None => self.append_once(&call, draft).await.unwrap_or_else(Outcome::Refused),
                Some(refusal) => Outcome::Refused(refusal),
            };
            let outcomes = vec![outcome];
            return Ok(Answer::written(AppendOutcome { outcomes }, self.seen().await));
        }
        let until = Instant::now() + call.deadline();
        let _timer = self.timer("message", "append");
        let refused: Vec<Option<Refusal>> = request.drafts.iter().map(syntax).collect();
        let good = request
            .drafts
            .iter()
            .zip(&refused)
            .filter(|(_, refused)| refused.is_none());
        let good: Vec<Draft> = good.map(|(draft, _)| draft.clone()).collect();
        let mut settled = self.committer.commit(good, until).await.into_iter();
        let mut outcomes = Vec::with_capacity(refused.len());
        for (draft, refused) in request.drafts.iter().zip(refused) {
            let settled = match refused {
                Some(refusal) => Settled::Refused(refusal),
                None => settled.next().unwrap_or(Settled::Refused(Refusal::Internal)),
            };
            outcomes.push(self.told(&call, draft, settled).await);
        }
        // A gateway's clients are not told.
        let seen = match call.actor {
            Some(_) => Some(self.seen().await),
            None => None,
        };
        let (value, stale) = (AppendOutcome { outcomes }, false);
        Ok(Answer { value, seen, stale })
    }

    async fn told(&self, call: &Call, draft: &Draft, settled: Settled) -> Outcome {
        let appended = match settled {
            Settled::Appended(event) => Ok(Appended {
                event: *event,
                repeated: false,
                current: None,
            }),
            Settled::Repeated => self.store.read(call, self.repeated(draft)).await,
            Settled::Refused(refusal) => Err(refusal),
        };
        match appended {
            Ok(appended) => Outcome::Appended(Box::new(appended)),
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    /// What stands in the log for a draft that came again.
    async fn repeated(&self, draft: &Draft) -> Result<Appended, Refusal> {
        let current = self
            .message_of(draft.actor.user_id, draft.room_id, draft.message_id)
            .await?;
        let query = format!("select {EVENT} where room_id = $1 and seq = $2");
        let row = sqlx::query_as::<_, EventRow>(sqlx::AssertSqlSafe(query))
            .bind(draft.room_id.0)
            .bind(current.seq.as_i64())
            .fetch_one(&self.store.pool())
            .await
            .map_err(refuse)?;
        match Event::try_from(row)? {
            Event::Message(event) => Ok(Appended {
                event,
                repeated: true,
                current: Some(Box::new(current)),
            }),
            _ => Err(Refusal::Internal),
        }
    }

    pub(crate) async fn do_events(&self, call: Call, request: Events) -> Result<EventPage, Refusal> {
        if !(1..=limits::EVENTS_MAX).contains(&request.limit) {
            return Err(Refusal::invalid(
                "?limit",
                format!("must be 1 to {}", limits::EVENTS_MAX),
            ));
        }
        let (head_seq, log_id) = match &call.actor {
            Some(_) => self.member_now(&call, request.room_id).await?,
            // A gateway fills a gap for members that it knows.
            None => self.head_of(&call, request.room_id).await?,
        };
        let request = &request;
        let rows = async {
            let replica = |pool: PgPool| async move {
                let rows = events_up_to(&pool, request, head_seq, true).await?;
                Ok(Some(rows).filter(|rows| !rows.is_empty()))
            };
            match self.of_replica("events", replica).await {
                Some(rows) => Ok(rows),
                None => events_up_to(&self.store.pool(), request, head_seq, false).await,
            }
        };
        let rows = self.store.read(&call, rows).await?;
        let mut items = rows.into_iter().map(Event::try_from).collect::<Result<Vec<_>, _>>()?;
        let has_more = crate::people::next(&mut items, i64::from(request.limit), |_| String::new()).is_some();
        Ok(EventPage {
            items,
            head_seq,
            log_id,
            has_more,
        })
    }
}

/// The log up to the head; of a server that may be behind, only if its head is the same in the same snapshot. An earlier
/// event is not enough: a deletion takes content out of it, and has a place of its own.
async fn events_up_to(
    server: &PgPool,
    request: &Events,
    head: Seq,
    may_be_behind: bool,
) -> Result<Vec<EventRow>, Refusal> {
    let query = format!(
        "select {EVENT} where room_id = $1 and seq > $2 and seq <= $3 \
         and (not $5 or exists (select from rooms where id = $1 and head_seq = $3)) order by seq limit $4"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(request.room_id.0)
        .bind(request.after.as_i64())
        .bind(head.as_i64())
        .bind(i64::from(request.limit) + 1)
        .bind(may_be_behind)
        .fetch_all(server)
        .await
        .map_err(refuse)
}
