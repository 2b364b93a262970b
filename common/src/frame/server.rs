//! What clients hear besides the log's events.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Code, LogId, MessageId, RoomId, Seq, SessionId, Timestamp, UserId, WsId, limits, room::Presence};

/// The limits of a socket, told in `welcome`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SocketLimits {
    pub frame_bytes: usize,
    pub text_chars: usize,
    pub rooms_per_join: usize,
    pub rooms_per_socket: usize,
    pub frames_per_second: u32,
    pub frame_burst: u32,
    pub sends_per_second: u32,
    pub send_burst: u32,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            frame_bytes: limits::BODY_BYTES,
            text_chars: limits::MESSAGE_CHARS,
            rooms_per_join: limits::ROOMS_PER_JOIN,
            rooms_per_socket: limits::ROOMS_PER_SOCKET,
            frames_per_second: limits::FRAMES_PER_SECOND,
            frame_burst: limits::FRAME_BURST,
            sends_per_second: limits::SENDS_PER_SECOND,
            send_burst: limits::SEND_BURST,
        }
    }
}

/// An error on a socket, which stays open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorFrame {
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub code: Code,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<RoomId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What a gateway says besides the log's events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ServerFrame {
    /// The first frame.
    #[serde(rename_all = "camelCase")]
    Welcome {
        ws_id: WsId,
        user_id: UserId,
        session_id: SessionId,
        expires_at: Timestamp,
        heartbeat_seconds: u64,
        limits: SocketLimits,
    },
    /// The room from here on: comes before any live frame of it. Live is from `headSeq` + 1.
    #[serde(rename_all = "camelCase")]
    Joined {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        room_id: RoomId,
        head_seq: Seq,
        log_id: LogId,
        /// The events after `afterSeq` up to `headSeq`, as they were encoded once for everybody; none without `afterSeq`.
        #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::event::Event>))]
        events: Vec<Box<RawValue>>,
        /// Not all of them are here: fetch what lies between, or forget the room.
        truncated: bool,
    },
    /// Nothing more of the room comes on this socket.
    #[serde(rename_all = "camelCase")]
    Left {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        room_id: RoomId,
    },
    /// The message is committed and has its place in the log; it does not come as `message` on this socket.
    #[serde(rename_all = "camelCase")]
    Ack {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        room_id: RoomId,
        message_id: MessageId,
        seq: Seq,
        sent_at: Timestamp,
    },
    /// The new token is taken, and the socket ends with it.
    #[serde(rename_all = "camelCase")]
    Authenticated {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        expires_at: Timestamp,
    },
    /// The gateway is there.
    #[serde(rename_all = "camelCase")]
    Pong {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        server_time: Timestamp,
    },
    Error(ErrorFrame),
    /// This pod is leaving; reconnect after the delay.
    #[serde(rename_all = "camelCase")]
    Draining {
        /// In milliseconds.
        reconnect_after_ms: u64,
    },
    Notice(Notice),
    /// Somebody else in the room types, or has stopped; may be dropped under pressure.
    #[serde(rename_all = "camelCase")]
    Typing {
        room_id: RoomId,
        user_id: UserId,
        typing: bool,
    },
    /// A member has read up to here; may be dropped under pressure.
    #[serde(rename_all = "camelCase")]
    Read {
        room_id: RoomId,
        user_id: UserId,
        seq: Seq,
    },
    /// Somebody in a common joined room of at most 100 members is there, away or gone; may be dropped under pressure.
    #[serde(rename_all = "camelCase")]
    Presence {
        user_id: UserId,
        status: Presence,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    SessionRevoked,
    RoomAdded,
    RoomRemoved,
    DmCreated,
    KeyNeeded,
}

/// Something about the user rather than about a room's log; may be missed while away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    pub kind: NoticeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<RoomId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
}

macro_rules! close_codes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $number:literal),* $(,)?) => {
        /// Why a socket closes: RFC 6455, section 7.4.1, and the contract's own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum CloseCode { $($(#[doc = $meaning])+ $name),* }

        impl CloseCode {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number),* }
            }

            /// What it tells a client.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii_start()),* }
            }
        }
    };
}

close_codes! {
    /// Going away: reconnect and join anew.
    GoingAway = 1001,
    /// A frame that RFC 6455 does not allow.
    ProtocolError = 1002,
    /// A text that is not UTF-8.
    NotUtf8 = 1007,
    /// A frame above `limits.frameBytes`.
    TooBig = 1009,
    /// Not JSON, no object, without a string `type`, or binary.
    MalformedFrame = 4400,
    /// The token has expired, or its session is revoked: log in or refresh first.
    TokenEnded = 4401,
    /// A token of another user or session.
    Forbidden = 4403,
    /// Too slow to read: reconnect and resume.
    TooSlow = 4408,
    /// More frames than `limits.framesPerSecond` allows.
    TooManyFrames = 4429,
    /// This pod has shut down: reconnect.
    ShuttingDown = 4503,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_comes_first() {
        let frame = ServerFrame::Pong {
            reference: None,
            server_time: Timestamp(0),
        };
        let text = serde_json::to_string(&frame).unwrap();
        assert_eq!(text, r#"{"type":"pong","serverTime":"1970-01-01T00:00:00.000Z"}"#);
    }
}
