//! What clients ask for, by frame type.

use common::{
    Problem, RoomId,
    frame::{ClientFrame, ErrorFrame, Request, Send, ServerFrame, Typing},
    token::Scope,
};

use super::{Action, Now, Reply, Socket};

impl Socket {
    pub(super) fn request(&mut self, frame: ClientFrame, now: Now) -> Vec<Action> {
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
            Request::Typing(typing) => self.typing(reference, typing, now),
            Request::Read(read) => self.writing(reference, Some(read.room_id), Action::Read(read)),
            Request::Presence(presence) => self.writing(reference, None, Action::Presence(presence.status)),
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

    pub(super) fn join(&mut self, reference: Option<String>, rooms: Vec<common::frame::JoinRoom>) -> Vec<Action> {
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

    /// Only where it is heard, and no faster than people type; what is above has no answer, as none of it has.
    fn typing(&mut self, reference: Option<String>, typing: Typing, now: Now) -> Vec<Action> {
        let room = typing.room_id;
        if !self.rooms.contains(&room) || self.typing.take(now.ticks_ms).is_err() {
            return Vec::new();
        }
        let action = if typing.typing {
            Action::Typing { room }
        } else {
            Action::Silent { room }
        };
        self.writing(reference, Some(room), action)
    }

    /// What takes the right to write.
    fn writing(&self, reference: Option<String>, room: Option<RoomId>, action: Action) -> Vec<Action> {
        match self.actor.needs(Scope::Write) {
            Ok(()) => vec![action],
            Err(problem) => vec![error(reference, room, None, problem)],
        }
    }
}

pub(super) fn reply(frame: ServerFrame) -> Action {
    Action::Reply(Box::new(Reply(frame)))
}

/// What was asked for is refused.
pub fn error(
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
