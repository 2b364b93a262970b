//! The tasks that fulfil what a feed wishes.

use std::{sync::Arc, time::Duration};

use common::{Seq, limits};
use db_api::{Call, types::Events};
use tokio::time::Instant;

use super::{Cell, Rooms};
use crate::{
    feed::{Feed, Wish},
    outbox::Outbox,
};

impl Rooms {
    pub(super) fn fulfil(self: &Arc<Self>, cell: &Arc<Cell>, wishes: Vec<Wish>) {
        for wish in wishes {
            let (rooms, cell) = (self.clone(), cell.clone());
            match wish {
                Wish::Arrived { ws, user } => self.attendance.arrived(self, cell.room, ws, user),
                Wish::Departed(user) => self.attendance.departed(cell.room, user),
                Wish::Append(drafts) => {
                    let gatherer = rooms.gatherer.clone();
                    gatherer.send(drafts, move |outcomes| rooms.came(cell, |feed| feed.appended(outcomes)));
                }
                Wish::Fetch(after) => drop(tokio::spawn(async move { rooms.fetch(cell, after).await })),
                Wish::WatchGap => rooms.later(cell, limits::GAP_PATIENCE, |feed| feed.gap_due()),
                Wish::WatchTyping(wait) => rooms.later(cell, wait, |feed| feed.typing_due(Instant::now())),
            }
        }
    }

    async fn fetch(self: Arc<Self>, cell: Arc<Cell>, after: Seq) {
        let request = Events {
            room_id: cell.room,
            after,
            limit: limits::EVENTS_MAX,
        };
        let answer = self.db.events(Call::anonymous(), request).await;
        if let Err(refusal) = &answer {
            tracing::warn!(room = %cell.room, error = %refusal, "a gap could not be filled yet");
        }
        let page = answer.ok().map(|answer| (answer.value.items, answer.value.head_seq));
        self.came(cell, |feed| feed.fetched(page));
    }

    fn later(
        self: Arc<Self>,
        cell: Arc<Cell>,
        wait: Duration,
        act: impl FnOnce(&mut Feed<Arc<Outbox>>) -> Vec<Wish> + Send + 'static,
    ) {
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            self.came(cell, act);
        });
    }

    /// What was wished for is here.
    fn came(self: Arc<Self>, cell: Arc<Cell>, act: impl FnOnce(&mut Feed<Arc<Outbox>>) -> Vec<Wish>) {
        let wishes = act(&mut cell.state.lock().feed);
        self.fulfil(&cell, wishes);
        self.settle(cell);
    }
}
