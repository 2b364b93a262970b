//! One device of a user: its socket, its rooms, and when it does what.

use std::{collections::BTreeMap, future::pending, sync::Arc};

use chat_client::core::{Core, Room, Standing};
use common::{
    MessageId, RoomId, Seq,
    frame::{ClientFrame, Request},
    token::Actor,
};
use db_api::DbApi;
use parking_lot::Mutex;
use service::CancellationToken;
use tokio::{sync::mpsc, time::Instant};

use super::{Connect, pages::Page, plan::RoomPlan, wire::Wire};
use crate::{
    chance::Chance,
    faults::Weather,
    history::{DeviceHistory, Ended, Entry, SocketHistory, Wrote},
};

/// What a device tells the run while it lasts.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// Nothing is under way or open.
    pub settled: bool,
    /// Up to where each joined room is known.
    pub heads: BTreeMap<RoomId, Seq>,
}

pub struct Device {
    pub name: String,
    pub actor: Actor,
    /// Decides; the device says when.
    pub core: Core,
    pub rooms: BTreeMap<RoomId, RoomPlan>,
    /// Message ids that others use too.
    pub contested: Vec<MessageId>,
    pub chance: Chance,
    pub weather: Arc<Weather>,
    pub connect: Arc<dyn Connect>,
    /// The HTTP side, for what a socket leaves out.
    pub api: Arc<dyn DbApi>,
    pub hints: Arc<Mutex<Hints>>,
    pub began: Instant,
    pub socket: Option<Wire>,
    pub sockets: Vec<SocketHistory>,
    pub reconnect_at: Instant,
    pub next_turn: Instant,
    /// The client reads nothing until then.
    pub deaf_until: Instant,
    pages: mpsc::UnboundedReceiver<Page>,
    pub(super) fetched: mpsc::UnboundedSender<Page>,
}

/// What a device is made of.
pub struct Parts {
    pub name: String,
    pub actor: Actor,
    pub rooms: Vec<RoomId>,
    pub contested: Vec<MessageId>,
    pub chance: Chance,
    pub weather: Arc<Weather>,
    pub connect: Arc<dyn Connect>,
    pub api: Arc<dyn DbApi>,
    pub hints: Arc<Mutex<Hints>>,
}

impl Device {
    pub fn new(parts: Parts) -> Self {
        let now = Instant::now();
        let (fetched, pages) = mpsc::unbounded_channel();
        let mut core = Core::new(parts.actor.user_id);
        for room in &parts.rooms {
            core.open(*room);
        }
        Self {
            name: parts.name,
            actor: parts.actor,
            core,
            rooms: parts
                .rooms
                .into_iter()
                .map(|room| (room, RoomPlan::default()))
                .collect(),
            contested: parts.contested,
            chance: parts.chance,
            weather: parts.weather,
            connect: parts.connect,
            api: parts.api,
            hints: parts.hints,
            began: now,
            socket: None,
            sockets: Vec::new(),
            reconnect_at: now,
            next_turn: now,
            deaf_until: now,
            pages,
            fetched,
        }
    }

    /// Lives until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> DeviceHistory {
        loop {
            self.report();
            let wakes_at = self.wakes_at();
            let deaf_until = self.deaf_until;
            let read = async {
                match &mut self.socket {
                    Some(socket) => {
                        tokio::time::sleep_until(deaf_until).await;
                        socket.read().await
                    }
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some((room, page)) = self.pages.recv() => self.page(room, page),
                text = read => match text {
                    Some(text) => self.hear(&text),
                    None => self.lost(),
                },
                () = tokio::time::sleep_until(wakes_at) => self.act().await,
            }
        }
        if let (Some(_), Some(last)) = (&self.socket, self.sockets.last_mut()) {
            last.ended = Ended::Open;
        }
        DeviceHistory {
            name: self.name,
            user: self.actor.user_id,
            sockets: self.sockets,
            views: self
                .core
                .rooms()
                .filter_map(|room| Some(self.rooms.get(&room.id)?.at_end(room)))
                .collect(),
        }
    }

    fn wakes_at(&self) -> Instant {
        let rooms = self.rooms.values();
        let online = self.socket.is_some();
        let times = rooms
            .flat_map(|plan| [plan.again_at, plan.join_at, plan.fetch_at])
            .flatten();
        let first = times.filter(|_| online).min();
        let turn = if online { self.next_turn } else { self.reconnect_at };
        first.map_or(turn, |first| first.min(turn))
    }

    async fn act(&mut self) {
        let now = Instant::now();
        if self.socket.is_none() {
            if now >= self.reconnect_at {
                self.reconnect().await;
            }
            return;
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        for room in rooms {
            let plan = &self.rooms[&room];
            let (again, join, fetch) = (is_due(plan.again_at), is_due(plan.join_at), is_due(plan.fetch_at));
            if again {
                self.flush(room);
            }
            if join {
                self.join(&[room]);
            }
            if fetch {
                self.fetch(room);
            }
        }
        if now >= self.next_turn {
            self.turn();
        }
    }

    async fn reconnect(&mut self) {
        let gateway = self.chance.within(0..self.connect.gateways() as u64) as usize;
        let socket = self.connect.connect(gateway, &self.actor).await;
        let Some(socket) = socket else {
            self.reconnect_at = Instant::now() + self.chance.millis(20..300);
            return;
        };
        let stream = Chance::of(self.chance.within(0..u64::MAX), "wire");
        self.socket = Some(Wire::over(socket, stream));
        self.deaf_until = Instant::now();
        self.sockets.push(SocketHistory {
            name: format!("{}#{} at gateway {gateway}", self.name, self.sockets.len()),
            entries: Vec::new(),
            ended: Ended::Closed,
        });
        let now = Instant::now();
        let together = self.chance.happens(0.5);
        self.core.connected();
        for room in self.core.rooms() {
            let Some(plan) = self.rooms.get_mut(&room.id) else {
                continue;
            };
            plan.again_at = (!room.outbox.is_empty()).then(|| now + self.chance.millis(0..300));
            plan.join_at = (!together).then(|| now + self.chance.millis(0..300));
        }
        if together {
            let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
            self.join(&rooms);
        }
    }

    /// The socket is gone, or the device lets go of it.
    pub fn lost(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket.leave();
        }
        self.core.lost();
        self.reconnect_at = Instant::now() + self.chance.millis(5..800);
    }

    pub fn record(&mut self, entry: Entry) {
        let at_ms = self.began.elapsed().as_millis() as u64;
        if let Some(socket) = self.sockets.last_mut() {
            socket.entries.push((at_ms, entry));
        }
    }

    pub fn write(&mut self, frame: &ClientFrame) {
        let reference = frame.reference.clone().unwrap_or_default();
        match &frame.request {
            Request::Send(send) => self.record(Entry::Wrote(Wrote::Send {
                reference,
                room: send.room_id,
                message: send.message_id,
            })),
            Request::Join(join) => {
                for asked in &join.rooms {
                    self.record(Entry::Wrote(Wrote::Join {
                        reference: reference.clone(),
                        room: asked.room_id,
                        after: asked.after_seq,
                        log: asked.log_id,
                    }));
                }
            }
            Request::Leave(leave) => self.record(Entry::Wrote(Wrote::Leave { room: leave.room_id })),
            Request::Typing(_) | Request::Read(_) | Request::Presence(_) | Request::Auth(_) | Request::Ping => {}
        }
        if let (Some(socket), Ok(text)) = (&mut self.socket, serde_json::to_string(frame)) {
            socket.write(text);
        }
    }

    fn report(&self) {
        let rooms = || self.core.rooms();
        let joined = rooms().filter(|room| room.standing == Standing::In);
        let busy = |room: &Room| {
            !room.outbox.is_empty() || matches!(room.standing, Standing::Joining { .. }) || room.has_gap()
        };
        *self.hints.lock() = Hints {
            settled: self.socket.is_some() && !rooms().any(busy),
            heads: joined.map(|room| (room.id, room.head())).collect(),
        };
    }
}
