//! Rooms, their members and messages as clients see them (contract, section 3).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    LogId, MessageId, RoomId, Timestamp, UserId,
    event::Content,
    text::{DisplayName, RoomName, Topic, Username},
};

/// A place in a room's log, from 1, without gaps. 0 stands before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(try_from = "u64", into = "u64")]
pub struct Seq(u64);

/// The number is 2^53 or more, which JSON's readers can't all hold (RFC 8259, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be below 2^53")]
pub struct BadSeq;

impl Seq {
    pub const ZERO: Seq = Seq(0);

    pub const fn get(self) -> u64 {
        self.0
    }

    pub const fn next(self) -> Seq {
        Seq(self.0 + 1)
    }

    /// As Postgres' `bigint`.
    pub const fn as_i64(self) -> i64 {
        self.0 as i64
    }
}

impl TryFrom<u64> for Seq {
    type Error = BadSeq;
    fn try_from(number: u64) -> Result<Self, BadSeq> {
        if number < 1 << 53 { Ok(Seq(number)) } else { Err(BadSeq) }
    }
}

impl TryFrom<i64> for Seq {
    type Error = BadSeq;
    fn try_from(number: i64) -> Result<Self, BadSeq> {
        u64::try_from(number).map_err(|_| BadSeq)?.try_into()
    }
}

impl From<Seq> for u64 {
    fn from(seq: Seq) -> u64 {
        seq.0
    }
}

impl std::fmt::Display for Seq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

words! {
    /// An account's role in the whole system.
    AccountRole { User = "user", Admin = "admin" }
    /// A member's role in one room, the least first.
    Role { Member = "member", Moderator = "moderator", Owner = "owner" }
    RoomKind { Room = "room", Dm = "dm" }
    Visibility { Public = "public", Private = "private" }
    Encryption { None = "none", Envelope = "envelope" }
    Presence { Online = "online", Away = "away", Offline = "offline" }
}

/// A person as everyone may see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub id: UserId,
    pub username: Username,
    pub display_name: DisplayName,
}

/// An account as admins see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Account {
    #[serde(flatten)]
    pub user: User,
    pub role: AccountRole,
    pub disabled: bool,
    pub created_at: Timestamp,
    /// Of its sessions; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub last_seen_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub user_id: UserId,
    pub username: Username,
    pub display_name: DisplayName,
    pub role: Role,
    pub joined_at: Timestamp,
    pub presence: Presence,
}

/// A room as one caller sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Room {
    pub id: RoomId,
    pub kind: RoomKind,
    /// Empty for a DM.
    pub name: Option<RoomName>,
    pub topic: Option<Topic>,
    pub visibility: Visibility,
    pub encryption: Encryption,
    pub epoch: u32,
    pub created_at: Timestamp,
    pub member_count: u32,
    pub head_seq: Seq,
    pub log_id: LogId,
    /// Null for who is not a member.
    pub my_role: Option<Role>,
    pub read_seq: Option<Seq>,
    pub unread_count: u32,
    pub mention_count: u32,
    pub last_message: Option<Message>,
    /// The other one of a DM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<User>,
}

/// A way into a room for whoever has its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    pub code: String,
    pub room_id: RoomId,
    pub expires_at: Timestamp,
    /// Null for one without a bound.
    pub max_uses: Option<u32>,
    pub uses: u32,
}

/// How far somebody has read a room, and what is left. The counts stop at 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReadMarker {
    pub room_id: RoomId,
    pub seq: Seq,
    pub unread_count: u32,
    pub mention_count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reaction {
    pub emoji: String,
    pub count: u32,
    pub mine: bool,
}

/// A message as it stands now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub room_id: RoomId,
    pub seq: Seq,
    pub message_id: MessageId,
    pub sender_id: UserId,
    pub sender_name: String,
    #[serde(flatten)]
    pub content: Content,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    pub sent_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    #[serde(default)]
    pub reactions: Vec<Reaction>,
}

/// One page of a list that a cursor continues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub items: Vec<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What of a room has changed, in a `room` event.
pub type RoomChange = serde_json::Map<String, Value>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_json_and_in_the_database() {
        for role in [Role::Member, Role::Moderator, Role::Owner] {
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(serde_json::to_value(RoomKind::Dm).unwrap(), RoomKind::Dm.as_str());
        assert_eq!(
            serde_json::to_value(Encryption::Envelope).unwrap(),
            Encryption::Envelope.as_str()
        );
        assert!(Role::Owner > Role::Moderator && Role::Moderator > Role::Member);
    }
}
