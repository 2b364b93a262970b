//! What a socket decided, done.

use std::collections::VecDeque;

use common::{
    Problem, RoomId,
    frame::{CloseCode, JoinRoom, ServerFrame},
    limits,
    room::Presence,
};
use db_api::types::Draft;

use super::Running;
use crate::{
    feed::Send,
    socket::{Action, error},
};

impl Running<'_> {
    /// Does what the socket decided; with a code when it has to end.
    pub(super) async fn act(&mut self, actions: Vec<Action>) -> Option<CloseCode> {
        let mut queue: VecDeque<Action> = actions.into();
        while let Some(action) = queue.pop_front() {
            let connection = self.connection;
            let (gateway, ws) = (&connection.gateway, connection.ws);
            match action {
                Action::Reply(reply) => connection.outbox.answer(&reply.0),
                Action::Join { reference, rooms } => queue.extend(self.join(reference, rooms)),
                Action::Leave { reference, room } => {
                    self.joins.cancel(room);
                    gateway.rooms.leave(ws, room);
                    connection.outbox.answer(&ServerFrame::Left {
                        reference,
                        room_id: room,
                    });
                }
                Action::Send { reference, send } => queue.extend(self.send(reference, *send)),
                Action::Typing { room } => {
                    // What was asked for may not be joined yet, or no longer.
                    if gateway.rooms.has_joined(room, ws) {
                        let user = connection.actor.user_id;
                        gateway.typists.types(&gateway.rooms, room, user, ws);
                    }
                }
                Action::Silent { room } => gateway.typists.silenced(room, ws),
                Action::Read(read) => self.markers.add(self.socket.actor(), read.room_id, read.seq),
                Action::Presence(status) => self.be(status),
                Action::Verify { reference, token } => {
                    // Boxed, as what a socket seldom does would else take room in every idle one's task.
                    let verified = Box::pin(gateway.admit(&token)).await;
                    queue.extend(self.socket.verified(reference, verified));
                }
                Action::Ping => connection.outbox.ping(),
                Action::Close(code) => return Some(code),
            }
        }
        None
    }

    /// Notes a room that is going to know of this socket, unless too many do.
    fn concerns(&mut self, room: RoomId) -> bool {
        if self.rooms.contains(&room) {
            return true;
        }
        if self.rooms.len() >= limits::ROOMS_CONCERNED {
            let (rooms, socket, ws) = (&self.connection.gateway.rooms, &self.socket, self.connection.ws);
            self.rooms
                .retain(|room| socket.asked_for(*room) || rooms.know(*room, ws));
        }
        self.rooms.len() < limits::ROOMS_CONCERNED && self.rooms.insert(room)
    }

    /// Opens the rooms, but for those that have to be asked for once others are answered.
    fn join(&mut self, reference: Option<String>, mut rooms: Vec<JoinRoom>) -> Vec<Action> {
        let (gateway, ws) = (self.connection.gateway.clone(), self.connection.ws);
        let mut places = self.joins.places();
        let mut refused = Vec::new();
        rooms.retain(|JoinRoom { room_id, .. }| {
            let taken = places > 0 && self.concerns(*room_id);
            if taken {
                places -= 1;
                gateway.rooms.joins_anew(ws, *room_id);
            } else {
                if !gateway.rooms.know(*room_id, ws) {
                    self.socket.room_ended(*room_id);
                }
                refused.push(error(reference.clone(), Some(*room_id), None, later()));
            }
            taken
        });
        if !rooms.is_empty() {
            self.joins.add(self.socket.actor(), reference, rooms);
        }
        refused
    }

    /// Says how the user is by this socket.
    pub(super) fn be(&self, status: Presence) {
        let connection = self.connection;
        let attendance = &connection.gateway.attendance;
        attendance.set(connection.actor.user_id, connection.ws, status);
    }

    fn send(&mut self, reference: Option<String>, send: common::frame::Send) -> Option<Action> {
        let (room, ws) = (send.room_id, self.connection.ws);
        if !self.concerns(room) {
            return Some(error(reference, Some(room), Some(send.message_id), later()));
        }
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
        self.connection.gateway.rooms.send(
            room,
            Send {
                ws,
                listener: self.connection.outbox.clone(),
                reference,
                draft,
            },
        );
        None
    }
}

/// Until what this socket has asked for is answered.
fn later() -> Problem {
    Problem::rate_limited(1_000)
}
