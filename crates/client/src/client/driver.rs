//! Runs a core over sockets that come and go.

mod hearing;
mod life;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use common::{
    RoomId, Seq, UserId,
    bucket::{Bucket, Rate},
    frame::{ClientFrame, Request, SocketLimits},
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Command, Heard,
    line::{self, Arrived},
    timers::{Due, Timers},
};
use crate::{
    core::Core,
    limits::HEARD,
    session::Session,
    socket::{Socket, SocketError},
};

pub struct Driver {
    session: Arc<Session>,
    url: String,
    core: Core,
    /// The rooms that are heard, each from where it was asked for first.
    wanted: BTreeMap<RoomId, Option<Seq>>,
    socket: Option<Box<Socket>>,
    limits: SocketLimits,
    /// The sends that the server takes, with some room: what is sent evenly arrives in bunches.
    sends: Bucket,
    began: Instant,
    timers: Timers,
    /// In a row, of the line and of each room's sends.
    failures: u32,
    troubled: BTreeMap<RoomId, u32>,
    /// What is heard and not yet handed on.
    waiting: VecDeque<Heard>,
    /// The last socket was closed for its token.
    is_doubted: bool,
    arrived: mpsc::UnboundedReceiver<Arrived>,
    arriving: mpsc::UnboundedSender<Arrived>,
    is_over: bool,
}

impl Driver {
    pub fn new(session: Arc<Session>, url: String, me: UserId) -> Self {
        let (arriving, arrived) = mpsc::unbounded_channel();
        let limits = SocketLimits::default();
        let mut timers = Timers::default();
        timers.set(Due::Connect, Duration::ZERO);
        Self {
            session,
            url,
            core: Core::new(me),
            wanted: BTreeMap::new(),
            socket: None,
            sends: Bucket::full(rate(&limits), 0),
            limits,
            began: Instant::now(),
            timers,
            failures: 0,
            troubled: BTreeMap::new(),
            waiting: VecDeque::new(),
            is_doubted: false,
            arrived,
            arriving,
            is_over: false,
        }
    }

    /// Until nobody commands or listens any more, or the login is over.
    pub async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>, heard: mpsc::Sender<Heard>) {
        while !(self.is_over && self.waiting.is_empty()) {
            let takes_more = self.waiting.len() < HEARD;
            let read = async {
                match &mut self.socket {
                    Some(socket) if takes_more => socket.read().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break,
                },
                permit = heard.reserve(), if !self.waiting.is_empty() => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(next)) => permit.send(next),
                    _ => break,
                },
                Some(arrived) = self.arrived.recv() => self.arrive(arrived).await,
                frame = read => match frame {
                    Ok(frame) => self.hear(frame).await,
                    Err(error) => self.lost(error),
                },
                () = self.timers.wait() => self.act().await,
            }
        }
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Join(room, after) => {
                self.core.open(room);
                self.wanted.insert(room, after);
                if self.socket.is_some() {
                    self.timers.set(Due::Join(room), Duration::ZERO);
                }
            }
            Command::Leave(room) => {
                if self.wanted.remove(&room).is_some() && self.socket.is_some() {
                    let frame = self.core.leave(room);
                    self.write(&frame).await;
                }
                self.timers.drop_of(room);
            }
            // Nobody answers: it is not taken.
            Command::Send(..) if self.is_over => {}
            Command::Send(draft, taken) => {
                let _ = taken.send(self.core.submit(draft));
                self.flush().await;
            }
            Command::Say(request) => {
                let reference = None;
                self.write(&ClientFrame { reference, request }).await;
            }
        }
    }

    async fn act(&mut self) {
        let mut joining = Vec::new();
        for due in self.timers.take() {
            match due {
                Due::Connect => self.connect(),
                Due::Join(room) => joining.push(room),
                Due::Again(room) => {
                    self.core.again(room);
                    self.flush().await;
                }
                Due::Fetch(room) => {
                    if let Some(after) = self.core.fetch(room) {
                        let session = self.session.clone();
                        self.wait_for(line::page(session, room, after));
                    }
                }
                Due::Flush => self.flush().await,
                Due::Ping => self.say(Request::Ping).await,
                Due::Silence => self.lost(SocketError::Lost("the gateway is silent".to_owned())),
                Due::Renew => {
                    let session = self.session.clone();
                    self.wait_for(async move { Arrived::Renewed(session.token().await) });
                }
            }
        }
        for rooms in joining.chunks(self.limits.rooms_per_join.max(1)) {
            self.join(rooms).await;
        }
    }

    fn wait_for(&self, what: impl Future<Output = Arrived> + Send + 'static) {
        let arriving = self.arriving.clone();
        tokio::spawn(async move {
            let arrived = tokio::select! {
                arrived = what => arrived,
                // The client is gone.
                () = arriving.closed() => return,
            };
            let _ = arriving.send(arrived);
        });
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Joins rooms from where they are known, and lets what is open in them go again behind it.
    async fn join(&mut self, rooms: &[RoomId]) {
        let from = |room: &RoomId| {
            let first = *self.wanted.get(room)?;
            let known = self.core.room(*room)?.resumes_from();
            Some((*room, known.or(first)))
        };
        let asked: Vec<(RoomId, Option<Seq>)> = rooms.iter().filter_map(from).collect();
        if asked.is_empty() || self.socket.is_none() {
            return;
        }
        let frame = self.core.join(&asked);
        self.write(&frame).await;
        asked.iter().for_each(|(room, _)| self.core.requeue(*room));
        self.flush().await;
    }

    /// Writes what may be written now, as fast as the server takes it.
    async fn flush(&mut self) {
        while self.socket.is_some() {
            let due = self.core.rooms().find(|room| room.outbox.has_due()).map(|room| room.id);
            let Some(room) = due else { return };
            if let Err(wait_ms) = self.sends.take(self.now_ms()) {
                return self.timers.set(Due::Flush, Duration::from_millis(wait_ms));
            }
            if let Some(frame) = self.core.next_send(room) {
                self.write(&frame).await;
            }
        }
    }

    async fn say(&mut self, request: Request) {
        let reference = Some(self.core.reference());
        self.write(&ClientFrame { reference, request }).await;
    }

    async fn write(&mut self, frame: &ClientFrame) {
        let Some(socket) = &mut self.socket else { return };
        if let Err(error) = socket.write(frame).await {
            self.lost(error);
        }
    }

    fn tell(&mut self, heard: Heard) {
        self.waiting.push_back(heard);
    }
}

fn rate(limits: &SocketLimits) -> Rate {
    let most = |of: u32| (of - of / 5).max(1);
    Rate {
        per_second: most(limits.sends_per_second),
        burst: most(limits.send_burst),
    }
}
