//! The I/O of one socket, in one task: frames from the client go through the [`Socket`], its actions are done, and what
//! waits in the [`Outbox`] is written, many frames in one go.

mod acts;
mod joins;
mod markers;
mod stream;

use std::{collections::HashSet, sync::Arc, time::Duration};

use common::{RoomId, WsId, frame::CloseCode, limits, room::Presence, token::Actor};
use service::minted;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::{CapacityError, ProtocolError},
};

use crate::{
    gateway::Gateway,
    outbox::Outbox,
    socket::{Now, Socket},
};
use joins::Joins;
use markers::Markers;
use stream::{Stalled, Stream, Turn};

/// A socket that was let in.
pub struct Connection {
    gateway: Arc<Gateway>,
    ws: WsId,
    actor: Actor,
    outbox: Arc<Outbox>,
}

/// What a running socket keeps.
struct Running<'a> {
    connection: &'a Connection,
    socket: Socket,
    joins: Arc<Joins>,
    markers: Arc<Markers>,
    /// Rooms that may know of this socket.
    rooms: HashSet<RoomId>,
    started: Instant,
}

impl Connection {
    pub fn new(gateway: Arc<Gateway>, ws: WsId, actor: Actor, outbox: Arc<Outbox>) -> Self {
        gateway.figures.active.inc();
        tracing::info!(ws_id = %ws, user_id = %actor.user_id, "a socket opened");
        Self {
            gateway,
            ws,
            actor,
            outbox,
        }
    }

    pub async fn run<IO: AsyncRead + AsyncWrite + Unpin>(self, io: IO) {
        let mut stream = Stream::open(
            io,
            self.gateway.settings.limits.frame_bytes,
            self.outbox.clone(),
            self.gateway.figures.sent.clone(),
        )
        .await;
        let started = Instant::now();
        let now = Now {
            ticks_ms: 0,
            wall: minted::now(),
        };
        let (socket, welcome) = Socket::open(self.ws, self.actor.clone(), self.gateway.settings.clone(), now);
        let joins = Joins::new(self.gateway.rooms.clone(), self.ws, self.outbox.clone());
        let markers = Markers::new(self.gateway.rooms.clone(), self.outbox.clone());
        let mut running = Running {
            connection: &self,
            socket,
            joins,
            markers,
            rooms: HashSet::new(),
            started,
        };
        running.be(Presence::Online);
        running.act(vec![welcome]).await;
        let code = running.converse(&mut stream).await;
        let rooms = std::mem::take(&mut running.rooms);
        running.joins.stop();
        running.markers.stop();
        drop(running);
        self.gateway.rooms.disconnect(self.ws, rooms);
        self.gateway.attendance.exited(self.actor.user_id, self.ws);
        let number = code.map(CloseCode::number);
        if let Some(code) = code {
            if code == CloseCode::TooSlow {
                self.gateway.figures.backpressure.inc();
            }
            stream.close(code).await;
        }
        tracing::info!(ws_id = %self.ws, user_id = %self.actor.user_id, code = number, "a socket closed");
        self.end().await;
    }

    /// Takes the socket out of the gateway.
    pub async fn end(self) {
        self.gateway.figures.active.dec();
        if self.gateway.users.exit(self.ws, self.actor.user_id) {
            self.gateway.unfollow_user(self.actor.user_id).await;
        }
    }
}

impl Running<'_> {
    fn now(&self) -> Now {
        Now {
            ticks_ms: self.started.elapsed().as_millis() as u64,
            wall: minted::now(),
        }
    }

    /// Until either side ends it; with the code to close with, unless the client is gone.
    async fn converse<IO: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut Stream<IO>) -> Option<CloseCode> {
        loop {
            let wait = self.socket.wakes_at(self.now()).max(Duration::from_millis(1));
            let turn = stream.turn(wait).await;
            for room in self.connection.outbox.take_ended() {
                self.socket.room_ended(room);
            }
            let actions = match turn {
                Turn::Read(Ok(Message::Text(text))) => {
                    self.connection.gateway.figures.received.inc();
                    self.socket.text(&text, self.now())
                }
                Turn::Read(Ok(Message::Binary(_))) => self.socket.binary(),
                Turn::Read(Ok(Message::Pong(_))) => {
                    self.socket.pong();
                    Vec::new()
                }
                Turn::Read(Ok(Message::Ping(_) | Message::Frame(_))) => Vec::new(),
                Turn::Read(Ok(Message::Close(_))) => {
                    stream.answer_close().await;
                    return None;
                }
                Turn::Gone => return None,
                Turn::Read(Err(error)) => return code_of(&error),
                Turn::Close(code) => return Some(code),
                Turn::Stalled(Stalled) => return Some(CloseCode::TooSlow),
                Turn::Wake => self.socket.tick(self.now()),
            };
            if let Some(code) = self.act(actions).await {
                return Some(code);
            }
        }
    }
}

/// How a socket ends whose client broke the protocol; `None` when it is just gone.
fn code_of(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Some(CloseCode::TooBig),
        Error::Utf8(_) => Some(CloseCode::NotUtf8),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::ProtocolError),
        _ => None,
    }
}

/// How long a client may take for the closing handshake.
const CLOSING: Duration = limits::CLOSE_DEADLINE;
