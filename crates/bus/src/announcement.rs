//! What is published: the frames that clients will get, with a version. Readers ignore fields and types that they don't
//! know (consistency rule 17).

use bytes::Bytes;
use common::{GatewayId, RoomId, Seq, UserId, event::Event, frame::Notice, room::Presence};
use serde::{Deserialize, Serialize};

use crate::{Topic, Whereabouts};

/// Version of the payloads.
pub const VERSION: u32 = 1;

/// Something that has no `seq` and may be dropped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Signal {
    Typing {
        room_id: RoomId,
        user_id: UserId,
        typing: bool,
    },
    Read {
        room_id: RoomId,
        user_id: UserId,
        seq: Seq,
    },
    Presence {
        user_id: UserId,
        status: Presence,
    },
    Notice(Notice),
    /// Whom a gateway has in a room. Between gateways; clients hear `presence`.
    Roster {
        room_id: RoomId,
        users: Whereabouts,
    },
    /// The same from a gateway that begins to hear the room, to be answered by the others with theirs.
    RollCall {
        room_id: RoomId,
        gateway_id: GatewayId,
        users: Whereabouts,
    },
    /// How the users are of a gateway that is gone, for every gateway that has shown them.
    Whereabouts {
        users: Whereabouts,
    },
}

/// The content of a publication.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Payload {
    Event(Event),
    Signal(Signal),
}

#[derive(Serialize)]
struct Versioned<'a> {
    #[serde(flatten)]
    payload: &'a Payload,
    v: u32,
}

impl Payload {
    pub fn encode(&self) -> Bytes {
        // Events and signals are plain structs: they always serialise.
        serde_json::to_vec(&Versioned {
            payload: self,
            v: VERSION,
        })
        .unwrap_or_default()
        .into()
    }

    /// `None` for what a later release says and this one doesn't know.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// A payload on its topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    pub topic: Topic,
    pub payload: Payload,
}

impl Announcement {
    /// A durable event, to its room.
    pub fn event(event: Event) -> Self {
        Self {
            topic: Topic::Room(event.room_id()),
            payload: Payload::Event(event),
        }
    }

    pub fn notice(user: UserId, notice: Notice) -> Self {
        Self {
            topic: Topic::User(user),
            payload: Payload::Signal(Signal::Notice(notice)),
        }
    }

    /// What is no part of the log, on the topic that it concerns.
    pub fn signal(topic: Topic, signal: Signal) -> Self {
        Self {
            topic,
            payload: Payload::Signal(signal),
        }
    }

    pub fn encoded(&self) -> (Topic, Bytes) {
        (self.topic, self.payload.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::frame::NoticeKind;

    #[test]
    fn payloads_are_the_frames_with_a_version() {
        let notice = Notice {
            kind: NoticeKind::RoomAdded,
            room_id: None,
            session_id: None,
        };
        let payload = Payload::Signal(Signal::Notice(notice));
        let bytes = payload.encode();
        assert_eq!(bytes, r#"{"type":"notice","kind":"room-added","v":1}"#);
        assert_eq!(Payload::decode(&bytes), Some(payload));
        assert_eq!(Payload::decode(br#"{"type":"hologram","v":2}"#), None);
        let id = uuid::Uuid::from_u128(1);
        let roster = Payload::Signal(Signal::Roster {
            room_id: RoomId(id),
            users: Whereabouts::from([(UserId(id), Presence::Away)]),
        });
        assert_eq!(Payload::decode(&roster.encode()), Some(roster));
    }
}
