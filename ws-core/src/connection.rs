//! The I/O of one socket, in one task: frames from the client go through the [`Socket`], its actions are done, and what
//! waits in the [`Outbox`] is written, many frames in one go.

mod joins;
mod stream;

use std::{collections::HashSet, sync::Arc, time::Duration};

use common::{
    RoomId, WsId,
    frame::{CloseCode, ServerFrame},
    limits,
    token::Actor,
};
use db_api::types::Draft;
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
    feed::Send,
    gateway::Gateway,
    outbox::Outbox,
    socket::{Action, Now, Socket},
};
use joins::Joins;
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
        let mut running = Running {
            connection: &self,
            socket,
            joins,
            rooms: HashSet::new(),
            started,
        };
        running.act(vec![welcome]).await;
        let code = running.converse(&mut stream).await;
        let rooms = std::mem::take(&mut running.rooms);
        running.joins.stop();
        drop(running);
        self.gateway.rooms.disconnect(self.ws, rooms);
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

    /// Does what the socket decided; with a code when it has to end.
    async fn act(&mut self, actions: Vec<Action>) -> Option<CloseCode> {
        let mut queue: std::collections::VecDeque<Action> = actions.into();
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Reply(reply) => self.connection.outbox.answer(&reply.0),
                Action::Join { reference, rooms } => {
                    self.rooms.extend(rooms.iter().map(|room| room.room_id));
                    self.joins.add(self.socket.actor(), reference, rooms);
                }
                Action::Leave { reference, room } => {
                    self.joins.cancel(room);
                    self.connection.gateway.rooms.leave(self.connection.ws, room);
                    self.connection.outbox.answer(&ServerFrame::Left {
                        reference,
                        room_id: room,
                    });
                }
                Action::Send { reference, send } => self.send(reference, *send),
                Action::Verify { reference, token } => {
                    let verified = self.connection.gateway.verifier.verify(&token).await;
                    queue.extend(self.socket.verified(reference, verified));
                }
                Action::Ping => self.connection.outbox.ping(),
                Action::Close(code) => return Some(code),
            }
        }
        None
    }

    fn send(&mut self, reference: Option<String>, send: common::frame::Send) {
        let (room, ws) = (send.room_id, self.connection.ws);
        let draft = Draft {
            actor: self.socket.actor().clone(),
            room_id: room,
            message_id: send.message_id,
            content: send.content.0,
            reply_to: send.reply_to,
            mentions: send.mentions,
            ws_id: Some(ws),
            traceparent: send.traceparent.filter(|text| http_contract::headers::is_sampled(text)),
        };
        self.rooms.insert(room);
        self.connection.gateway.rooms.send(
            room,
            Send {
                ws,
                listener: self.connection.outbox.clone(),
                reference,
                draft,
            },
        );
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
