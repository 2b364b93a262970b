//! Signals of rooms: from the bus to the sockets, and from a socket on its way.

use std::sync::Arc;

use common::{RoomId, UserId, WsId, token::Actor};
use db_api::{
    Call, Refusal,
    types::{InRoomUser, MarkRead},
};
use tokio::time::Instant;

use super::Rooms;
use crate::{feed::Feed, outbox::Outbox, signal::SignalFrame};

/// A socket, and whose it is.
pub type Ear = (WsId, UserId, Arc<Outbox>);

impl Rooms {
    /// Somebody types in the room, as the bus says.
    pub fn types(self: &Arc<Self>, room: RoomId, user: UserId) {
        if let Some(cell) = self.existing(room) {
            let wishes = cell.state.lock().feed.types(user, Instant::now());
            self.fulfil(&cell, wishes);
        }
    }

    /// Somebody no longer types.
    pub fn stops_typing(&self, room: RoomId, user: UserId) {
        if let Some(cell) = self.existing(room) {
            cell.state.lock().feed.stops_typing(user);
        }
    }

    pub fn is_direct(&self, room: RoomId) -> bool {
        self.is(room, Feed::is_direct)
    }

    /// Whether the other of a conversation of two may hear that a member types. A block has no place in the log, so only
    /// db-core knows of it.
    pub async fn may_type(&self, room_id: RoomId, user_id: UserId) -> bool {
        let answer = self
            .db
            .may_type(Call::anonymous(), InRoomUser { room_id, user_id })
            .await;
        answer.is_ok_and(|answer| answer.value.allowed)
    }

    /// Everybody in the room but the one whom it is about.
    pub fn tell_others(&self, room: RoomId, about: UserId, signal: &SignalFrame) {
        if let Some(cell) = self.existing(room) {
            cell.state.lock().feed.tell_others(about, signal);
        }
    }

    pub fn has_joined(&self, room: RoomId, ws: WsId) -> bool {
        self.is(room, |feed| feed.has_joined(ws))
    }

    /// The sockets of a room in which presence is told; `None` where it isn't, or nobody listens.
    pub fn lively(&self, room: RoomId) -> Option<Vec<Ear>> {
        let cell = self.existing(room)?;
        let state = cell.state.lock();
        let ear = |(ws, user, outbox): (WsId, UserId, &Arc<Outbox>)| (ws, user, outbox.clone());
        (state.feed.is_lively() && state.feed.has_listeners()).then(|| state.feed.joined().map(ear).collect())
    }

    /// Moves somebody's read marker; db-core tells those who want to know.
    ///
    /// # Errors
    /// db-core's.
    pub async fn mark_read(&self, actor: Actor, marker: MarkRead) -> Result<(), Refusal> {
        self.db.mark_read(Call::of(actor), marker).await.map(drop)
    }
}
