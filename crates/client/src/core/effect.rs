//! What a core has to say, and what it wants done.

use common::{
    LogId, MessageId, RoomId, Seq, Timestamp,
    event::{Event, MessageEvent},
    frame::{ErrorFrame, Send},
    room::User,
};

/// The client's own message, by its `ack`: its event does not come on the socket that sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    pub room: RoomId,
    pub seq: Seq,
    pub message: MessageId,
    pub sent_at: Timestamp,
    /// What was written, unless it was settled before; another's text may stand in the log under the same id.
    pub draft: Option<Send>,
}

impl Own {
    /// The event as others see it, as far as it is known what was written.
    pub fn event(self, me: &User) -> Option<Event> {
        let draft = self.draft?;
        Some(Event::Message(MessageEvent {
            room_id: self.room,
            seq: self.seq,
            message_id: self.message,
            sender_id: me.id,
            sender_name: me.display_name.as_str().to_owned(),
            content: draft.content.0,
            reply_to: draft.reply_to,
            mentions: draft.mentions,
            sent_at: self.sent_at,
            ws_id: None,
            traceparent: None,
        }))
    }
}

/// A place of a room's log.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    Event(Box<Event>),
    Own(Box<Own>),
}

impl Place {
    pub fn seq(&self) -> Seq {
        match self {
            Place::Event(event) => event.seq(),
            Place::Own(own) => own.seq,
        }
    }
}

/// Why events are missing, which says how soon they are worth a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A `joined` was truncated: nobody else brings them.
    Truncated,
    /// An `ack` came before what stands below it; the socket brings that soon.
    Overtaken,
    /// A page came, and more is missing.
    More,
    /// A page did not come, or brought nothing.
    Unread,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The log is known from behind this place on; what was shown of the room before is void, unless it goes on there.
    Begins { room: RoomId, after: Seq },
    /// The next place of a log.
    Shown { room: RoomId, place: Place },
    /// A message of the client is committed at its place, or refused for good.
    Settled {
        room: RoomId,
        message: MessageId,
        outcome: Result<Seq, Box<ErrorFrame>>,
    },
    /// A `join` was refused.
    NotJoined { room: RoomId, error: Box<ErrorFrame> },
    /// The membership has ended, or the room.
    Ended { room: RoomId },
    /// Call [`again`](super::Core::again), then write what it has, no sooner than the server asks.
    Again { room: RoomId, after_ms: u64 },
    /// Call [`fetch`](super::Core::fetch).
    Fetch { room: RoomId, why: Why },
    /// Join the room anew: its log is another one now.
    Rejoin { room: RoomId },
}

/// Events of a room as `/events` answers them.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    pub items: Vec<Event>,
    pub head_seq: Seq,
    pub log_id: LogId,
    /// Whether more stand behind the last one.
    pub has_more: bool,
}
