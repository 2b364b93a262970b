//! What a device makes of a frame.

use common::{MessageId, RoomId, Seq, event::Event};
use serde_json::Value;
use tokio::time::Instant;

use super::{Device, view::Standing};
use crate::history::{Entry, Got, Joined};

fn read<T: serde::de::DeserializeOwned>(frame: &Value, field: &str) -> Option<T> {
    T::deserialize(frame.get(field)?).ok()
}

/// A frame as it is recorded; `None` for those that say nothing of a room.
fn parse(frame: &Value) -> Option<Got> {
    let reference = || read::<String>(frame, "ref").unwrap_or_default();
    match frame["type"].as_str()? {
        "joined" => Some(Got::Joined(Joined {
            reference: reference(),
            room: read(frame, "roomId")?,
            head: read(frame, "headSeq")?,
            log: read(frame, "logId")?,
            events: read(frame, "events")?,
            truncated: read(frame, "truncated")?,
        })),
        "ack" => Some(Got::Ack {
            reference: reference(),
            room: read(frame, "roomId")?,
            message: read(frame, "messageId")?,
            seq: read(frame, "seq")?,
        }),
        "error" => Some(Got::Refused {
            reference: reference(),
            room: read(frame, "roomId"),
            code: read(frame, "code")?,
        }),
        "left" => Some(Got::Left {
            room: read(frame, "roomId")?,
        }),
        "typing" | "read" => Some(Got::Ephemeral {
            room: read(frame, "roomId")?,
        }),
        "message" | "edited" | "deleted" | "reaction" | "member" | "room" => {
            Some(Got::Event(Box::new(serde_json::from_value(frame.clone()).ok()?)))
        }
        _ => None,
    }
}

impl Device {
    pub fn hear(&mut self, text: &str) {
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            return self.lost();
        };
        let Some(got) = parse(&frame) else { return };
        self.record(Entry::Got(got.clone()));
        match got {
            Got::Joined(joined) => self.joined(&joined),
            Got::Event(event) => self.event(&event),
            Got::Ack {
                reference,
                room,
                message,
                seq,
            } => self.acked(&reference, room, message, seq),
            Got::Refused { reference, room, code } => self.refused(&reference, room, &code),
            Got::Left { .. } | Got::Ephemeral { .. } => {}
        }
    }

    fn joined(&mut self, joined: &Joined) {
        let wait = self.chance.millis(0..50);
        let Some(view) = self.rooms.get_mut(&joined.room) else {
            return;
        };
        let Standing::Joining {
            reference: asked,
            resumes,
        } = &view.standing
        else {
            return;
        };
        if *asked != joined.reference {
            return;
        }
        if !resumes || (joined.truncated && joined.events.is_empty()) {
            view.begin(joined.head, joined.log);
        } else if view.resumes_from().is_none() {
            view.begin(Seq::ZERO, joined.log);
        }
        view.standing = Standing::In;
        joined.events.iter().for_each(|event| view.event(event));
        if joined.truncated && view.has_gap() {
            view.fetch_at = Some(Instant::now() + wait);
        }
    }

    fn event(&mut self, event: &Event) {
        let wait = self.chance.millis(100..1500);
        let user = self.actor.user_id;
        let Some(view) = self.rooms.get_mut(&event.room_id()) else {
            return;
        };
        view.event(event);
        let over = matches!(event, Event::Member(member)
            if member.user_id == user && member.change.ends_membership());
        if over {
            view.standing = Standing::Out;
            view.join_at = Some(Instant::now() + wait);
        }
    }

    fn acked(&mut self, reference: &str, room: RoomId, message: MessageId, seq: Seq) {
        let Some(view) = self.rooms.get_mut(&room) else { return };
        view.outbox.acked(reference, message);
        view.own(seq, message);
    }

    fn refused(&mut self, reference: &str, room: Option<RoomId>, code: &str) {
        let (soon, later) = (self.chance.millis(5..400), self.chance.millis(100..1500));
        let now = Instant::now();
        let Some(view) = room.and_then(|room| self.rooms.get_mut(&room)) else {
            return;
        };
        let joining = matches!(&view.standing, Standing::Joining { reference: asked, .. } if asked == reference);
        if joining {
            view.standing = Standing::Out;
            view.join_at = Some(now + later);
        } else if code == "unavailable" {
            view.outbox.unavailable(reference);
            if view.outbox.is_held() {
                view.again_at.get_or_insert(now + soon);
            }
        } else {
            view.outbox.refused(reference);
        }
    }
}
