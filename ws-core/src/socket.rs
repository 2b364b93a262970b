//! A connection's protocol as a state machine without I/O (contract, section 5): what the client wrote and a clock in,
//! actions out. Rooms, tokens and the network are around it.

mod requests;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, time::Duration};

use common::{
    Problem, RoomId, Timestamp, WsId,
    bucket::{Bucket, Rate},
    frame::{ClientFrame, CloseCode, Read, Rejected, Send, ServerFrame, SocketLimits},
    limits,
    room::Presence,
    token::{Actor, Scope},
};

pub use requests::error;
use requests::reply;

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
    /// The user types.
    Typing {
        room: RoomId,
    },
    /// The user has stopped.
    Silent {
        room: RoomId,
    },
    Read(Read),
    Presence(Presence),
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
    typing: Bucket,
    /// Rooms that were asked for and not left.
    rooms: HashSet<RoomId>,
    next_ping_ms: u64,
    unanswered_pings: u32,
    closing: bool,
}

impl Socket {
    /// A fresh socket of a verified caller, and its first frame.
    pub fn open(ws: WsId, actor: Actor, settings: Settings, now: Now) -> (Self, Action) {
        let told = &settings.limits;
        let rate = |per_second, burst| Rate { per_second, burst };
        let welcome = ServerFrame::Welcome {
            ws_id: ws,
            user_id: actor.user_id,
            session_id: actor.session_id,
            expires_at: actor.expires_at,
            heartbeat_seconds: settings.heartbeat.as_secs(),
            limits: told.clone(),
        };
        let socket = Self {
            ws,
            frames: Bucket::full(rate(told.frames_per_second, told.frame_burst), now.ticks_ms),
            sends: Bucket::full(rate(told.sends_per_second, told.send_burst), now.ticks_ms),
            typing: Bucket::full(rate(limits::TYPING_PER_SECOND, limits::TYPING_BURST), now.ticks_ms),
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

    pub fn asked_for(&self, room: RoomId) -> bool {
        self.rooms.contains(&room)
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
                let mut actions = vec![reply(ServerFrame::Authenticated { reference, expires_at })];
                if self.actor.needs(Scope::Read).is_err() {
                    let left = |room| Action::Leave { reference: None, room };
                    actions.extend(self.rooms.drain().map(left));
                }
                actions
            }
        }
    }

    fn close(&mut self, code: CloseCode) -> Vec<Action> {
        if std::mem::replace(&mut self.closing, true) {
            return Vec::new();
        }
        vec![Action::Close(code)]
    }
}
