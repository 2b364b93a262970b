//! What a run recorded: what each socket wrote and heard, in its order, and the logs as they stood at the end.

pub use chat_client::core::Joined;
use common::{
    Code, LogId, MessageId, RoomId, Seq, UserId,
    event::{Content, Event},
};
use serde_json::Value;

/// What a client wrote on a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Wrote {
    Send {
        reference: String,
        room: RoomId,
        message: MessageId,
    },
    Join {
        reference: String,
        room: RoomId,
        after: Option<Seq>,
        log: Option<LogId>,
    },
    Leave {
        room: RoomId,
    },
}

/// What a client received on a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Got {
    Joined(Joined),
    Event(Box<Event>),
    Ack {
        reference: String,
        room: RoomId,
        message: MessageId,
        seq: Seq,
    },
    Refused {
        reference: String,
        room: Option<RoomId>,
        code: Code,
    },
    Left {
        room: RoomId,
    },
    /// Something of a room that has no `seq`.
    Ephemeral {
        room: RoomId,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Wrote(Wrote),
    Got(Got),
}

/// How a socket was when the run was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Still open, with all faults over: everything must have been answered.
    Open,
    Closed,
}

#[derive(Debug, Clone)]
pub struct SocketHistory {
    pub name: String,
    /// With the milliseconds since the run began.
    pub entries: Vec<(u64, Entry)>,
    pub ended: Ended,
}

/// A place of a client's view.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    Event(Box<Event>),
    /// The client's own message, known by its `ack`.
    Own(MessageId),
}

/// A room as a client knew it at the end.
#[derive(Debug, Clone)]
pub struct View {
    pub room: RoomId,
    /// The places that are known, after `base`.
    pub base: Seq,
    pub places: std::collections::BTreeMap<Seq, Held>,
    /// The client last heard `joined`, and no end of its membership.
    pub is_in: bool,
    /// Sends that never got a final answer.
    pub unacked: Vec<MessageId>,
}

#[derive(Debug, Clone)]
pub struct DeviceHistory {
    pub name: String,
    pub user: UserId,
    pub sockets: Vec<SocketHistory>,
    pub views: Vec<View>,
}

/// A send over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    pub user: UserId,
    pub room: RoomId,
    pub message: MessageId,
    /// Where it stands, if it was answered so.
    pub seq: Option<Seq>,
}

/// A read over HTTP that began after something was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    pub room: RoomId,
    pub acked: Seq,
    /// The newest message that it showed.
    pub newest: Option<Seq>,
}

/// A room's log at the end.
#[derive(Debug, Clone)]
pub struct RoomLog {
    pub room: RoomId,
    pub log: LogId,
    pub events: Vec<Event>,
}

#[derive(Debug, Clone)]
pub struct History {
    pub seed: u64,
    pub rooms: Vec<RoomLog>,
    pub devices: Vec<DeviceHistory>,
    pub posted: Vec<Posted>,
    pub reads: Vec<Read>,
}

impl History {
    pub fn room(&self, room: RoomId) -> Option<&RoomLog> {
        self.rooms.iter().find(|log| log.room == room)
    }
}

impl RoomLog {
    pub fn head(&self) -> Seq {
        self.events.last().map_or(Seq::ZERO, Event::seq)
    }

    /// What stands at a place; the log begins with 1.
    pub fn at(&self, seq: Seq) -> Option<&Event> {
        let place = usize::try_from(seq.get().checked_sub(1)?).ok()?;
        self.events.get(place).filter(|event| event.seq() == seq)
    }

    /// Who is in the room after each of its events, as the log tells it.
    pub fn memberships(&self) -> Vec<std::collections::BTreeSet<UserId>> {
        let mut members = std::collections::BTreeSet::new();
        let after = |event: &Event| {
            match event {
                Event::Room(_) => members.extend(first_members(event)),
                Event::Member(member) if member.change.ends_membership() => {
                    members.remove(&member.user_id);
                }
                Event::Member(member) => {
                    members.insert(member.user_id);
                }
                Event::Message(_) | Event::Edited(_) | Event::Deleted(_) | Event::Reaction(_) => {}
            }
            members.clone()
        };
        self.events.iter().map(after).collect()
    }
}

/// Whom a room was made with, as its first event says.
pub fn first_members(event: &Event) -> Vec<UserId> {
    let Event::Room(event) = event else { return Vec::new() };
    let listed = event.room.get("members").and_then(Value::as_array);
    let user = |member: &Value| member["userId"].as_str()?.parse().ok();
    listed.into_iter().flatten().filter_map(user).collect()
}

/// Whether two sights of an event agree: what only live frames carry is not compared, nor a content that was deleted
/// between them.
pub fn agree(seen: &Event, stands: &Event) -> bool {
    let bare = |event: &Event, deleted: bool| {
        let mut event = event.clone();
        match &mut event {
            Event::Message(message) => {
                message.ws_id = None;
                message.traceparent = None;
                if deleted {
                    message.content = Content::Deleted(true);
                }
            }
            Event::Edited(edited) if deleted => edited.content = Content::Deleted(true),
            _ => {}
        }
        event
    };
    let deleted = match stands {
        Event::Message(message) => message.content == Content::Deleted(true),
        Event::Edited(edited) => edited.content == Content::Deleted(true),
        _ => false,
    };
    bare(seen, deleted) == bare(stands, deleted)
}
