//! What comes over a socket.

use common::{LogId, RoomId, Seq, event::Event, frame::ServerFrame};
use serde::Deserialize;

/// A room is heard from here on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    #[serde(rename = "ref", default)]
    pub reference: String,
    pub room_id: RoomId,
    pub head_seq: Seq,
    pub log_id: LogId,
    pub events: Vec<Event>,
    pub truncated: bool,
}

#[derive(Debug, Clone)]
pub enum Frame {
    /// An entry of a log.
    Event(Box<Event>),
    Joined(Joined),
    Said(ServerFrame),
    /// Of a type that this client does not know, and ignores.
    Unknown,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
}

impl Frame {
    /// # Errors
    /// When it is no JSON object with a `type`, or has other fields than the contract says.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let head: Head = serde_json::from_str(text)?;
        Ok(match head.kind.as_ref() {
            "message" | "edited" | "deleted" | "reaction" | "member" | "room" => {
                Frame::Event(Box::new(serde_json::from_str(text)?))
            }
            "joined" => Frame::Joined(serde_json::from_str(text)?),
            "welcome" | "left" | "ack" | "authenticated" | "pong" | "error" | "draining" | "notice" | "typing"
            | "read" | "presence" => Frame::Said(serde_json::from_str(text)?),
            _ => Frame::Unknown,
        })
    }
}
