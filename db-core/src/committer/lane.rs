//! One lane: a commit at a time.

use std::collections::{HashSet, VecDeque};

use bus::Announcement;
use common::{
    RoomId, Timestamp, UserId,
    event::{Event, MessageEvent},
    room::Visibility,
};
use db_api::{Refusal, types::Draft};
use sqlx::PgPool;
use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::{Item, Settled, Tools, batch};
use crate::{cache::Entry, rows, store::refuse};

/// Runs until nobody can send any more.
pub(super) async fn run(tools: Tools, mut queue: mpsc::Receiver<Vec<Item>>) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match queue.recv().await {
                Some(items) => waiting.extend(items),
                None => return,
            }
        }
        while let Ok(items) = queue.try_recv() {
            waiting.extend(items);
        }
        let batch = batch::next(&mut waiting, Instant::now());
        if !batch.is_empty() {
            let open = tools.commit(batch).await;
            fail_behind(&mut waiting, &open);
        }
    }
}

/// Of whom an earlier send to a room may still be committed.
type Stream = (UserId, RoomId);

fn stream(draft: &Draft) -> Stream {
    (draft.actor.user_id, draft.room_id)
}

/// What came behind a draft whose outcome is open must not overtake it (consistency rule 5).
fn fail_behind(waiting: &mut VecDeque<Item>, open: &HashSet<Stream>) {
    if open.is_empty() {
        return;
    }
    for item in std::mem::take(waiting) {
        if open.contains(&stream(&item.draft)) {
            item.settle(Settled::Refused(behind()));
        } else {
            waiting.push_back(item);
        }
    }
}

fn behind() -> Refusal {
    Refusal::unavailable("an earlier draft is open")
}

#[derive(sqlx::FromRow)]
struct Row {
    n: i64,
    outcome: String,
    seq: Option<i64>,
    at_ms: Option<i64>,
    sender_name: Option<String>,
}

impl Tools {
    /// One transaction for all of them; says whose outcome is open.
    async fn commit(&self, items: Vec<Item>) -> HashSet<Stream> {
        match self.append(&items).await {
            Ok(rows) => {
                self.settle(items, rows).await;
                HashSet::new()
            }
            // One draft must not spoil the others: each by itself (consistency rule 3).
            Err(Refusal::Internal) if items.len() > 1 => self.commit_singly(items).await,
            Err(refusal) => {
                let open = if matches!(refusal, Refusal::Unavailable { .. }) {
                    items.iter().map(|item| stream(&item.draft)).collect()
                } else {
                    HashSet::new()
                };
                for item in items {
                    item.settle(Settled::Refused(refusal.clone()));
                }
                open
            }
        }
    }

    async fn commit_singly(&self, items: Vec<Item>) -> HashSet<Stream> {
        let mut open = HashSet::new();
        for item in items {
            let stream = stream(&item.draft);
            if open.contains(&stream) {
                item.settle(Settled::Refused(behind()));
                continue;
            }
            match self.append(std::slice::from_ref(&item)).await {
                Ok(rows) => self.settle(vec![item], rows).await,
                Err(refusal) => {
                    if matches!(refusal, Refusal::Unavailable { .. }) {
                        open.insert(stream);
                    }
                    item.settle(Settled::Refused(refusal));
                }
            }
        }
        open
    }

    async fn append(&self, items: &[Item]) -> Result<Vec<Row>, Refusal> {
        let drafts = Arrays::of(items.iter().map(|item| &item.draft));
        let deadlines = || items.iter().map(|item| item.until);
        let (Some(begin_by), Some(until)) = (deadlines().min(), deadlines().max()) else {
            return Ok(Vec::new());
        };
        let write = self
            .store
            .write_between(begin_by, until, move |pool| drafts.append(pool));
        let rows: Vec<Row> = write.await?;
        if rows.len() == items.len() {
            Ok(rows)
        } else {
            Err(Refusal::Internal)
        }
    }

    /// What it takes before an ack: the cache forgets, also what a repeat's first try may have left; the bus is told.
    async fn settle(&self, items: Vec<Item>, mut rows: Vec<Row>) {
        rows.sort_unstable_by_key(|row| row.n);
        let placed = items.iter().zip(&rows).filter(|(_, row)| row.seq.is_some());
        let rooms: HashSet<RoomId> = placed.map(|(item, _)| item.draft.room_id).collect();
        let entries: Vec<Entry> = rooms.into_iter().map(Entry::Newest).collect();
        if let Err(unsure) = self.cache.written(&entries).await {
            // It is committed, but a reader could still be answered without it: nothing is acknowledged, nor announced.
            items
                .into_iter()
                .for_each(|item| item.settle(Settled::Refused(unsure.clone())));
            return;
        }
        for (item, row) in items.into_iter().zip(rows) {
            let settled = settled(&item.draft, row);
            if let Settled::Appended(event) = &settled {
                let live = MessageEvent {
                    ws_id: Some(item.draft.ws_id),
                    traceparent: item.draft.traceparent.clone(),
                    ..(**event).clone()
                };
                self.announcer.offer(Announcement::event(Event::Message(live)));
            }
            item.settle(settled);
        }
    }
}

fn settled(draft: &Draft, row: Row) -> Settled {
    match (row.outcome.as_str(), row.seq, row.at_ms) {
        ("appended", Some(seq), Some(at_ms)) => match rows::seq(seq) {
            Ok(seq) => Settled::Appended(Box::new(MessageEvent {
                room_id: draft.room_id,
                seq,
                message_id: draft.message_id,
                sender_id: draft.actor.user_id,
                sender_name: row.sender_name.unwrap_or_default(),
                content: draft.content.clone(),
                reply_to: draft.reply_to,
                mentions: draft.mentions.clone(),
                sent_at: Timestamp(at_ms),
                ws_id: None,
                traceparent: None,
            })),
            Err(refusal) => Settled::Refused(refusal),
        },
        ("repeated", ..) => Settled::Repeated,
        (outcome, ..) => Settled::Refused(refusal(outcome)),
    }
}

fn refusal(outcome: &str) -> Refusal {
    match outcome {
        "not-found" => Refusal::NotFound,
        "not-a-member-public" => Refusal::NotAMember {
            visibility: Visibility::Public,
        },
        "not-a-member-private" => Refusal::NotAMember {
            visibility: Visibility::Private,
        },
        "conflict" => Refusal::conflict("Somebody else's message has this id."),
        "blocked" => Refusal::forbidden("One of you does not want to hear from the other."),
        "wrong-content" => Refusal::invalid(
            "/message",
            "is what a plaintext room takes; a sealed one takes `envelope`",
        ),
        "stale-epoch" => Refusal::StaleEpoch,
        "wrong-reply" => Refusal::invalid("/replyTo", "is no message of this room"),
        "wrong-mentions" => Refusal::invalid("/mentions", "names somebody who is not in this room"),
        other => {
            tracing::error!(outcome = other, "append_batch gave an outcome that nobody knows");
            Refusal::Internal
        }
    }
}

/// The drafts as `append_batch` takes them.
#[derive(Default)]
struct Arrays {
    rooms: Vec<Uuid>,
    senders: Vec<Uuid>,
    messages: Vec<Uuid>,
    replies: Vec<Option<Uuid>>,
    mentions: Vec<serde_json::Value>,
    contents: Vec<sqlx::types::Json<common::event::Content>>,
}

impl Arrays {
    fn of<'a>(drafts: impl Iterator<Item = &'a Draft>) -> Self {
        let mut arrays = Self::default();
        for draft in drafts {
            arrays.rooms.push(draft.room_id.0);
            arrays.senders.push(draft.actor.user_id.0);
            arrays.messages.push(draft.message_id.0);
            arrays.replies.push(draft.reply_to.map(|message| message.0));
            arrays.mentions.push(serde_json::json!(draft.mentions));
            arrays.contents.push(sqlx::types::Json(draft.content.clone()));
        }
        arrays
    }

    async fn append(self, pool: PgPool) -> Result<Vec<Row>, Refusal> {
        sqlx::query_as("select * from append_batch($1, $2, $3, $4, $5, $6)")
            .bind(self.rooms)
            .bind(self.senders)
            .bind(self.messages)
            .bind(self.replies)
            .bind(self.mentions)
            .bind(self.contents)
            .fetch_all(&pool)
            .await
            .map_err(refuse)
    }
}
