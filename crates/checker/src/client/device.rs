//! One device of a user: its socket, its rooms, and when it does what.

use std::{collections::BTreeMap, future::pending, sync::Arc};

use common::{MessageId, RoomId, Seq, token::Actor};
use db_api::DbApi;
use parking_lot::Mutex;
use service::CancellationToken;
use tokio::{sync::mpsc, time::Instant};

use super::{
    Connect,
    pages::Page,
    view::{RoomView, Standing},
    wire::Wire,
};
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
    pub rooms: BTreeMap<RoomId, RoomView>,
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
    pub references: u64,
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
        Self {
            name: parts.name,
            actor: parts.actor,
            rooms: parts
                .rooms
                .into_iter()
                .map(|room| (room, RoomView::new(room)))
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
            references: 0,
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
            views: self.rooms.values().map(RoomView::at_end).collect(),
        }
    }

    fn wakes_at(&self) -> Instant {
        let rooms = self.rooms.values();
        let online = self.socket.is_some();
        let times = rooms
            .flat_map(|view| [view.again_at, view.join_at, view.fetch_at])
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
            let view = &self.rooms[&room];
            let (again, join, fetch) = (is_due(view.again_at), is_due(view.join_at), is_due(view.fetch_at));
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
        for view in self.rooms.values_mut() {
            view.outbox.reconnected();
            view.again_at = (!view.outbox.is_empty()).then(|| now + self.chance.millis(0..300));
            view.join_at = (!together).then(|| now + self.chance.millis(0..300));
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
        for view in self.rooms.values_mut() {
            view.standing = Standing::Out;
        }
        self.reconnect_at = Instant::now() + self.chance.millis(5..800);
    }

    pub fn record(&mut self, entry: Entry) {
        let at_ms = self.began.elapsed().as_millis() as u64;
        if let Some(socket) = self.sockets.last_mut() {
            socket.entries.push((at_ms, entry));
        }
    }

    pub fn write(&mut self, frame: serde_json::Value, wrote: Option<Wrote>) {
        if let Some(wrote) = wrote {
            self.record(Entry::Wrote(wrote));
        }
        if let Some(socket) = &mut self.socket {
            socket.write(frame.to_string());
        }
    }

    pub fn reference(&mut self) -> String {
        self.references += 1;
        self.references.to_string()
    }

    fn report(&self) {
        let rooms = || self.rooms.values();
        let joined = rooms().filter(|view| view.standing == Standing::In);
        let busy = |view: &RoomView| {
            !view.outbox.is_empty() || matches!(view.standing, Standing::Joining { .. }) || view.has_gap()
        };
        *self.hints.lock() = Hints {
            settled: self.socket.is_some() && !rooms().any(busy),
            heads: joined.map(|view| (view.room, view.head())).collect(),
        };
    }
}
