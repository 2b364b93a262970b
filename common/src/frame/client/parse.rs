//! A client's text, taken as a frame or refused.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Auth, Join, Leave, Read, Send, SetPresence, Typing};
use crate::{MessageId, Problem, RoomId, event::mentioned, limits, room::Presence};

words! {
    /// The frame types that clients send.
    RequestType {
        Join = "join",
        Leave = "leave",
        Send = "send",
        Typing = "typing",
        Read = "read",
        Presence = "presence",
        Auth = "auth",
        Ping = "ping",
    }
}

/// What a client says. Made by hand when it is read, so that a fault names its field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Request {
    Join(Join),
    Leave(Leave),
    Send(Send),
    Typing(Typing),
    Read(Read),
    Presence(SetPresence),
    Auth(Auth),
    Ping,
}

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientFrame {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(flatten)]
    pub request: Request,
}

/// Why a client's frame can't be taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Rejected {
    /// Not JSON, no object, or without a string `type`: the socket closes with 4400.
    Malformed,
    /// An unknown `type` or bad fields: an `error` frame, and the socket stays.
    Invalid {
        reference: Option<String>,
        room_id: Option<RoomId>,
        message_id: Option<MessageId>,
        problem: Box<Problem>,
    },
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
}

/// Fields that an `error` frame repeats when they can be read; each may be broken by itself.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Marks<'a> {
    #[serde(rename = "ref", borrow, default)]
    reference: Option<&'a RawValue>,
    #[serde(borrow, default)]
    room_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message_id: Option<&'a RawValue>,
}

fn read<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

impl ClientFrame {
    /// # Errors
    /// [`Rejected`] says whether the socket survives it.
    pub fn parse(text: &str) -> Result<Self, Rejected> {
        // Postgres and JSON strings take U+0000 differently; the contract refuses it wherever text is stored, which the
        // text types do. Here only the shape is looked at.
        if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
            return Err(Rejected::Malformed);
        }
        let head: Head = serde_json::from_str(text).map_err(|_| Rejected::Malformed)?;
        let marks: Marks = serde_json::from_str(text).unwrap_or_default();
        let reference = match marks
            .reference
            .map(|raw| serde_json::from_str::<Option<String>>(raw.get()))
        {
            None => None,
            Some(Ok(reference))
                if reference
                    .as_ref()
                    .is_none_or(|r| r.chars().count() <= limits::REF_CHARS && !r.contains('\0')) =>
            {
                reference
            }
            Some(_) => {
                return Err(invalid(
                    None,
                    &marks,
                    Problem::field("/ref", "must be a string of at most 64 characters, none of them U+0000"),
                ));
            }
        };
        match Request::parse(&head.kind, text) {
            Ok(request) => Ok(ClientFrame { reference, request }),
            Err(problem) => Err(invalid(reference, &marks, problem)),
        }
    }
}

fn invalid(reference: Option<String>, marks: &Marks<'_>, problem: Problem) -> Rejected {
    Rejected::Invalid {
        reference,
        room_id: read(marks.room_id),
        message_id: read(marks.message_id),
        problem: Box::new(problem),
    }
}

impl Request {
    fn parse(kind: &str, text: &str) -> Result<Self, Problem> {
        let Some(kind) = RequestType::parse(kind) else {
            return Err(Problem::field("/type", "is no frame type that clients send"));
        };
        match kind {
            RequestType::Join => {
                let join: Join = fields(text)?;
                if join.rooms.len() > limits::ROOMS_PER_JOIN {
                    return Err(Problem::field(
                        "/rooms",
                        format!("at most {} rooms in a join", limits::ROOMS_PER_JOIN),
                    ));
                }
                Ok(Request::Join(join))
            }
            RequestType::Leave => fields(text).map(Request::Leave),
            RequestType::Send => {
                let mut send: Send = fields(text)?;
                send.mentions = mentioned(send.mentions)?;
                Ok(Request::Send(send))
            }
            RequestType::Typing => fields(text).map(Request::Typing),
            RequestType::Read => fields(text).map(Request::Read),
            RequestType::Presence => match fields::<SetPresence>(text)?.status {
                Presence::Offline => Err(Problem::field("/status", "must be `online` or `away`")),
                status => Ok(Request::Presence(SetPresence { status })),
            },
            RequestType::Auth => fields(text).map(Request::Auth),
            RequestType::Ping => Ok(Request::Ping),
        }
    }
}

fn fields<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::invalid(error.to_string()))
}
