//! What a socket decided, done.

use std::collections::VecDeque;

use common::{
    RoomId,
    frame::{CloseCode, ServerFrame},
    limits,
    room::Presence,
};
use db_api::types::Draft;

use super::Running;
use crate::{feed::Send, socket::Action};

impl Running<'_> {
    /// Does what the socket decided.
    ///
    /// # Errors
    /// The code with which it has to end.
    pub(super) async fn act(&mut self, actions: Vec<Action>) -> Result<(), CloseCode> {
        let mut queue: VecDeque<Action> = actions.into();
        while let Some(action) = queue.pop_front() {
            let connection = self.connection;
            let (gateway, ws) = (&connection.gateway, connection.ws);
            match action {
                Action::Reply(reply) => connection.outbox.answer(&reply.0),
                Action::Join { reference, rooms } => {
                    for room in &rooms {
                        self.concerns(room.room_id)?;
                        gateway.rooms.joins_anew(ws, room.room_id);
                    }
                    self.joins.add(self.socket.actor(), reference, rooms)?;
                }
                Action::Leave { reference, room } => {
                    self.joins.cancel(room);
                    gateway.rooms.leave(ws, room);
                    connection.outbox.answer(&ServerFrame::Left {
                        reference,
                        room_id: room,
                    });
                }
                Action::Send { reference, send } => self.send(reference, *send)?,
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
                    let verified = Box::pin(gateway.verifier.verify(&token)).await;
                    queue.extend(self.socket.verified(reference, verified));
                }
                Action::Ping => connection.outbox.ping(),
                Action::Close(code) => return Err(code),
            }
        }
        Ok(())
    }

    /// Notes a room that is going to know of this socket.
    fn concerns(&mut self, room: RoomId) -> Result<(), CloseCode> {
        if self.rooms.len() >= limits::ROOMS_CONCERNED && !self.rooms.contains(&room) {
            let (rooms, socket, ws) = (&self.connection.gateway.rooms, &self.socket, self.connection.ws);
            self.rooms
                .retain(|room| socket.asked_for(*room) || rooms.know(*room, ws));
            if self.rooms.len() >= limits::ROOMS_CONCERNED {
                return Err(CloseCode::TooManyFrames);
            }
        }
        self.rooms.insert(room);
        Ok(())
    }

    /// Says how the user is by this socket.
    pub(super) fn be(&self, status: Presence) {
        let connection = self.connection;
        let attendance = &connection.gateway.attendance;
        attendance.set(connection.actor.user_id, connection.ws, status);
    }

    fn send(&mut self, reference: Option<String>, send: common::frame::Send) -> Result<(), CloseCode> {
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
        self.concerns(room)?;
        self.connection.gateway.rooms.send(
            room,
            Send {
                ws,
                listener: self.connection.outbox.clone(),
                reference,
                draft,
            },
        );
        Ok(())
    }
}
