//! The I/O of one socket, in one task: frames from the client go through the [`Socket`], its actions are done, and what
//! waits in the [`Outbox`] is written, many frames in one go.

mod acts;
mod ending;
mod joins;
mod markers;
mod stream;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use common::{RoomId, WsId, frame::CloseCode, limits, room::Presence, token::Actor};
use service::minted;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::Instant,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    gateway::Gateway,
    outbox::{Outbox, Pipe, Shared},
    socket::{Now, Socket},
};
use joins::Joins;
use markers::Markers;

pub use ending::Ending;
pub use stream::{Stalled, Stream, Turn};

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
    rooms: BTreeSet<RoomId>,
    started: Instant,
}

impl Connection {
    pub(crate) fn new(gateway: Arc<Gateway>, ws: WsId, actor: Actor, outbox: Arc<Outbox>) -> Self {
        gateway.figures.active.inc();
        tracing::info!(ws_id = %ws, user_id = %actor.user_id, "a socket opened");
        Self {
            gateway,
            ws,
            actor,
            outbox,
        }
    }

    /// Speaks the protocol over a stream whose opening handshake is done, until either side ends it.
    pub async fn run<IO: AsyncRead + AsyncWrite + Unpin>(self, io: IO) {
        self.speak(io, Bytes::new()).await;
    }

    /// As [`Connection::run`]; an event is then written by who has it, where nothing waits before it. `read` is what was
    /// read along with the handshake.
    pub fn run_over_tcp(self, stream: TcpStream, read: Bytes) -> impl Future<Output = ()> {
        let pipe = Pipe::new(stream, self.gateway.figures.sent.clone());
        self.outbox.write_by(pipe.clone());
        self.speak(Shared(pipe), read)
    }

    async fn speak<IO: AsyncRead + AsyncWrite + Unpin>(self, io: IO, read: Bytes) {
        let mut stream = Stream::open(
            io,
            read,
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
            rooms: BTreeSet::new(),
            started,
        };
        running.be(Presence::Online);
        running.act(vec![welcome]).await;
        let ending = running.converse(&mut stream).await;
        let rooms = std::mem::take(&mut running.rooms);
        self.outbox.abandon();
        running.joins.stop();
        running.markers.stop();
        drop(running);
        self.gateway.rooms.disconnect(self.ws, rooms);
        self.gateway.attendance.exited(self.actor.user_id, self.ws);
        if ending == Ending::Close(CloseCode::TooSlow) {
            self.gateway.figures.backpressure.inc();
        }
        // Boxed, as the end would else take room in every idle socket's task.
        Box::pin(ending.of(stream)).await;
        let code = ending.code().map(CloseCode::number);
        tracing::info!(ws_id = %self.ws, user_id = %self.actor.user_id, code, "a socket closed");
        self.end().await;
    }

    /// Takes the socket out of the gateway; also when its upgrade came to nothing.
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

    /// Until either side ends it.
    async fn converse<IO: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut Stream<IO>) -> Ending {
        loop {
            let wait = self.socket.wakes_at(self.now()).max(Duration::from_millis(1));
            let turn = stream.turn(wait).await;
            for room in self.connection.outbox.take_ended() {
                self.socket.room_ended(room);
            }
            let reason = self.connection.outbox.reason();
            let actions = match turn {
                // What is written after the end is not done.
                Turn::Read(Ok(Message::Text(_) | Message::Binary(_))) if reason.is_some() => Vec::new(),
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
                Turn::Read(Ok(Message::Close(_))) => return Ending::Answer,
                Turn::Gone => return Ending::Gone,
                Turn::Read(Err(error)) => return Ending::after(&error),
                Turn::Close(code) => return Ending::Close(code),
                Turn::Stalled(Stalled) => return Ending::Close(reason.unwrap_or(CloseCode::TooSlow)),
                Turn::Wake => self.socket.tick(self.now()),
            };
            if let Some(code) = self.act(actions).await {
                return Ending::Close(code);
            }
        }
    }
}

/// How long a client may take for the closing handshake.
const CLOSING: Duration = limits::CLOSE_DEADLINE;

#[cfg(test)]
mod tests {
    use super::*;

    /// Of [`Connection::run_over_tcp`]'s task, which most sockets keep for hours without a word.
    const TASK_BYTES: usize = 1_536;

    fn bytes_of<F: Future>(_: impl FnOnce(Connection, TcpStream, Bytes) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_socket_is_small() {
        assert!(bytes_of(Connection::run_over_tcp) <= TASK_BYTES);
    }
}
