//! db-core: the one owner of data. Each operation of the contract is judged and done here; nobody else speaks SQL.

mod accounts;
mod admin;
mod announcer;
mod blocks;
pub mod cache;
mod committer;
mod config;
mod creation;
mod devices;
mod dms;
mod doors;
mod elsewhere;
mod failures;
mod gateways;
mod history;
mod holding;
pub mod http;
mod invites;
mod keys;
mod log;
mod markers;
mod members;
mod membership;
mod messages;
mod once;
pub mod operator;
mod passwords;
mod people;
mod reactions;
mod refresh;
mod revocations;
mod rooms;
mod roster;
mod rows;
mod search;
mod sessions;
mod settings;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use bus::Bus;
use common::{
    RoomId,
    invite::InviteKey,
    refresh::RefreshKey,
    revocation::RevocationList,
    room::{Account, Invite, Member, Message, Page, ReadMarker, Room, User},
    server_key::ServerKey,
    token::Actor,
};
use db_api::{Answer, Call, DbApi, Refusal, Reply, Seen, types::*};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, histogram::Histogram},
};
use service::Metrics;

pub use config::{Config, serve};
pub use store::{Store, StoreError};

use announcer::Announcer;
use cache::{Cache, ReadThrough};
use committer::Committer;
use elsewhere::Elsewhere;
use failures::Failures;
use passwords::Passwords;
use revocations::LastRead;
use search::Indexer;

/// Whether new accounts are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    Open,
    Closed,
}

/// What db-core works with.
pub struct Parts {
    pub store: Store,
    pub cache: Arc<dyn Cache>,
    pub bus: Arc<dyn Bus>,
    pub server_key: ServerKey,
    pub registration: Registration,
    pub metrics: Metrics,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    entity: &'static str,
    op: &'static str,
}

/// The contract, kept.
#[derive(Clone)]
pub struct Core {
    store: Store,
    cache: Arc<ReadThrough>,
    announcer: Announcer,
    committer: Arc<Committer>,
    /// Up to which version what is cached of a room is known to have been cleared.
    handed_out: moka::sync::Cache<RoomId, i64>,
    bus: Arc<dyn Bus>,
    passwords: Passwords,
    failures: Arc<Failures>,
    revocations: Arc<LastRead>,
    refresh_key: RefreshKey,
    invite_key: InviteKey,
    registration: Registration,
    latency: Family<Timed, Histogram>,
    elsewhere: Elsewhere,
    /// The same on what is left while nobody leads.
    left: Option<Arc<Core>>,
}

/// Observes how long something took when it is dropped.
struct Timer(Histogram, std::time::Instant);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.observe(self.1.elapsed().as_secs_f64());
    }
}

impl Core {
    /// Needs a Tokio runtime.
    ///
    /// # Errors
    /// When passwords can't be hashed on this machine.
    pub fn new(parts: Parts) -> Result<Arc<Self>, Refusal> {
        let latency = Family::new_with_constructor(service::metrics::seconds as fn() -> Histogram);
        let cache = Arc::new(ReadThrough::new(parts.cache, &parts.metrics));
        let announcer = Announcer::start(parts.bus.clone(), Indexer::start(parts.store.clone()));
        let mut core = Self {
            committer: Arc::new(Committer::start(&parts.store, &cache, &announcer)),
            handed_out: moka::sync::Cache::new(common::limits::CACHE_ENTRIES),
            store: parts.store,
            cache,
            announcer,
            bus: parts.bus,
            passwords: Passwords::new()?,
            failures: Arc::default(),
            revocations: Arc::default(),
            refresh_key: RefreshKey::new(parts.server_key.derive("chat.v1 refresh")),
            invite_key: InviteKey::new(parts.server_key.derive("chat.v1 invite")),
            registration: parts.registration,
            latency: parts
                .metrics
                .register("db_query_latency_seconds", "Logical reads and writes", latency),
            elsewhere: Elsewhere::new(&parts.metrics),
            left: None,
        };
        core.left = Some(Arc::new(core.on_what_is_left()));
        Ok(Arc::new(core))
    }

    fn timer(&self, entity: &'static str, op: &'static str) -> Timer {
        let histogram = self.latency.get_or_create(&Timed { entity, op }).clone();
        Timer(histogram, std::time::Instant::now())
    }

    fn actor<'a>(&self, call: &'a Call) -> Result<&'a Actor, Refusal> {
        call.actor.as_ref().ok_or(Refusal::Unauthenticated)
    }

    /// Every read shows what was acknowledged before it began, whatever the client has seen. This is for what is answered
    /// while nobody leads, and for those who will read elsewhere.
    async fn seen(&self) -> Seen {
        self.store.place().await.into()
    }
}

/// A read's answer; while nobody leads, that of what is left (consistency rule 14), if the caller takes it.
macro_rules! left_too {
    ($core:ident.$read:ident($call:ident, $request:ident)) => {{
        let answer = match $core.left_for(&$call) {
            None => $core.$read($call.clone(), $request.clone()).await,
            Some(left) => return left.$read($call, $request).await.map(Answer::left),
        };
        match (answer, $core.left_for(&$call)) {
            (Err(Refusal::Unavailable { .. }), Some(left)) => left.$read($call, $request).await.map(Answer::left),
            (answer, _) => answer.map(Answer::read),
        }
    }};
}

#[async_trait]
impl DbApi for Core {
    async fn register(&self, call: Call, request: Register) -> Reply<SessionGrant> {
        let done = self.do_register(call, request).await?;
        Ok(Answer::written(done, self.seen().await))
    }

    async fn login(&self, call: Call, request: Login) -> Reply<SessionGrant> {
        let done = self.do_login(call, request).await?;
        Ok(Answer::written(done, self.seen().await))
    }

    async fn refresh(&self, call: Call, request: Refresh) -> Reply<SessionGrant> {
        let done = self.do_refresh(call, request).await?;
        Ok(Answer::written(done, self.seen().await))
    }

    async fn logout(&self, call: Call, request: Logout) -> Reply<Nothing> {
        let done = self.do_logout(call, request).await?;
        Ok(Answer::written(done, self.seen().await))
    }

    async fn sessions(&self, call: Call, _: Nothing) -> Reply<SessionList> {
        self.do_sessions(call).await.map(Answer::read)
    }

    async fn end_session(&self, call: Call, request: EndSession) -> Reply<Nothing> {
        let done = self.do_end_session(call, request).await?;
        Ok(Answer::written(done, self.seen().await))
    }

    async fn change_password(&self, call: Call, request: ChangePassword) -> Reply<Nothing> {
        let done = self.do_change_password(call, request).await?;
        Ok(Answer::written(done, self.seen().await))
    }

    async fn revocations(&self, call: Call, _: Nothing) -> Reply<RevocationList> {
        self.do_revocations(&call).await.map(Answer::read)
    }

    async fn is_revoked(&self, call: Call, request: NamedSession) -> Reply<Revoked> {
        self.do_is_revoked(call, request).await.map(Answer::read)
    }

    async fn accounts(&self, call: Call, request: Accounts) -> Reply<Page<Account>> {
        left_too!(self.do_accounts(call, request))
    }

    async fn update_account(&self, call: Call, request: UpdateAccount) -> Reply<Account> {
        self.do_update_account(call, request).await
    }

    async fn me(&self, call: Call, _: Nothing) -> Reply<User> {
        let id = self.actor(&call)?.user_id;
        let request = GetUser { user_id: id };
        left_too!(self.do_user(call, request))
    }

    async fn update_me(&self, call: Call, request: UpdateMe) -> Reply<User> {
        self.do_update_me(call, request).await
    }

    async fn user(&self, call: Call, request: GetUser) -> Reply<User> {
        left_too!(self.do_user(call, request))
    }

    async fn find_users(&self, call: Call, request: FindUsers) -> Reply<Page<User>> {
        left_too!(self.do_find_users(call, request))
    }

    async fn create_room(&self, call: Call, request: CreateRoom) -> Reply<Room> {
        self.do_create_room(call, request).await
    }

    async fn rooms(&self, call: Call, request: Paging) -> Reply<Page<Room>> {
        left_too!(self.do_rooms(call, request))
    }

    async fn public_rooms(&self, call: Call, request: PublicRooms) -> Reply<Page<Room>> {
        left_too!(self.do_public_rooms(call, request))
    }

    async fn room(&self, call: Call, request: InRoom) -> Reply<Room> {
        left_too!(self.do_room(call, request))
    }

    async fn join_room(&self, call: Call, request: InRoom) -> Reply<Room> {
        self.do_join_room(call, request).await
    }

    async fn leave_room(&self, call: Call, request: InRoom) -> Reply<Nothing> {
        self.do_leave_room(call, request).await
    }

    async fn members(&self, call: Call, request: Members) -> Reply<Page<Member>> {
        left_too!(self.do_members(call, request))
    }

    async fn add_member(&self, call: Call, request: InRoomUser) -> Reply<Made<Member>> {
        self.do_add_member(call, request).await
    }

    async fn remove_member(&self, call: Call, request: InRoomUser) -> Reply<Nothing> {
        self.do_remove_member(call, request).await
    }

    async fn edit_message(&self, call: Call, request: EditMessage) -> Reply<Message> {
        self.do_edit_message(call, request).await
    }

    async fn delete_message(&self, call: Call, request: GetMessage) -> Reply<Nothing> {
        self.do_delete_message(call, request).await
    }

    async fn react(&self, call: Call, request: React) -> Reply<Nothing> {
        self.do_react(call, request).await
    }

    async fn search(&self, call: Call, request: Search) -> Reply<Page<Message>> {
        left_too!(self.do_search(call, request))
    }

    async fn mark_read(&self, call: Call, request: MarkRead) -> Reply<ReadMarker> {
        self.do_mark_read(call, request).await
    }

    async fn update_room(&self, call: Call, request: UpdateRoom) -> Reply<Room> {
        self.do_update_room(call, request).await
    }

    async fn delete_room(&self, call: Call, request: InRoom) -> Reply<Nothing> {
        self.do_delete_room(call, request).await
    }

    async fn set_role(&self, call: Call, request: SetRole) -> Reply<Member> {
        self.do_set_role(call, request).await
    }

    async fn open_dm(&self, call: Call, request: GetUser) -> Reply<Made<Room>> {
        self.do_open_dm(call, request).await
    }

    async fn blocks(&self, call: Call, request: Paging) -> Reply<Page<User>> {
        left_too!(self.do_blocks(call, request))
    }

    async fn block(&self, call: Call, request: GetUser) -> Reply<Nothing> {
        self.do_block(call, request).await
    }

    async fn unblock(&self, call: Call, request: GetUser) -> Reply<Nothing> {
        self.do_unblock(call, request).await
    }

    async fn invites(&self, call: Call, request: Members) -> Reply<Page<Invite>> {
        left_too!(self.do_invites(call, request))
    }

    async fn create_invite(&self, call: Call, request: CreateInvite) -> Reply<Invite> {
        self.do_create_invite(call, request).await
    }

    async fn withdraw_invite(&self, call: Call, request: NamedInvite) -> Reply<Nothing> {
        self.do_withdraw_invite(call, request).await
    }

    async fn accept_invite(&self, call: Call, request: AcceptInvite) -> Reply<Room> {
        self.do_accept_invite(call, request).await
    }

    async fn append(&self, call: Call, request: Append) -> Reply<AppendOutcome> {
        self.do_append(call, request).await
    }

    async fn history(&self, call: Call, request: History) -> Reply<HistoryPage> {
        left_too!(self.do_history(call, request))
    }

    async fn message(&self, call: Call, request: GetMessage) -> Reply<Message> {
        left_too!(self.do_message(call, request))
    }

    async fn events(&self, call: Call, request: Events) -> Reply<EventPage> {
        left_too!(self.do_events(call, request))
    }

    async fn open_rooms(&self, call: Call, request: OpenRooms) -> Reply<Openings> {
        self.do_open_rooms(call, request).await.map(Answer::read)
    }

    async fn heads(&self, call: Call, request: Heads) -> Reply<HeadList> {
        self.do_heads(call, request).await.map(Answer::read)
    }

    async fn may_type(&self, call: Call, request: InRoomUser) -> Reply<Allowed> {
        self.do_may_type(call, request).await.map(Answer::read)
    }

    async fn health(&self, call: Call, _: Nothing) -> Reply<Health> {
        self.do_health(call).await.map(Answer::read)
    }

    async fn publish_device(&self, call: Call, request: Device) -> Reply<Device> {
        self.do_publish_device(call, request).await
    }

    async fn withdraw_device(&self, call: Call, request: NamedDevice) -> Reply<Nothing> {
        self.do_withdraw_device(call, request).await
    }

    async fn devices(&self, call: Call, request: GetUser) -> Reply<DeviceList> {
        left_too!(self.do_devices(call, request))
    }

    async fn room_keys(&self, call: Call, request: GetKeys) -> Reply<KeyRing> {
        left_too!(self.do_room_keys(call, request))
    }

    async fn start_epoch(&self, call: Call, request: HandKeys) -> Reply<KeyRing> {
        self.do_start_epoch(call, request).await
    }

    async fn hand_keys(&self, call: Call, request: HandKeys) -> Reply<KeyRing> {
        self.do_hand_keys(call, request).await
    }
}
