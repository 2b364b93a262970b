//! The rooms that a socket asked to hear, opened one after the other and no faster than its reader takes the answers: a
//! large catch-up never fills the gateway's memory.

use std::{collections::VecDeque, sync::Arc};

use common::{RoomId, WsId, frame::JoinRoom, limits, token::Actor};
use parking_lot::Mutex;

use crate::{outbox::Outbox, rooms::Rooms};

struct Wanted {
    actor: Actor,
    reference: Option<String>,
    room: JoinRoom,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Wanted>,
    working: bool,
    stopped: bool,
}

pub struct Joins {
    rooms: Arc<Rooms>,
    ws: WsId,
    outbox: Arc<Outbox>,
    state: Mutex<State>,
}

impl Joins {
    pub fn new(rooms: Arc<Rooms>, ws: WsId, outbox: Arc<Outbox>) -> Arc<Self> {
        Arc::new(Self {
            rooms,
            ws,
            outbox,
            state: Mutex::default(),
        })
    }

    /// How many more rooms may wait.
    pub fn places(&self) -> usize {
        limits::JOINS_WAITING.saturating_sub(self.state.lock().queue.len())
    }

    /// Opens them at their turn.
    pub fn add(self: &Arc<Self>, actor: &Actor, reference: Option<String>, rooms: Vec<JoinRoom>) {
        let mut state = self.state.lock();
        let wanted = |room| Wanted {
            actor: actor.clone(),
            reference: reference.clone(),
            room,
        };
        state.queue.extend(rooms.into_iter().map(wanted));
        if !std::mem::replace(&mut state.working, true) {
            tokio::spawn(self.clone().work());
        }
    }

    /// The client left the room before its turn came.
    pub fn cancel(&self, room: RoomId) {
        self.state.lock().queue.retain(|wanted| wanted.room.room_id != room);
    }

    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.queue.clear();
    }

    async fn work(self: Arc<Self>) {
        loop {
            let wanted = self.outbox.room_for_catch_up().await;
            let (room, joined) = {
                let mut state = self.state.lock();
                let next = state.queue.pop_front().filter(|_| wanted);
                state.working = next.is_some();
                let Some(Wanted { actor, reference, room }) = next else {
                    return;
                };
                // Begun before the queue is let go: who leaves the room finds it in the one or in the other.
                (
                    room.room_id,
                    self.rooms.join(self.ws, actor, &self.outbox, reference, room),
                )
            };
            joined.await;
            if self.state.lock().stopped {
                // The socket ended meanwhile: nobody else would take it out of the room again.
                self.rooms.disconnect(self.ws, [room]);
            }
        }
    }
}
