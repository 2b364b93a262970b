//! What clients hear besides the log's events.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Code, LogId, MessageId, RoomId, Seq, SessionId, Timestamp, UserId, WsId, limits, room::Presence};

/// The limits of a socket, told in `welcome`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ServerFrame {
    Welcome {
        ws_id: WsId,
        user_id: UserId,
        session_id: SessionId,
        expires_at: Timestamp,
        heartbeat_seconds: u64,
        limits: SocketLimits,
    },
    Joined {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        room_id: RoomId,
        head_seq: Seq,
        log_id: LogId,
        /// Events as they were encoded once for everybody.
        events: Vec<Box<RawValue>>,
        truncated: bool,
    },
    Left {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        room_id: RoomId,
    },
    Ack {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        room_id: RoomId,
        message_id: MessageId,
        seq: Seq,
        sent_at: Timestamp,
    },
    Authenticated {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        expires_at: Timestamp,
    },
    Pong {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        server_time: Timestamp,
    },
    Error(ErrorFrame),
    Draining {
        reconnect_after_ms: u64,
    },
    Notice(Notice),
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(rename_all = "camelCase")]
pub struct Notice {
    pub kind: NoticeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<RoomId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
}

/// Why a socket closes: RFC 6455, section 7.4.1, and the contract's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    GoingAway,
    ProtocolError,
    NotUtf8,
    TooBig,
    MalformedFrame,
    TokenEnded,
    Forbidden,
    TooSlow,
    TooManyFrames,
    ShuttingDown,
}

impl CloseCode {
    pub const fn number(self) -> u16 {
        match self {
            CloseCode::GoingAway => 1001,
            CloseCode::ProtocolError => 1002,
            CloseCode::NotUtf8 => 1007,
            CloseCode::TooBig => 1009,
            CloseCode::MalformedFrame => 4400,
            CloseCode::TokenEnded => 4401,
            CloseCode::Forbidden => 4403,
            CloseCode::TooSlow => 4408,
            CloseCode::TooManyFrames => 4429,
            CloseCode::ShuttingDown => 4503,
        }
    }
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
