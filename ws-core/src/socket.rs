//! A connection's protocol as a state machine without I/O (contract, section 5): what the client wrote and a clock in,
//! actions out. Rooms, tokens and the network are around it.

#[cfg(test)]
mod tests;

use std::{collections::HashSet, time::Duration};

use common::{
    Problem, RoomId, Timestamp, WsId,
    bucket::{Bucket, Rate},
    frame::{ClientFrame, CloseCode, ErrorFrame, Rejected, Request, Send, ServerFrame, SocketLimits},
    limits,
    token::{Actor, Scope},
};

/// What the surroundings of a socket have to do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Reply(Box<Reply>),
    /// Open these rooms, one after the other.
    Join {
        reference: Option<String>,
        rooms: Vec<common::frame::JoinRoom>,
    },
    Leave {
        reference: Option<String>,
        room: RoomId,
    },
    Send {
        reference: Option<String>,
        send: Box<Send>,
    },
    /// Verify the token, then [`Socket::verified`].
    Verify {
        reference: Option<String>,
        token: String,
    },
    Ping,
    Close(CloseCode),
}

/// A frame for this socket, comparable in tests.
#[derive(Debug, Clone)]
pub struct Reply(pub ServerFrame);

impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        serde_json::to_value(&self.0).ok() == serde_json::to_value(&other.0).ok()
    }
}

/// A moment: milliseconds on a clock that never goes back, and the wall clock for what clients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub ticks_ms: u64,
    pub wall: Timestamp,
}

/// How a socket is run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub limits: SocketLimits,
    pub heartbeat: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: SocketLimits::default(),
            heartbeat: limits::HEARTBEAT,
        }
    }
}

pub struct Socket {
    ws: WsId,
    actor: Actor,
    settings: Settings,
    frames: Bucket,
    sends: Bucket,
    /// Rooms that were asked for and not left.
    rooms: HashSet<RoomId>,
    next_ping_ms: u64,
    unanswered_pings: u32,
    closing: bool,
}

impl Socket {
    /// A fresh socket of a verified caller, and its first frame.
    pub fn open(ws: WsId, actor: Actor, settings: Settings, now: Now) -> (Self, Action) {
        let limits = &settings.limits;
        let rate = |per_second, burst| Rate { per_second, burst };
        let welcome = ServerFrame::Welcome {
            ws_id: ws,
            user_id: actor.user_id,
            session_id: actor.session_id,
            expires_at: actor.expires_at,
            heartbeat_seconds: settings.heartbeat.as_secs(),
            limits: limits.clone(),
        };
        let socket = Self {
            ws,
            frames: Bucket::full(rate(limits.frames_per_second, limits.frame_burst), now.ticks_ms),
            sends: Bucket::full(rate(limits.sends_per_second, limits.send_burst), now.ticks_ms),
            rooms: HashSet::new(),
            next_ping_ms: now.ticks_ms + settings.heartbeat.as_millis() as u64,
            unanswered_pings: 0,
            closing: false,
            actor,
            settings,
        };
        (socket, reply(welcome))
    }

    pub fn id(&self) -> WsId {
        self.ws
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// A text frame.
    pub fn text(&mut self, text: &str, now: Now) -> Vec<Action> {
        if self.closing {
            return Vec::new();
        }
        if self.frames.take(now.ticks_ms).is_err() {
            return self.close(CloseCode::TooManyFrames);
        }
        match ClientFrame::parse(text) {
            Ok(frame) => self.request(frame, now),
            Err(Rejected::Malformed) => self.close(CloseCode::MalformedFrame),
            Err(Rejected::Invalid {
                reference,
                room_id,
                message_id,
                problem,
            }) => {
                vec![error(reference, room_id, message_id, *problem)]
            }
        }
    }

    /// A binary frame: none is spoken here.
    pub fn binary(&mut self) -> Vec<Action> {
        self.close(CloseCode::MalformedFrame)
    }

    pub fn pong(&mut self) {
        self.unanswered_pings = 0;
    }

    /// The client's session has ended.
    pub fn revoked(&mut self) -> Vec<Action> {
        self.close(CloseCode::TokenEnded)
    }

    /// The room is over for this socket: it left, was removed, or may not hear it.
    pub fn room_ended(&mut self, room: RoomId) {
        self.rooms.remove(&room);
    }

    /// What is due by now; [`Socket::wakes_at`] says when to call.
    pub fn tick(&mut self, now: Now) -> Vec<Action> {
        if self.closing {
            return Vec::new();
        }
        if now.wall >= self.actor.expires_at {
            return self.close(CloseCode::TokenEnded);
        }
        if now.ticks_ms < self.next_ping_ms {
            return Vec::new();
        }
        if self.unanswered_pings >= limits::MISSED_PONGS {
            return self.close(CloseCode::GoingAway);
        }
        self.unanswered_pings += 1;
        self.next_ping_ms = now.ticks_ms + self.settings.heartbeat.as_millis() as u64;
        vec![Action::Ping]
    }

    /// How long nothing is due.
    pub fn wakes_at(&self, now: Now) -> Duration {
        let ping = Duration::from_millis(self.next_ping_ms.saturating_sub(now.ticks_ms));
        ping.min(self.actor.expires_at.since(now.wall))
    }

    /// The answer to [`Action::Verify`].
    pub fn verified(&mut self, reference: Option<String>, token: Result<Actor, Problem>) -> Vec<Action> {
        match token {
            Err(problem) => vec![error(reference, None, None, problem)],
            Ok(actor) if actor.user_id != self.actor.user_id || actor.session_id != self.actor.session_id => {
                self.close(CloseCode::Forbidden)
            }
            Ok(actor) => {
                let expires_at = actor.expires_at;
                self.actor = actor;
                vec![reply(ServerFrame::Authenticated { reference, expires_at })]
            }
        }
    }

    fn request(&mut self, frame: ClientFrame, now: Now) -> Vec<Action> {
        let reference = frame.reference;
        match frame.request {
            Request::Join(join) => self.join(reference, join.rooms),
            Request::Leave(leave) => {
                self.rooms.remove(&leave.room_id);
                vec![Action::Leave {
                    reference,
                    room: leave.room_id,
                }]
            }
            Request::Send(send) => self.send(reference, send, now),
            // These have no answer by contract; their effects are not built yet.
            Request::Typing(_) | Request::Read(_) | Request::Presence(_) => Vec::new(),
            Request::Auth(auth) => vec![Action::Verify {
                reference,
                token: auth.access_token,
            }],
            Request::Ping => vec![reply(ServerFrame::Pong {
                reference,
                server_time: now.wall,
            })],
        }
    }

    fn join(&mut self, reference: Option<String>, rooms: Vec<common::frame::JoinRoom>) -> Vec<Action> {
        if let Err(problem) = self.actor.needs(Scope::Read) {
            return vec![error(reference, None, None, problem)];
        }
        let (mut taken, mut actions) = (Vec::new(), Vec::new());
        for room in rooms {
            if self.rooms.len() >= self.settings.limits.rooms_per_socket && !self.rooms.contains(&room.room_id) {
                let problem = Problem::forbidden("This socket has joined as many rooms as it may.");
                actions.push(error(reference.clone(), Some(room.room_id), None, problem));
            } else {
                self.rooms.insert(room.room_id);
                taken.push(room);
            }
        }
        if !taken.is_empty() {
            actions.push(Action::Join {
                reference,
                rooms: taken,
            });
        }
        actions
    }

    fn send(&mut self, reference: Option<String>, send: Send, now: Now) -> Vec<Action> {
        let (room, message) = (Some(send.room_id), Some(send.message_id));
        if let Err(wait_ms) = self.sends.take(now.ticks_ms) {
            return vec![error(reference, room, message, Problem::rate_limited(wait_ms))];
        }
        if let Err(problem) = self.actor.needs(Scope::Write) {
            return vec![error(reference, room, message, problem)];
        }
        vec![Action::Send {
            reference,
            send: Box::new(send),
        }]
    }

    fn close(&mut self, code: CloseCode) -> Vec<Action> {
        if std::mem::replace(&mut self.closing, true) {
            return Vec::new();
        }
        vec![Action::Close(code)]
    }
}

fn reply(frame: ServerFrame) -> Action {
    Action::Reply(Box::new(Reply(frame)))
}

fn error(
    reference: Option<String>,
    room_id: Option<RoomId>,
    message_id: Option<common::MessageId>,
    problem: Problem,
) -> Action {
    reply(ServerFrame::Error(ErrorFrame {
        reference,
        code: problem.code,
        detail: problem.detail,
        room_id,
        message_id,
        retry_after_ms: problem.retry_after_ms,
    }))
}
