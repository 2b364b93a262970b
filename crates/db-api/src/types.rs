//! Requests and answers of the operations.

mod keys;

pub use keys::*;

use common::{
    LogId, MessageId, RoomId, Seq, SessionId, Timestamp, UserId, WsId,
    event::{Content, Event, MessageEvent, ReactionOp},
    room::{AccountRole, Encryption, Message, Role, User, Visibility},
    text::{DeviceName, DisplayName, Emoji, IdempotencyKey, Password, Query, RoomName, SearchQuery, Topic, Username},
    token::{Actor, Scope},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Nothing {}

// --- Accounts and sessions, for edge-auth ---

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Register {
    pub username: Username,
    pub password: Password,
    #[serde(default)]
    pub display_name: Option<DisplayName>,
    #[serde(default)]
    pub device: Option<DeviceName>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// As typed: a name that can't exist gets the answer of an unknown one.
    pub username: String,
    pub password: String,
    #[serde(default)]
    pub device: Option<DeviceName>,
    /// A part of the account's; all of them unless given.
    #[serde(default)]
    pub scopes: Option<Vec<Scope>>,
    /// Where it comes from, for the limit on failures from one place.
    #[serde(default)]
    pub client_address: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refresh {
    pub refresh_token: String,
    #[serde(default)]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Ends the session of a refresh token, or that of the call's actor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Logout {
    #[serde(default)]
    pub refresh_token: Option<String>,
}

/// What edge-auth makes an access token of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionGrant {
    pub user: User,
    pub session_id: SessionId,
    pub role: AccountRole,
    pub scopes: Vec<Scope>,
    pub refresh_token: String,
    /// When the refresh token dies unused.
    pub refresh_expires_at: Timestamp,
}

/// A session that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionEntry {
    pub session_id: SessionId,
    #[serde(default)]
    pub device: Option<DeviceName>,
    pub created_at: Timestamp,
    /// Of its last refresh.
    pub last_seen_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionList {
    pub items: Vec<SessionEntry>,
}

/// One of the actor's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndSession {
    pub session_id: SessionId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangePassword {
    /// As typed.
    pub current_password: String,
    pub new_password: Password,
    /// Where it comes from, for the limit on failures from one place.
    #[serde(default)]
    pub client_address: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedSession {
    pub user_id: UserId,
    pub session_id: SessionId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    pub revoked: bool,
    /// Of the database that says it: each failover begins a higher one.
    pub timeline: i64,
}

// --- Accounts, for admins ---

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accounts {
    /// The start of a username; all of them unless given.
    #[serde(default)]
    pub query: Option<String>,
    #[serde(flatten)]
    pub paging: Paging,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateAccount {
    pub user_id: UserId,
    #[serde(default)]
    pub disabled: Option<bool>,
    #[serde(default)]
    pub role: Option<AccountRole>,
}

// --- People ---

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateMe {
    #[serde(default)]
    pub display_name: Option<DisplayName>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetUser {
    pub user_id: UserId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindUsers {
    pub query: Query,
    #[serde(flatten)]
    pub paging: Paging,
}

/// Where a page begins and how much it holds, 1 to [`common::limits::PAGE_ITEMS_MAX`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Paging {
    #[serde(default)]
    pub cursor: Option<String>,
    pub limit: u32,
}

// --- Rooms and members ---

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateRoom {
    pub name: RoomName,
    #[serde(default)]
    pub topic: Option<Topic>,
    pub visibility: Visibility,
    pub encryption: Encryption,
    #[serde(default)]
    pub member_ids: Vec<UserId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicRooms {
    #[serde(default)]
    pub query: Option<String>,
    #[serde(flatten)]
    pub paging: Paging,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InRoom {
    pub room_id: RoomId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Members {
    pub room_id: RoomId,
    #[serde(flatten)]
    pub paging: Paging,
}

/// A member named by somebody, for adding and removing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InRoomUser {
    pub room_id: RoomId,
    pub user_id: UserId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetRole {
    pub room_id: RoomId,
    pub user_id: UserId,
    pub role: Role,
}

/// What is given changes; the rest stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateRoom {
    pub room_id: RoomId,
    #[serde(default)]
    pub name: Option<RoomName>,
    #[serde(default)]
    pub topic: Option<Topic>,
    #[serde(default)]
    pub visibility: Option<Visibility>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateInvite {
    pub room_id: RoomId,
    /// 1 to [`common::limits::INVITE_LIFE_MAX`]; [`common::limits::INVITE_LIFE`] unless given.
    #[serde(default)]
    pub expires_in_seconds: Option<u64>,
    /// Without one it is good for any number.
    #[serde(default)]
    pub max_uses: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedInvite {
    pub room_id: RoomId,
    pub code: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptInvite {
    pub code: String,
}

/// The object as it now stands, and whether this call made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Made<T> {
    pub object: T,
    pub created: bool,
}

// --- The log ---

/// A message that wants a place in a room's log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// Its own: one `append` carries the drafts of many people.
    pub actor: Actor,
    pub room_id: RoomId,
    pub message_id: MessageId,
    #[serde(flatten)]
    pub content: Content,
    #[serde(default)]
    pub reply_to: Option<MessageId>,
    #[serde(default)]
    pub mentions: Vec<UserId>,
    /// The socket that it came by; absent over HTTP.
    #[serde(default)]
    pub ws_id: Option<WsId>,
    /// Passed on with the event when it is sampled.
    #[serde(default)]
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Append {
    /// At most [`common::limits::DRAFTS_PER_APPEND`]. Those of one actor to one room are committed in this order, and once
    /// one of them is `unavailable`, so are that actor's later ones to the room (consistency rule 5).
    pub drafts: Vec<Draft>,
}

/// A draft that stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Appended {
    /// The whole event, without `wsId`.
    pub event: MessageEvent,
    /// It stood there already; nothing was written. The repeat of a request that is done once says what the first said.
    pub repeated: bool,
    /// Where nothing was written: the message as it stands now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Box<Message>>,
}

/// What became of each draft, in the order asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppendOutcome {
    pub outcomes: Vec<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Appended(Box<Appended>),
    Refused(crate::Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// The newest page.
    Newest,
    Before(Seq),
    After(Seq),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    pub room_id: RoomId,
    pub place: Place,
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage {
    /// Ascending by `seq`.
    pub items: Vec<Message>,
    pub has_more: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetMessage {
    pub room_id: RoomId,
    pub message_id: MessageId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EditMessage {
    pub room_id: RoomId,
    pub message_id: MessageId,
    /// `message` or `envelope`, as the room takes them.
    #[serde(flatten)]
    pub content: Content,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct React {
    pub room_id: RoomId,
    pub message_id: MessageId,
    pub emoji: Emoji,
    pub op: ReactionOp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    pub query: SearchQuery,
    /// In one room only.
    #[serde(default)]
    pub room_id: Option<RoomId>,
    #[serde(flatten)]
    pub paging: Paging,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkRead {
    pub room_id: RoomId,
    pub seq: Seq,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    pub room_id: RoomId,
    pub after: Seq,
    /// At most [`common::limits::EVENTS_MAX`]; the page also ends at [`common::limits::PAGE_BYTES`].
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    pub items: Vec<Event>,
    pub head_seq: Seq,
    pub log_id: LogId,
    pub has_more: bool,
}

// --- For gateways ---

/// Whether the actor may hear a room, and where its log stands. With `after_seq`, the events behind it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenRoom {
    pub room_id: RoomId,
    #[serde(default)]
    pub after_seq: Option<Seq>,
    #[serde(default)]
    pub log_id: Option<LogId>,
}

/// Answers each room by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenRooms {
    pub rooms: Vec<OpenRoom>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenedRoom {
    pub head_seq: Seq,
    pub log_id: LogId,
    pub member_count: u32,
    /// A conversation of two.
    #[serde(default)]
    pub is_direct: bool,
    /// Those after `after_seq` up to `head_seq`; when `truncated`, the newest that fit, or none.
    pub events: Vec<Event>,
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Opening {
    Opened(Box<OpenedRoom>),
    Refused(crate::Refusal),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Openings {
    pub rooms: Vec<Opening>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Allowed {
    pub allowed: bool,
}

/// Asked without an actor, by a gateway for all of its members.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heads {
    pub rooms: Vec<RoomId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub room_id: RoomId,
    pub head_seq: Seq,
    pub log_id: LogId,
}

/// Rooms that never were are left out; one that was taken away keeps its last head, so that a gateway that missed its end
/// reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadList {
    pub heads: Vec<Head>,
}

/// Which parts of db-core answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The database takes writes.
    pub database: bool,
    /// The cache answers; without it reads are slower.
    pub cache: bool,
    /// An acknowledged write survives the loss of the leader.
    pub replicated: bool,
}
