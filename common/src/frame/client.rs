//! What clients say.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{LogId, MessageId, Problem, RoomId, Seq, UserId, event::Content, limits, room::Presence};

/// A room that a client wants to hear, from where it left off.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRoom {
    pub room_id: RoomId,
    #[serde(default)]
    pub after_seq: Option<Seq>,
    #[serde(default)]
    pub log_id: Option<LogId>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Join {
    pub rooms: Vec<JoinRoom>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Send {
    pub room_id: RoomId,
    pub message_id: MessageId,
    #[serde(flatten)]
    pub content: SentContent,
    #[serde(default)]
    pub reply_to: Option<MessageId>,
    #[serde(default)]
    pub mentions: Vec<UserId>,
    #[serde(default)]
    pub traceparent: Option<String>,
}

/// What can be sent: [`Content`] without the deleted one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct SentContent(pub Content);

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    message: Option<crate::text::Body>,
    #[serde(default)]
    envelope: Option<Box<crate::event::Envelope>>,
}

impl TryFrom<Fields> for SentContent {
    type Error = &'static str;
    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match (fields.message, fields.envelope) {
            (Some(body), None) => Ok(SentContent(Content::Message(body))),
            (None, Some(envelope)) => Ok(SentContent(Content::Envelope(envelope))),
            (None, None) => Err("needs `message` or `envelope`"),
            (Some(_), Some(_)) => Err("takes one of `message` and `envelope`, not both"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leave {
    pub room_id: RoomId,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Typing {
    pub room_id: RoomId,
    pub typing: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    pub room_id: RoomId,
    pub seq: Seq,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SetPresence {
    pub status: Presence,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    pub access_token: String,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth(…)")
    }
}

#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
pub struct ClientFrame {
    pub reference: Option<String>,
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
                    .is_none_or(|r| r.chars().count() <= limits::REF_CHARS) =>
            {
                reference
            }
            Some(_) => {
                return Err(invalid(
                    None,
                    &marks,
                    Problem::field("/ref", "must be a string of at most 64 characters"),
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
        match kind {
            "join" => {
                let join: Join = fields(text)?;
                if join.rooms.len() > limits::ROOMS_PER_JOIN {
                    return Err(Problem::field(
                        "/rooms",
                        format!("at most {} rooms in a join", limits::ROOMS_PER_JOIN),
                    ));
                }
                Ok(Request::Join(join))
            }
            "leave" => fields(text).map(Request::Leave),
            "send" => {
                let send: Send = fields(text)?;
                if send.mentions.len() > limits::MENTIONS {
                    return Err(Problem::field(
                        "/mentions",
                        format!("at most {} members", limits::MENTIONS),
                    ));
                }
                Ok(Request::Send(send))
            }
            "typing" => fields(text).map(Request::Typing),
            "read" => fields(text).map(Request::Read),
            "presence" => match fields::<SetPresence>(text)?.status {
                Presence::Offline => Err(Problem::field("/status", "must be `online` or `away`")),
                status => Ok(Request::Presence(SetPresence { status })),
            },
            "auth" => fields(text).map(Request::Auth),
            "ping" => Ok(Request::Ping),
            _ => Err(Problem::field("/type", "is no frame type that clients send")),
        }
    }
}

fn fields<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    const ROOM: &str = "0198c0de-7a2b-7c3d-8e4f-0123456789ab";

    #[test]
    fn what_is_no_frame_closes_the_socket() {
        for text in [
            "",
            "nonsense",
            "[]",
            "\"x\"",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"ping""#,
            r#"{"type":null}"#,
        ] {
            assert_eq!(ClientFrame::parse(text), Err(Rejected::Malformed), "{text}");
        }
    }

    #[test]
    fn bad_fields_are_told_with_what_could_be_read() {
        let text = format!(r#"{{"type":"send","ref":"7","roomId":"{ROOM}","messageId":"x","message":"hi"}}"#);
        let Err(Rejected::Invalid {
            reference,
            room_id,
            message_id,
            problem,
        }) = ClientFrame::parse(&text)
        else {
            panic!("taken: {text}");
        };
        assert_eq!((reference.as_deref(), message_id), (Some("7"), None));
        assert_eq!(room_id, Some(ROOM.parse().unwrap()));
        assert_eq!(problem.code, Code::InvalidRequest);
    }

    #[test]
    fn lone_surrogates_and_nul_are_bad_fields_not_bad_frames() {
        for message in [r"\ud800", r"a\u0000b", "   "] {
            let text = format!(r#"{{"type":"send","roomId":"{ROOM}","messageId":"{ROOM}","message":"{message}"}}"#);
            assert!(
                matches!(ClientFrame::parse(&text), Err(Rejected::Invalid { .. })),
                "{message}"
            );
        }
    }

    #[test]
    fn one_body_is_taken_and_unknown_fields_are_ignored() {
        let with = |rest: &str| {
            ClientFrame::parse(&format!(
                r#"{{"type":"send","roomId":"{ROOM}","messageId":"{ROOM}","new":[1]{rest}}}"#
            ))
        };
        assert!(matches!(
            with(r#","message":"hi""#),
            Ok(ClientFrame {
                request: Request::Send(_),
                ..
            })
        ));
        assert!(matches!(with(""), Err(Rejected::Invalid { .. })));
    }
}
