//! Frames that have no place in the log. Of each kind only the newest about somebody matters, so that a newer one takes the
//! place of one that still waits, and under pressure they are the first to go.

use common::{RoomId, Seq, UserId, frame::ServerFrame, limits, room::Presence};

use crate::feed::Encoded;

/// What a signal is about: of two with the same key the newer one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalKey {
    Typing(RoomId, UserId),
    Read(RoomId, UserId),
    Presence(UserId),
}

/// A signal as its receivers get it, encoded once for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalFrame {
    pub key: SignalKey,
    pub frame: Encoded,
}

impl SignalKey {
    /// The room that it speaks of.
    pub fn room(self) -> Option<RoomId> {
        match self {
            SignalKey::Typing(room, _) | SignalKey::Read(room, _) => Some(room),
            SignalKey::Presence(_) => None,
        }
    }

    /// The bytes that wait for a socket above which it doesn't get such a signal.
    pub fn shed_above(self) -> usize {
        match self {
            SignalKey::Typing(..) => limits::SHED_TYPING_BYTES,
            SignalKey::Read(..) | SignalKey::Presence(_) => limits::SHED_SIGNALS_BYTES,
        }
    }
}

impl SignalFrame {
    fn new(key: SignalKey, frame: &ServerFrame) -> Self {
        let frame = Encoded::of_frame(frame);
        Self { key, frame }
    }

    /// Somebody types.
    pub fn typing(room_id: RoomId, user_id: UserId) -> Self {
        let frame = ServerFrame::Typing {
            room_id,
            user_id,
            typing: true,
        };
        Self::new(SignalKey::Typing(room_id, user_id), &frame)
    }

    /// Somebody no longer types.
    pub fn silent(room_id: RoomId, user_id: UserId) -> Self {
        let frame = ServerFrame::Typing {
            room_id,
            user_id,
            typing: false,
        };
        Self::new(SignalKey::Typing(room_id, user_id), &frame)
    }

    pub fn read(room_id: RoomId, user_id: UserId, seq: Seq) -> Self {
        let frame = ServerFrame::Read { room_id, user_id, seq };
        Self::new(SignalKey::Read(room_id, user_id), &frame)
    }

    pub fn presence(user_id: UserId, status: Presence) -> Self {
        let frame = ServerFrame::Presence { user_id, status };
        Self::new(SignalKey::Presence(user_id), &frame)
    }
}
