//! How each of the measured servers is spoken to.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::stamp::Stamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The contract's WebSocket.
    Chat,
    /// JSON over `ws`, and the floor.
    Plain,
    SocketIo,
}

/// What a frame is to a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Message {
        stamp: Stamp,
        seq: Option<u64>,
    },
    Ack {
        stamp: Stamp,
        seq: Option<u64>,
    },
    /// The first word of the server; `Chat` expects to be told the rooms now.
    Welcome,
    /// A room was entered.
    Joined,
    /// Socket.IO: the transport is open, and asks for the namespace.
    Open,
    /// Socket.IO: the server asks whether the client is there.
    AreYouThere,
    Error,
    Other,
}

static MESSAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""message":""#));
static REFERENCE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""ref":""#));
static SEQ: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""seq":"#));

impl Dialect {
    /// The request that asks for a WebSocket.
    pub fn upgrade(self, host: &str, token: &str, rooms: &str) -> String {
        let target = match self {
            Self::Chat => "/ws".to_owned(),
            Self::Plain => format!("/?rooms={rooms}"),
            Self::SocketIo => format!("/socket.io/?EIO=4&transport=websocket&rooms={rooms}"),
        };
        let protocol = match self {
            Self::Chat => "Sec-WebSocket-Protocol: chat.v1\r\n",
            Self::Plain | Self::SocketIo => "",
        };
        format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             {protocol}Authorization: Bearer {token}\r\n\r\n"
        )
    }

    /// Frames that enter rooms once the server has spoken.
    pub fn joins(self, rooms: &[String]) -> Vec<String> {
        const ROOMS_PER_JOIN: usize = 100;
        match self {
            Self::Chat => rooms.chunks(ROOMS_PER_JOIN).map(join).collect(),
            Self::Plain | Self::SocketIo => Vec::new(),
        }
    }

    pub fn send(self, room: &str, message_id: &str, stamp: &str, filler: &str) -> String {
        let body =
            format!(r#""roomId":"{room}","messageId":"{message_id}","ref":"{stamp}","message":"{stamp}{filler}"}}"#);
        match self {
            Self::Chat | Self::Plain => format!(r#"{{"type":"send",{body}"#),
            Self::SocketIo => format!(r#"42["send",{{{body}]"#),
        }
    }

    pub fn hear(self, payload: &[u8]) -> Heard {
        match self {
            Self::Chat | Self::Plain => hear_json(payload),
            Self::SocketIo => hear_socket_io(payload),
        }
    }
}

fn join(rooms: &[String]) -> String {
    let rooms: Vec<String> = rooms.iter().map(|room| format!(r#"{{"roomId":"{room}"}}"#)).collect();
    format!(r#"{{"type":"join","rooms":[{}]}}"#, rooms.join(","))
}

fn hear_json(payload: &[u8]) -> Heard {
    const TYPE: usize = br#"{"type":""#.len();
    let kind = payload.get(TYPE..).unwrap_or_default();
    if kind.starts_with(b"message\"") {
        let stamp = stamp_after(&MESSAGE, payload);
        return stamp.map_or(Heard::Other, |stamp| Heard::Message {
            stamp,
            seq: seq(payload),
        });
    }
    if kind.starts_with(b"ack\"") {
        let stamp = stamp_after(&REFERENCE, payload);
        return stamp.map_or(Heard::Other, |stamp| Heard::Ack {
            stamp,
            seq: seq(payload),
        });
    }
    if kind.starts_with(b"joined\"") {
        Heard::Joined
    } else if kind.starts_with(b"welcome\"") {
        Heard::Welcome
    } else if kind.starts_with(b"error\"") || kind.starts_with(b"draining\"") {
        Heard::Error
    } else {
        Heard::Other
    }
}

fn hear_socket_io(payload: &[u8]) -> Heard {
    match payload {
        [b'0', ..] => Heard::Open,
        b"2" => Heard::AreYouThere,
        [b'4', b'4', ..] => Heard::Error,
        [b'4', b'2', event @ ..] if event.starts_with(b"[\"message\"") => {
            let stamp = stamp_after(&MESSAGE, payload);
            stamp.map_or(Heard::Other, |stamp| Heard::Message { stamp, seq: None })
        }
        [b'4', b'2', event @ ..] if event.starts_with(b"[\"welcome\"") => Heard::Welcome,
        _ => Heard::Other,
    }
}

fn stamp_after(finder: &Finder<'_>, payload: &[u8]) -> Option<Stamp> {
    let at = finder.find(payload)? + finder.needle().len();
    Stamp::read(&payload[at..])
}

fn seq(payload: &[u8]) -> Option<u64> {
    let at = SEQ.find(payload)? + SEQ.needle().len();
    let digits = payload[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let mut digits = digits.peekable();
    digits.peek()?;
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        room: 1,
        sender: 2,
        number: 3,
        sent_us: 4,
    };

    #[test]
    fn frames_are_told_apart() {
        let text = STAMP.text();
        let message = format!(r#"{{"type":"message","roomId":"r","seq":71,"messageId":"m","message":"{text}xx"}}"#);
        let ack = format!(r#"{{"type":"ack","ref":"{text}","roomId":"r","seq":8}}"#);
        let heard = |dialect: Dialect, text: &str| dialect.hear(text.as_bytes());
        let (stamp, seq) = (STAMP, Some(71));
        assert_eq!(heard(Dialect::Chat, &message), Heard::Message { stamp, seq });
        assert_eq!(heard(Dialect::Chat, &ack), Heard::Ack { stamp, seq: Some(8) });
        assert_eq!(heard(Dialect::Plain, r#"{"type":"welcome"}"#), Heard::Welcome);
        assert_eq!(
            heard(Dialect::Chat, r#"{"type":"presence","userId":"u"}"#),
            Heard::Other
        );
        let event = format!(r#"42["message",{{"roomId":"r","message":"{text}xx"}}]"#);
        assert_eq!(heard(Dialect::SocketIo, &event), Heard::Message { stamp, seq: None });
        assert_eq!(heard(Dialect::SocketIo, "2"), Heard::AreYouThere);
    }
}
