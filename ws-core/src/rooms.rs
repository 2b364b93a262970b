//! The rooms of this gateway: each a [`Feed`] behind a lock, and its topic on the bus while somebody listens.

mod gatherer;
mod heads;
mod signals;
mod wishes;

use std::{collections::HashMap, sync::Arc};

use bus::{Topic, contract::Topics};
use common::{Problem, RoomId, WsId, event::Event, frame::JoinRoom, token::Actor};
use db_api::{
    Call, DbApi, Refusal,
    types::{OpenRoom, OpenRooms, OpenedRoom, Opening},
};
use gatherer::Gatherer;
use parking_lot::Mutex;
pub use signals::Ear;

use crate::{
    feed::{Feed, Send},
    outbox::Outbox,
    presence::Attendance,
    typing::Typists,
};

struct Cell {
    room: RoomId,
    state: Mutex<State>,
    /// Held while the topic is subscribed or given up, so that the two don't cross.
    subscribed: tokio::sync::Mutex<bool>,
}

struct State {
    feed: Feed<Arc<Outbox>>,
    /// Taken out of the registry: who still holds the cell looks the room up again.
    retired: bool,
}

/// All rooms that a local socket hears or sends to.
pub struct Rooms {
    db: Arc<dyn DbApi>,
    gatherer: Arc<Gatherer>,
    topics: Arc<dyn Topics>,
    attendance: Arc<Attendance>,
    typists: Arc<Typists>,
    cells: Mutex<HashMap<RoomId, Arc<Cell>>>,
}

impl Rooms {
    pub fn new(
        db: Arc<dyn DbApi>,
        topics: Arc<dyn Topics>,
        attendance: Arc<Attendance>,
        typists: Arc<Typists>,
    ) -> Arc<Self> {
        Arc::new(Self {
            gatherer: Arc::new(Gatherer::new(db.clone())),
            db,
            topics,
            attendance,
            typists,
            cells: Mutex::default(),
        })
    }

    /// A socket's send, to be answered through its outbox.
    pub fn send(self: &Arc<Self>, room: RoomId, send: Send<Arc<Outbox>>) {
        self.typists.sent(room, send.ws);
        let (cell, wishes) = self.with(room, |feed| feed.send(send));
        self.fulfil(&cell, wishes);
    }

    /// A socket wrote a `join` of the room, at this place among its frames.
    pub fn joins_anew(&self, ws: WsId, room: RoomId) {
        if let Some(cell) = self.existing(room) {
            cell.state.lock().feed.joins_anew(ws);
        }
    }

    /// Opens a room for a socket and answers `joined` or an error through its outbox. The socket may leave the room as soon
    /// as this returns; what is left to do is in the future.
    pub fn join(
        self: &Arc<Self>,
        ws: WsId,
        actor: Actor,
        outbox: &Arc<Outbox>,
        reference: Option<String>,
        join: JoinRoom,
    ) -> impl Future<Output = ()> + use<> {
        let (user, with_events) = (actor.user_id, join.after_seq.is_some());
        let (cell, ()) = self.with(join.room_id, |feed| {
            feed.join(ws, user, outbox.clone(), reference, with_events);
        });
        let rooms = self.clone();
        async move {
            // First the topic, then the head: what is announced after that head is heard.
            rooms.subscribe(&cell).await;
            let answer = rooms.open(actor, &join).await.map_err(Problem::from);
            let wishes = cell.state.lock().feed.opened(ws, answer);
            rooms.fulfil(&cell, wishes);
            rooms.settle(cell);
        }
    }

    async fn open(&self, actor: Actor, join: &JoinRoom) -> Result<OpenedRoom, Refusal> {
        let room = OpenRoom {
            room_id: join.room_id,
            after_seq: join.after_seq,
            log_id: join.log_id,
        };
        let answer = self
            .db
            .open_rooms(Call::of(actor), OpenRooms { rooms: vec![room] })
            .await?;
        match answer.value.rooms.into_iter().next() {
            Some(Opening::Opened(opened)) => Ok(*opened),
            Some(Opening::Refused(refusal)) => Err(refusal),
            None => Err(Refusal::Internal),
        }
    }

    pub fn leave(self: &Arc<Self>, ws: WsId, room: RoomId) {
        self.typists.silenced(room, ws);
        if let Some(cell) = self.existing(room) {
            cell.state.lock().feed.leave(ws);
            self.settle(cell);
        }
    }

    /// The socket is gone; `rooms` are those that it joined or sent to.
    pub fn disconnect(self: &Arc<Self>, ws: WsId, rooms: impl IntoIterator<Item = RoomId>) {
        for room in rooms {
            self.typists.silenced(room, ws);
            if let Some(cell) = self.existing(room) {
                cell.state.lock().feed.disconnect(ws);
                self.settle(cell);
            }
        }
    }

    /// Whether something of the socket is left in the room.
    pub fn know(&self, room: RoomId, ws: WsId) -> bool {
        self.is(room, |feed| feed.knows(ws))
    }

    /// An event from the bus.
    pub fn announced(self: &Arc<Self>, room: RoomId, event: Event) {
        if let Some(cell) = self.existing(room) {
            let wishes = cell.state.lock().feed.announced(event);
            self.fulfil(&cell, wishes);
            // It may have been the last event for everybody here.
            self.settle(cell);
        }
    }

    fn existing(&self, room: RoomId) -> Option<Arc<Cell>> {
        self.cells.lock().get(&room).cloned()
    }

    /// What holds of the room's feed; nothing does where there is none.
    fn is(&self, room: RoomId, holds: impl FnOnce(&Feed<Arc<Outbox>>) -> bool) -> bool {
        self.existing(room).is_some_and(|cell| holds(&cell.state.lock().feed))
    }

    /// Acts on the room's feed, which is made when there is none.
    fn with<T>(&self, room: RoomId, act: impl FnOnce(&mut Feed<Arc<Outbox>>) -> T) -> (Arc<Cell>, T) {
        loop {
            let cell = self
                .cells
                .lock()
                .entry(room)
                .or_insert_with(|| Arc::new(Cell::new(room)))
                .clone();
            let mut state = cell.state.lock();
            if state.retired {
                continue;
            }
            let result = act(&mut state.feed);
            drop(state);
            return (cell, result);
        }
    }

    async fn subscribe(&self, cell: &Cell) {
        let mut subscribed = cell.subscribed.lock().await;
        if !*subscribed {
            self.topics.subscribe(&[Topic::Room(cell.room)]).await;
            *subscribed = true;
        }
    }

    /// Gives up the topic when nobody listens any more, and the room when nothing is left to do.
    fn settle(self: &Arc<Self>, cell: Arc<Cell>) {
        if cell.state.lock().feed.has_listeners() {
            return;
        }
        let rooms = self.clone();
        tokio::spawn(async move {
            let mut subscribed = cell.subscribed.lock().await;
            if *subscribed && !cell.state.lock().feed.has_listeners() {
                rooms.topics.unsubscribe(&[Topic::Room(cell.room)]).await;
                rooms.attendance.unheard(cell.room);
                *subscribed = false;
            }
            let mut cells = rooms.cells.lock();
            let mut state = cell.state.lock();
            if !*subscribed && state.feed.is_idle() && !state.retired {
                state.retired = true;
                cells.remove(&cell.room);
            }
        });
    }
}

impl Cell {
    fn new(room: RoomId) -> Self {
        let state = State {
            feed: Feed::new(room),
            retired: false,
        };
        Self {
            room,
            state: Mutex::new(state),
            subscribed: tokio::sync::Mutex::new(false),
        }
    }
}
