//! What the bus says, to whom it concerns.

use std::sync::{Arc, atomic::Ordering};

use bus::{Delivery, Payload, Subscription, Topic, announcement::Signal};
use common::{
    RoomId, UserId,
    frame::{Notice, NoticeKind, ServerFrame},
};

use super::Gateway;
use crate::reads::Audience;

impl Gateway {
    pub(super) async fn listen(self: Arc<Self>, mut subscription: Box<dyn Subscription>) {
        subscription.topics().subscribe(&[Topic::Gateways]).await;
        loop {
            match subscription.next().await {
                Delivery::Away => {
                    self.alone.store(true, Ordering::Release);
                    self.compare_now.notify_one();
                }
                Delivery::ContinuityLost => {
                    self.alone.store(false, Ordering::Release);
                    self.compare_now.notify_one();
                    self.attendance.continuity_lost(&self.rooms);
                }
                Delivery::Message { topic, payload } => self.heard(topic, Payload::decode(&payload)),
            }
        }
    }

    fn heard(&self, topic: Topic, payload: Option<Payload>) {
        match (topic, payload) {
            (Topic::Room(room), Some(Payload::Event(event))) if event.room_id() == room => {
                self.rooms.announced(room, event);
            }
            (Topic::Room(room), Some(Payload::Signal(signal))) => self.heard_in_room(room, signal),
            (Topic::User(user), Some(Payload::Signal(signal))) => self.heard_of_user(user, signal),
            (Topic::Gateways, Some(Payload::Signal(Signal::Whereabouts { users }))) => {
                self.attendance.heard_everywhere(&self.rooms, users);
            }
            // Of a later release, or nothing that this gateway passes on.
            _ => {}
        }
    }

    fn heard_in_room(&self, room: RoomId, signal: Signal) {
        let rooms = &self.rooms;
        match signal {
            Signal::Typing {
                user_id, typing: true, ..
            } => rooms.types(room, user_id),
            Signal::Typing {
                user_id, typing: false, ..
            } => rooms.stops_typing(room, user_id),
            Signal::Read { user_id, seq, .. } => self.reads.heard(rooms, Audience::Others, room, user_id, seq),
            Signal::Presence { user_id, status } => self.attendance.heard(rooms, room, user_id, status),
            Signal::Roster { users, .. } => self.attendance.heard_roster(rooms, room, users),
            Signal::RollCall { gateway_id, users, .. } => {
                self.attendance.heard_roster(rooms, room, users);
                self.attendance.called(rooms, room, gateway_id);
            }
            Signal::Notice(_) | Signal::Whereabouts { .. } => {}
        }
    }

    fn heard_of_user(&self, user: UserId, signal: Signal) {
        match signal {
            Signal::Notice(notice) => self.notice(user, notice),
            Signal::Read {
                room_id, user_id, seq, ..
            } if user_id == user => {
                self.reads.heard(&self.rooms, Audience::Reader, room_id, user, seq);
            }
            _ => {}
        }
    }

    fn notice(&self, user: UserId, notice: Notice) {
        if notice.kind == NoticeKind::SessionRevoked {
            if let Some(session) = notice.session_id {
                self.admission.ended(session);
            }
            return self.end_sockets(user, &notice);
        }
        let frame = ServerFrame::Notice(notice);
        for (_, outbox) in self.users.of(user) {
            outbox.answer(&frame);
        }
    }
}
