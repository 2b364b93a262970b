//! The rooms' logs: appending, history, recovery.

use common::{
    MessageId, RoomId,
    event::{Content, Event},
    limits,
    room::Message,
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{
        Append, AppendOutcome, Appended, Draft, EventPage, Events, GetMessage, History, HistoryPage, Outcome, Place,
    },
};
use tokio::time::Instant;

use crate::{
    Core,
    cache::Entry,
    committer::Settled,
    people::page_limit,
    rows::{EVENT, EventRow, MESSAGE, MessageRow},
    store::refuse,
};

/// What may not be in a draft at all; db-core looks again, as its callers may be of another release.
fn syntax(draft: &Draft) -> Option<Refusal> {
    if matches!(draft.content, Content::Deleted(_)) {
        return Some(Refusal::invalid("/message", "is missing"));
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
        Ok(Answer::written(AppendOutcome { outcomes }, self.seen()))
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
        let current = self.message_of(draft.room_id, draft.message_id).await?;
        let query = format!("select {EVENT} where room_id = $1 and seq = $2");
        let row = sqlx::query_as::<_, EventRow>(sqlx::AssertSqlSafe(query))
            .bind(draft.room_id.0)
            .bind(current.seq.as_i64())
            .fetch_one(self.store.pool())
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

    pub(crate) async fn do_history(&self, call: Call, request: History) -> Result<HistoryPage, Refusal> {
        let limit = page_limit(request.limit)?;
        self.may_read(&call, request.room_id).await?;
        let _timer = self.timer("history", "read");
        if request.place != Place::Newest || request.limit > limits::PAGE_ITEMS {
            let page = self.history_page(request.room_id, request.place, limit);
            return self.store.read(&call, page).await;
        }
        let newest = || async {
            // Its version first: the page may be newer than that, never older.
            let version = self.version_of(request.room_id).await?;
            let page = self.history_page(request.room_id, Place::Newest, i64::from(limits::PAGE_ITEMS));
            Ok((version, page.await?))
        };
        let cached = self.cache.get(Entry::Newest(request.room_id), newest);
        let mut page = self.store.read(&call, cached).await?;
        let surplus = page.items.len().saturating_sub(request.limit as usize);
        page.has_more |= surplus > 0;
        page.items.drain(..surplus);
        Ok(page)
    }

    async fn version_of(&self, room: RoomId) -> Result<i64, Refusal> {
        let version: Option<i64> = sqlx::query_scalar("select version from rooms where id = $1")
            .bind(room.0)
            .fetch_optional(self.store.pool())
            .await
            .map_err(refuse)?;
        version.ok_or(Refusal::NotFound)
    }

    async fn history_page(&self, room: RoomId, place: Place, limit: i64) -> Result<HistoryPage, Refusal> {
        let (edge, order, seq) = match place {
            Place::Newest => ("m.seq > $2", "desc", 0),
            Place::Before(seq) => ("m.seq < $2", "desc", seq.as_i64()),
            Place::After(seq) => ("m.seq > $2", "asc", seq.as_i64()),
        };
        let query = format!("select {MESSAGE} where m.room_id = $1 and {edge} order by m.seq {order} limit $3");
        let rows = sqlx::query_as::<_, MessageRow>(sqlx::AssertSqlSafe(query))
            .bind(room.0)
            .bind(seq)
            .bind(limit + 1)
            .fetch_all(self.store.pool())
            .await
            .map_err(refuse)?;
        let mut items = rows.into_iter().map(Message::try_from).collect::<Result<Vec<_>, _>>()?;
        let has_more = crate::people::next(&mut items, limit, |_| String::new()).is_some();
        items.sort_by_key(|message| message.seq);
        Ok(HistoryPage { items, has_more })
    }

    pub(crate) async fn do_message(&self, call: Call, request: GetMessage) -> Result<Message, Refusal> {
        let (room, message): (RoomId, MessageId) = (request.room_id, request.message_id);
        self.may_read(&call, room).await?;
        self.store.read(&call, self.message_of(room, message)).await
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
        let query = format!("select {EVENT} where room_id = $1 and seq > $2 and seq <= $3 order by seq limit $4");
        let rows = sqlx::query_as::<_, EventRow>(sqlx::AssertSqlSafe(query))
            .bind(request.room_id.0)
            .bind(request.after.as_i64())
            .bind(head_seq.as_i64())
            .bind(i64::from(request.limit) + 1)
            .fetch_all(self.store.pool());
        let rows = self.store.read(&call, async { rows.await.map_err(refuse) }).await?;
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
