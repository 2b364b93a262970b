//! Where the logs stand: compared with db-core's, so that an announcement that got lost costs a moment and no more.

use std::{collections::HashMap, sync::Arc};

use common::{LogId, RoomId, Seq, limits};
use db_api::{
    Call, Refusal,
    types::{Head, Heads},
};

use super::{Cell, Rooms};

impl Rooms {
    /// Compares the heads of all followed rooms with db-core's, in one call, or several of
    /// [`limits::HEADS_PER_CALL`] rooms.
    ///
    /// # Errors
    /// When db-core can't be asked; the next comparison makes it good.
    pub async fn compare_heads(self: &Arc<Self>) -> Result<(), Refusal> {
        let mut followed: Vec<Arc<Cell>> = {
            let cells = self.cells.lock();
            cells
                .values()
                .filter(|cell| cell.state.lock().feed.follows())
                .cloned()
                .collect()
        };
        // In an order, so that a seeded simulation replays.
        followed.sort_by_key(|cell| cell.room);
        for cells in followed.chunks(limits::HEADS_PER_CALL) {
            self.compare(cells).await?;
        }
        Ok(())
    }

    async fn compare(self: &Arc<Self>, cells: &[Arc<Cell>]) -> Result<(), Refusal> {
        let rooms = cells.iter().map(|cell| cell.room).collect();
        let answer = self.db.heads(Call::anonymous(), Heads { rooms }).await?;
        let heads: HashMap<RoomId, (Seq, LogId)> = answer
            .value
            .heads
            .iter()
            .map(|head: &Head| (head.room_id, (head.head_seq, head.log_id)))
            .collect();
        for cell in cells {
            if let Some((head, log)) = heads.get(&cell.room) {
                let wishes = cell.state.lock().feed.compared(*head, *log);
                self.fulfil(cell, wishes);
            }
        }
        Ok(())
    }
}
