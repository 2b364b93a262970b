//! Rows as the vocabulary of `common`. What the database holds was parsed at the door, so a row that doesn't fit is a
//! fault of ours.

use common::{
    LogId, MessageId, RoomId, Seq, Timestamp, UserId,
    event::{Content, Event},
    octets::Octets,
    room::{Encryption, Member, Message, Presence, Reaction, Role, Room, RoomKind, User, Visibility},
    text::{DisplayName, RoomName, Topic, Username},
};
use db_api::Refusal;
use serde_json::{Map, Value, json};
use sqlx::types::Json;
use uuid::Uuid;

fn fault<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Refusal {
    move |error| {
        tracing::error!(%error, what, "a stored value is not what it should be");
        Refusal::Internal
    }
}

fn none(what: &'static str) -> Refusal {
    fault(what)("unknown word")
}

/// A count that stops at [`common::limits::COUNT_MAX`].
pub fn count(number: i64) -> u32 {
    number.clamp(0, common::limits::COUNT_MAX) as u32
}

pub fn seq(number: i64) -> Result<Seq, Refusal> {
    Seq::try_from(number).map_err(fault("seq"))
}

/// Bytes of a key.
pub fn octets<const N: usize>(bytes: Vec<u8>) -> Result<Octets<N>, Refusal> {
    bytes.try_into().map(Octets).map_err(|_| none("key"))
}

#[derive(sqlx::FromRow)]
pub struct UserRow {
    pub id: Uuid,
    pub username: String,
    pub display_name: String,
}

impl TryFrom<UserRow> for User {
    type Error = Refusal;
    fn try_from(row: UserRow) -> Result<User, Refusal> {
        Ok(User {
            id: UserId(row.id),
            username: Username::parse(row.username).map_err(fault("username"))?,
            display_name: DisplayName::parse(row.display_name).map_err(fault("display_name"))?,
        })
    }
}

#[derive(sqlx::FromRow)]
pub struct MemberRow {
    pub user_id: Uuid,
    pub username: Option<String>,
    pub display_name: Option<String>,
    pub role: String,
    pub joined_at_ms: i64,
}

/// Shown in place of somebody whose account is gone.
const GONE: &str = "gone";

impl TryFrom<MemberRow> for Member {
    type Error = Refusal;
    fn try_from(row: MemberRow) -> Result<Member, Refusal> {
        let name = |text: Option<String>| text.unwrap_or_else(|| GONE.to_owned());
        Ok(Member {
            user_id: UserId(row.user_id),
            username: Username::parse(name(row.username)).map_err(fault("username"))?,
            display_name: DisplayName::parse(name(row.display_name)).map_err(fault("display_name"))?,
            role: Role::parse(&row.role).ok_or_else(|| none("role"))?,
            joined_at: Timestamp(row.joined_at_ms),
            presence: Presence::Offline,
        })
    }
}

/// A room as one caller sees it; what is the caller's own is null for who is outside.
#[derive(sqlx::FromRow)]
pub struct RoomRow {
    pub id: Uuid,
    pub log_id: Uuid,
    pub kind: String,
    pub name: Option<String>,
    pub topic: Option<String>,
    pub visibility: String,
    pub encryption: String,
    pub epoch: i32,
    pub created_at_ms: i64,
    pub activity_at_ms: i64,
    pub member_count: i32,
    pub head_seq: i64,
    pub last_message_seq: Option<i64>,
    pub my_role: Option<String>,
    pub read_seq: Option<i64>,
    pub unread_count: i64,
    pub mention_count: i64,
    /// The other one of a DM.
    pub peer_id: Option<Uuid>,
    pub peer_username: Option<String>,
    pub peer_display_name: Option<String>,
}

impl RoomRow {
    pub fn visibility(&self) -> Visibility {
        Visibility::parse(&self.visibility).unwrap_or(Visibility::Private)
    }

    pub fn into_room(self, last_message: Option<Message>) -> Result<Room, Refusal> {
        let name = |text: Option<String>| text.unwrap_or_else(|| GONE.to_owned());
        let peer = self.peer_id.map(|id| UserRow {
            id,
            username: name(self.peer_username),
            display_name: name(self.peer_display_name),
        });
        Ok(Room {
            id: RoomId(self.id),
            kind: RoomKind::parse(&self.kind).ok_or_else(|| none("kind"))?,
            name: self.name.map(RoomName::parse).transpose().map_err(fault("name"))?,
            topic: self.topic.map(Topic::parse).transpose().map_err(fault("topic"))?,
            visibility: Visibility::parse(&self.visibility).ok_or_else(|| none("visibility"))?,
            encryption: Encryption::parse(&self.encryption).ok_or_else(|| none("encryption"))?,
            epoch: self.epoch as u32,
            created_at: Timestamp(self.created_at_ms),
            member_count: self.member_count as u32,
            head_seq: seq(self.head_seq)?,
            log_id: LogId(self.log_id),
            my_role: self
                .my_role
                .as_deref()
                .map(|role| Role::parse(role).ok_or_else(|| none("role")))
                .transpose()?,
            read_seq: self.read_seq.map(seq).transpose()?,
            unread_count: count(self.unread_count),
            mention_count: count(self.mention_count),
            last_message,
            peer: peer.map(User::try_from).transpose()?,
        })
    }
}

#[derive(sqlx::FromRow)]
pub struct MessageRow {
    pub room_id: Uuid,
    pub seq: i64,
    pub message_id: Uuid,
    pub sender_id: Uuid,
    pub sender_name: String,
    pub content: Option<Value>,
    pub reply_to: Option<Uuid>,
    pub mentions: Vec<Uuid>,
    pub sent_at_ms: i64,
    pub edited_at_ms: Option<i64>,
    pub reactions: Option<Json<Vec<Reaction>>>,
}

/// The columns of [`MessageRow`] for the caller `$1`, from `messages m join events e`. Reactions come in the order of their
/// first.
pub const MESSAGE: &str = "m.room_id, m.seq, m.message_id, m.sender_id, m.sender_name, e.content, m.reply_to, m.mentions, \
     to_ms(m.sent_at) sent_at_ms, to_ms(m.edited_at) edited_at_ms, \
     (select jsonb_agg(jsonb_build_object('emoji', x.emoji, 'count', x.count, 'mine', x.mine) order by x.first) \
        from (select emoji, count(*) count, bool_or(user_id = $1) mine, min(seq) first from reactions \
          where room_id = m.room_id and message_id = m.message_id group by emoji) x) reactions \
     from messages m join events e on e.room_id = m.room_id and e.seq = m.content_seq";

impl TryFrom<MessageRow> for Message {
    type Error = Refusal;
    fn try_from(row: MessageRow) -> Result<Message, Refusal> {
        Ok(Message {
            room_id: RoomId(row.room_id),
            seq: seq(row.seq)?,
            message_id: MessageId(row.message_id),
            sender_id: UserId(row.sender_id),
            sender_name: row.sender_name,
            content: content(row.content)?,
            reply_to: row.reply_to.map(MessageId),
            mentions: row.mentions.into_iter().map(UserId).collect(),
            sent_at: Timestamp(row.sent_at_ms),
            edited_at: row.edited_at_ms.map(Timestamp),
            reactions: row.reactions.map(|reactions| reactions.0).unwrap_or_default(),
        })
    }
}

/// A content that was taken out means deleted.
fn content(stored: Option<Value>) -> Result<Content, Refusal> {
    match stored {
        Some(stored) => serde_json::from_value(stored).map_err(fault("content")),
        None => Ok(Content::Deleted(true)),
    }
}

#[derive(sqlx::FromRow)]
pub struct EventRow {
    pub room_id: Uuid,
    pub seq: i64,
    pub kind: String,
    pub at_ms: i64,
    pub content: Option<Value>,
    pub detail: Value,
}

/// The columns of [`EventRow`].
pub const EVENT: &str = "room_id, seq, kind, to_ms(at) at_ms, content, detail from events";

impl TryFrom<EventRow> for Event {
    type Error = Refusal;
    fn try_from(row: EventRow) -> Result<Event, Refusal> {
        let at = Timestamp(row.at_ms).to_string();
        let mut frame: Map<String, Value> = Map::new();
        frame.insert("type".into(), row.kind.clone().into());
        frame.insert("roomId".into(), json!(RoomId(row.room_id)));
        frame.insert("seq".into(), row.seq.into());
        if let Value::Object(detail) = row.detail {
            frame.extend(detail);
        }
        if matches!(row.kind.as_str(), "message" | "edited") {
            match row.content {
                Some(Value::Object(content)) => frame.extend(content),
                _ => drop(frame.insert("deleted".into(), true.into())),
            }
        }
        match row.kind.as_str() {
            "message" => drop(frame.insert("sentAt".into(), at.into())),
            "edited" => drop(frame.insert("editedAt".into(), at.into())),
            "deleted" => drop(frame.insert("deletedAt".into(), at.into())),
            _ => {}
        }
        serde_json::from_value(Value::Object(frame)).map_err(fault("event"))
    }
}
