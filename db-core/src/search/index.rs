//! Makes searchable what was written, behind the commits and without delaying them. An event that is announced here names
//! its room; what is lost on the way is found by a look over all rooms, at the start and from time to time.

use std::collections::BTreeSet;

use common::{RoomId, event::Event, limits};
use db_api::Refusal;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use crate::store::{Store, refuse};

#[derive(Clone)]
pub struct Indexer(mpsc::Sender<RoomId>);

impl Indexer {
    /// Needs a Tokio runtime.
    pub fn start(store: Store) -> Self {
        let (sender, queue) = mpsc::channel(limits::SEARCH_WAITING);
        tokio::spawn(keep_up(store, queue));
        Self(sender)
    }

    /// An event was committed.
    pub fn committed(&self, event: &Event) {
        if matches!(event, Event::Message(_) | Event::Edited(_) | Event::Deleted(_)) {
            // What finds no place is found by the next event of its room, or by the sweep.
            let _ = self.0.try_send(event.room_id());
        }
    }
}

async fn keep_up(store: Store, mut queue: mpsc::Receiver<RoomId>) {
    let mut sweep_at = Instant::now();
    loop {
        let mut rooms = BTreeSet::new();
        let outcome = tokio::select! {
            room = queue.recv() => match room {
                Some(room) => {
                    rooms.insert(room.0);
                    Ok(())
                }
                None => return,
            },
            () = sleep_until(sweep_at) => {
                sweep_at = Instant::now() + limits::SEARCH_SWEEP;
                behind(&store).await.map(|behind| rooms.extend(behind))
            }
        };
        // What comes meanwhile goes along: one look at a room for all that was written there.
        sleep(limits::SEARCH_LAG).await;
        while let Ok(room) = queue.try_recv() {
            rooms.insert(room.0);
        }
        let outcome = match outcome {
            Ok(()) => index(&store, rooms).await,
            failed => failed,
        };
        if let Err(refusal) = outcome {
            tracing::warn!(%refusal, "search falls behind; its rooms are looked for again soon");
            sweep_at = Instant::now() + limits::SEARCH_LAG;
        }
    }
}

async fn index(store: &Store, mut rooms: BTreeSet<Uuid>) -> Result<(), Refusal> {
    while !rooms.is_empty() {
        let some: Vec<Uuid> = rooms.iter().take(limits::SEARCH_ROOMS_AT_ONCE).copied().collect();
        let unfinished: Vec<Uuid> = sqlx::query_scalar("select make_searchable($1, $2)")
            .bind(&some)
            .bind(limits::SEARCH_EVENTS_AT_ONCE)
            .fetch_all(&store.pool())
            .await
            .map_err(refuse)?;
        rooms.retain(|room| !some.contains(room) || unfinished.contains(room));
    }
    Ok(())
}

/// Rooms whose log is not wholly searchable.
async fn behind(store: &Store) -> Result<Vec<Uuid>, Refusal> {
    sqlx::query_scalar(
        "select r.id from rooms r left join searchable_to s on s.room_id = r.id \
         where r.encryption = 'none' and r.deleted_at is null and r.head_seq > coalesce(s.seq, 0) limit $1",
    )
    .bind(limits::SEARCH_WAITING as i64)
    .fetch_all(&store.pool())
    .await
    .map_err(refuse)
}
