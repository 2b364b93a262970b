//! The rooms' logs: appending, history, recovery.

use bus::Announcement;
use common::{
    MessageId, RoomId, UserId,
    event::{Content, Event, MessageEvent},
    limits,
    room::Message,
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{
        Append, AppendOutcome, Appended, Draft, EventPage, Events, GetMessage, History, HistoryPage, Outcome, Place,
    },
};
use serde_json::{Value, json};

use crate::{
    Core,
    cache::Entry,
    people::page_limit,
    rows::{EVENT, EventRow, MESSAGE, MessageRow},
    store::refuse,
};

#[derive(sqlx::FromRow)]
struct AppendRow {
    n: i32,
    outcome: String,
    seq: Option<i64>,
    at_ms: Option<i64>,
    content: Option<Value>,
    detail: Option<Value>,
}

fn refusal(outcome: &str) -> Refusal {
    match outcome {
        "not-found" => Refusal::NotFound,
        "not-a-member-public" => Refusal::NotAMember {
            visibility: common::room::Visibility::Public,
        },
        "not-a-member-private" => Refusal::NotAMember {
            visibility: common::room::Visibility::Private,
        },
        "conflict" => Refusal::conflict("Somebody else's message has this id."),
        "wrong-content" => Refusal::invalid(
            "/message",
            "is what a plaintext room takes; a sealed one takes `envelope`",
        ),
        "stale-epoch" => Refusal::StaleEpoch,
        "wrong-reply" => Refusal::invalid("/replyTo", "is no message of this room"),
        "wrong-mentions" => Refusal::invalid("/mentions", "names somebody who is not in this room"),
        other => {
            tracing::error!(outcome = other, "append_messages gave an outcome that nobody knows");
            Refusal::Internal
        }
    }
}

fn as_json(draft: &Draft) -> Value {
    json!({
        "roomId": draft.room_id, "senderId": draft.actor.user_id, "messageId": draft.message_id,
        "replyTo": draft.reply_to, "mentions": draft.mentions, "content": draft.content,
    })
}

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
        let mut outcomes: Vec<Option<Outcome>> = request
            .drafts
            .iter()
            .map(|draft| syntax(draft).map(Outcome::Refused))
            .collect();
        let good: Vec<(usize, &Draft)> = request
            .drafts
            .iter()
            .enumerate()
            .filter(|(at, _)| outcomes[*at].is_none())
            .collect();
        match self.append_together(&call, &good).await {
            Ok(settled) => settled
                .into_iter()
                .for_each(|(at, outcome)| outcomes[at] = Some(outcome)),
            // One draft must not spoil the others: each by itself (consistency rule 3).
            Err(Refusal::Internal) if good.len() > 1 => {
                self.append_singly(&call, &good, &mut outcomes).await;
            }
            Err(refusal) => good
                .iter()
                .for_each(|(at, _)| outcomes[*at] = Some(Outcome::Refused(refusal.clone()))),
        }
        let outcomes = outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or(Outcome::Refused(Refusal::Internal)));
        Ok(Answer::written(
            AppendOutcome {
                outcomes: outcomes.collect(),
            },
            self.seen(),
        ))
    }

    async fn append_singly(&self, call: &Call, good: &[(usize, &Draft)], outcomes: &mut [Option<Outcome>]) {
        let mut open: Vec<(UserId, RoomId)> = Vec::new();
        for (at, draft) in good {
            let stream = (draft.actor.user_id, draft.room_id);
            let outcome = if open.contains(&stream) {
                // An earlier one of the same sender may still be committed: this one must not overtake it (rule 5).
                Err(Refusal::unavailable("an earlier draft is open"))
            } else {
                self.append_together(call, &[(*at, *draft)]).await
            };
            match outcome {
                Ok(settled) => settled
                    .into_iter()
                    .for_each(|(at, outcome)| outcomes[at] = Some(outcome)),
                Err(refusal) => {
                    if matches!(refusal, Refusal::Unavailable { .. }) {
                        open.push(stream);
                    }
                    outcomes[*at] = Some(Outcome::Refused(refusal));
                }
            }
        }
    }

    /// One transaction for all of them, then what it takes before an ack: the cache forgets, the bus is told.
    async fn append_together(&self, call: &Call, drafts: &[(usize, &Draft)]) -> Result<Vec<(usize, Outcome)>, Refusal> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let json = Value::Array(drafts.iter().map(|(_, draft)| as_json(draft)).collect());
        let _timer = self.timer("message", "append");
        let rows = self
            .store
            .write(call, move |pool| async move {
                sqlx::query_as::<_, AppendRow>("select * from append_messages($1)")
                    .bind(json)
                    .fetch_all(&pool)
                    .await
                    .map_err(refuse)
            })
            .await?;
        // Also before the ack of a repeat: the first try may have died between its commit and this.
        let changed = rows
            .iter()
            .filter(|row| row.seq.is_some())
            .map(|row| drafts[row.n as usize].1.room_id);
        let entries: std::collections::HashSet<RoomId> = changed.collect();
        self.cache
            .written(&entries.into_iter().map(Entry::Newest).collect::<Vec<_>>())
            .await;
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            let (at, draft) = drafts[row.n as usize];
            outcomes.push((at, self.settled(draft, row).await));
        }
        Ok(outcomes)
    }

    async fn settled(&self, draft: &Draft, row: AppendRow) -> Outcome {
        let repeated = row.outcome == "repeated";
        if !repeated && row.outcome != "appended" {
            return Outcome::Refused(refusal(&row.outcome));
        }
        let (Some(seq), Some(at_ms), Some(detail)) = (row.seq, row.at_ms, row.detail) else {
            return Outcome::Refused(Refusal::Internal);
        };
        let (room_id, kind) = (draft.room_id.0, "message".to_owned());
        let event = EventRow {
            room_id,
            seq,
            kind,
            at_ms,
            content: row.content,
            detail,
        };
        let event = match Event::try_from(event) {
            Ok(Event::Message(event)) => event,
            Ok(_) => return Outcome::Refused(Refusal::Internal),
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let current = if repeated {
            match self.message_of(draft.room_id, draft.message_id).await {
                Ok(message) => Some(Box::new(message)),
                Err(refusal) => return Outcome::Refused(refusal),
            }
        } else {
            let live = MessageEvent {
                ws_id: Some(draft.ws_id),
                traceparent: draft.traceparent.clone(),
                ..event.clone()
            };
            self.announcer.offer(Announcement::event(Event::Message(live)));
            None
        };
        Outcome::Appended(Box::new(Appended {
            event,
            repeated,
            current,
        }))
    }

    pub(crate) async fn do_history(&self, call: Call, request: History) -> Result<HistoryPage, Refusal> {
        let limit = page_limit(request.limit)?;
        self.member_now(&call, request.room_id).await?;
        let _timer = self.timer("history", "read");
        if request.place != Place::Newest || request.limit > limits::PAGE_ITEMS {
            let page = self.history_page(request.room_id, request.place, limit);
            return self.store.read(&call, page).await;
        }
        let newest = || self.history_page(request.room_id, Place::Newest, i64::from(limits::PAGE_ITEMS));
        let cached = self.cache.get(Entry::Newest(request.room_id), newest);
        let mut page = self.store.read(&call, cached).await?;
        let surplus = page.items.len().saturating_sub(request.limit as usize);
        page.has_more |= surplus > 0;
        page.items.drain(..surplus);
        Ok(page)
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
        self.member_now(&call, room).await?;
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
