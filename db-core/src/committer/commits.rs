//! Commits under way: one at a time, so that many drafts share it; another beside one that takes long, which may wait for
//! somebody else's lock, so that other rooms don't wait behind it.

use std::collections::{HashSet, VecDeque};

use common::{RoomId, UserId, limits};
use db_api::{Refusal, types::Draft};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    Item, Settled, Tools, batch,
    statement::{Arrays, Row, live, settled},
};
use crate::{cache::Entry, store::refuse};

/// Runs until nobody can send any more.
pub(super) async fn run(tools: Tools, mut queue: mpsc::Receiver<Vec<Item>>) {
    let mut waiting = VecDeque::new();
    // A room is in one commit at a time, so that its drafts keep their order.
    let mut rooms_under_way = HashSet::new();
    let mut under_way = FuturesUnordered::new();
    let mut patient_until = Instant::now();
    loop {
        while waiting.len() < limits::DRAFTS_WAITING
            && let Ok(items) = queue.try_recv()
        {
            waiting.extend(items);
        }
        let now = Instant::now();
        let is_patient = !under_way.is_empty() && now < patient_until;
        let may_begin = !is_patient && under_way.len() < limits::COMMITS_AT_ONCE;
        if may_begin {
            let batch = batch::next(&mut waiting, &rooms_under_way, now);
            if !batch.is_empty() {
                let rooms: HashSet<RoomId> = batch.iter().map(|item| item.draft.room_id).collect();
                rooms_under_way.extend(&rooms);
                let tools = &tools;
                under_way.push(async move { (rooms, tools.commit(batch).await) });
                patient_until = now + limits::COMMIT_PATIENCE;
                continue;
            }
        }
        tokio::select! {
            Some((rooms, open)) = under_way.next() => {
                rooms_under_way.retain(|room| !rooms.contains(room));
                fail_behind(&mut waiting, &open);
            }
            Some(items) = queue.recv(), if may_begin && waiting.len() < limits::DRAFTS_WAITING => waiting.extend(items),
            () = sleep_until(patient_until), if is_patient => {}
            else => return,
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
    Refusal::unavailable("an earlier draft is not done")
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
                Ok(rows) => {
                    // Also behind one that is refused for good: should this answer be lost, that one comes again, and may
                    // then be let in, behind what was tried here.
                    if rows.iter().any(|row| row.seq.is_none()) {
                        open.insert(stream);
                    }
                    self.settle(vec![item], rows).await;
                }
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
        let write = self.store.write_between(begin_by, until, move |pool| async move {
            let mut connection = pool.acquire().await.map_err(refuse)?;
            drafts.append(&mut connection).await
        });
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
                self.announcer.offer(live(&item.draft, event));
            }
            item.settle(settled);
        }
    }
}
