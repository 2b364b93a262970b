//! The contract's operations. Looking for people, public rooms and words, and what admins do, is not modelled, and says so.

use async_trait::async_trait;
use common::{
    revocation::RevocationList,
    room::{Account, Invite, Member, Message, Page, ReadMarker, Room, User},
};
use db_api::{Answer, Call, DbApi, Refusal, Reply, types::*};

use super::{Model, actor};

/// What no simulated client asks for.
fn beyond<T>() -> Reply<T> {
    Err(Refusal::forbidden("This is not modelled."))
}

#[async_trait]
impl DbApi for Model {
    async fn register(&self, _: Call, request: Register) -> Reply<SessionGrant> {
        let done = self.do_register(request).await?;
        self.written(done)
    }

    async fn login(&self, _: Call, request: Login) -> Reply<SessionGrant> {
        let done = self.do_login(request).await?;
        self.written(done)
    }

    async fn refresh(&self, _: Call, request: Refresh) -> Reply<SessionGrant> {
        let done = self.do_refresh(request).await?;
        self.written(done)
    }

    async fn logout(&self, call: Call, request: Logout) -> Reply<Nothing> {
        let done = self.do_logout(call, request).await?;
        self.written(done)
    }

    async fn sessions(&self, call: Call, _: Nothing) -> Reply<SessionList> {
        self.do_sessions(call).await.map(Answer::read)
    }

    async fn end_session(&self, call: Call, request: EndSession) -> Reply<Nothing> {
        let done = self.do_end_session(call, request).await?;
        self.written(done)
    }

    async fn change_password(&self, call: Call, request: ChangePassword) -> Reply<Nothing> {
        let done = self.do_change_password(call, request).await?;
        self.written(done)
    }

    async fn revocations(&self, _: Call, _: Nothing) -> Reply<RevocationList> {
        Ok(Answer::read(self.do_revocations().await))
    }

    async fn is_revoked(&self, _: Call, request: NamedSession) -> Reply<Revoked> {
        Ok(Answer::read(self.do_is_revoked(request.session_id).await))
    }

    async fn accounts(&self, _: Call, _: Accounts) -> Reply<Page<Account>> {
        beyond()
    }

    async fn update_account(&self, _: Call, _: UpdateAccount) -> Reply<Account> {
        beyond()
    }

    async fn me(&self, call: Call, _: Nothing) -> Reply<User> {
        let user = actor(&call)?.user_id;
        self.do_user(&call, user).await.map(Answer::read)
    }

    async fn update_me(&self, call: Call, request: UpdateMe) -> Reply<User> {
        let user = self.do_update_me(call, request).await?;
        self.written(user)
    }

    async fn user(&self, call: Call, request: GetUser) -> Reply<User> {
        self.do_user(&call, request.user_id).await.map(Answer::read)
    }

    async fn find_users(&self, _: Call, _: FindUsers) -> Reply<Page<User>> {
        beyond()
    }

    async fn create_room(&self, call: Call, request: CreateRoom) -> Reply<Room> {
        self.do_create_room(call, request).await
    }

    async fn rooms(&self, call: Call, _: Paging) -> Reply<Page<Room>> {
        self.do_rooms(call).await
    }

    async fn public_rooms(&self, _: Call, _: PublicRooms) -> Reply<Page<Room>> {
        beyond()
    }

    async fn room(&self, call: Call, request: InRoom) -> Reply<Room> {
        self.do_room(call, request).await.map(Answer::read)
    }

    async fn join_room(&self, call: Call, request: InRoom) -> Reply<Room> {
        self.do_join_room(call, request).await
    }

    async fn leave_room(&self, call: Call, request: InRoom) -> Reply<Nothing> {
        let user_id = actor(&call)?.user_id;
        let room_id = request.room_id;
        self.end(call, InRoomUser { room_id, user_id }, user_id).await
    }

    async fn members(&self, call: Call, request: Members) -> Reply<Page<Member>> {
        self.do_members(call, request).await
    }

    async fn add_member(&self, call: Call, request: InRoomUser) -> Reply<Made<Member>> {
        self.do_add_member(call, request).await
    }

    async fn remove_member(&self, call: Call, request: InRoomUser) -> Reply<Nothing> {
        let by = actor(&call)?.user_id;
        self.end(call, request, by).await
    }

    async fn set_role(&self, call: Call, request: SetRole) -> Reply<Member> {
        self.do_set_role(call, request).await
    }

    async fn update_room(&self, call: Call, request: UpdateRoom) -> Reply<Room> {
        self.do_update_room(call, request).await
    }

    async fn delete_room(&self, call: Call, request: InRoom) -> Reply<Nothing> {
        self.do_delete_room(call, request).await
    }

    async fn open_dm(&self, call: Call, request: GetUser) -> Reply<Made<Room>> {
        self.do_open_dm(call, request).await
    }

    async fn blocks(&self, call: Call, _: Paging) -> Reply<Page<User>> {
        self.do_blocks(call).await
    }

    async fn block(&self, call: Call, request: GetUser) -> Reply<Nothing> {
        self.do_block(call, request).await
    }

    async fn unblock(&self, call: Call, request: GetUser) -> Reply<Nothing> {
        self.do_unblock(call, request).await
    }

    async fn invites(&self, call: Call, request: Members) -> Reply<Page<Invite>> {
        self.do_invites(call, request).await
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
        self.do_history(call, request).await.map(Answer::read)
    }

    async fn message(&self, call: Call, request: GetMessage) -> Reply<Message> {
        self.do_message(call, request).await.map(Answer::read)
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

    async fn search(&self, _: Call, _: Search) -> Reply<Page<Message>> {
        beyond()
    }

    async fn mark_read(&self, call: Call, request: MarkRead) -> Reply<ReadMarker> {
        let marker = self.do_mark_read(call, request).await?;
        self.written(marker)
    }

    async fn events(&self, call: Call, request: Events) -> Reply<EventPage> {
        self.do_events(call, request).await.map(Answer::read)
    }

    async fn open_rooms(&self, call: Call, request: OpenRooms) -> Reply<Openings> {
        self.do_open_rooms(call, request).await.map(Answer::read)
    }

    async fn heads(&self, _: Call, request: Heads) -> Reply<HeadList> {
        self.do_heads(request).await.map(Answer::read)
    }

    async fn may_type(&self, _: Call, request: InRoomUser) -> Reply<Allowed> {
        let allowed = self.locked().await.heard_in(request.room_id).is_ok();
        Ok(Answer::read(Allowed { allowed }))
    }

    async fn health(&self, _: Call, _: Nothing) -> Reply<Health> {
        Ok(Answer::read(Health {
            database: true,
            cache: true,
            replicated: false,
        }))
    }

    async fn publish_device(&self, call: Call, request: Device) -> Reply<Device> {
        self.do_publish_device(call, request).await
    }

    async fn withdraw_device(&self, call: Call, request: NamedDevice) -> Reply<Nothing> {
        self.do_withdraw_device(call, request).await
    }

    async fn devices(&self, call: Call, request: GetUser) -> Reply<DeviceList> {
        self.do_devices(call, request).await
    }

    async fn room_keys(&self, call: Call, request: GetKeys) -> Reply<KeyRing> {
        self.do_room_keys(call, request).await
    }

    async fn start_epoch(&self, call: Call, request: HandKeys) -> Reply<KeyRing> {
        self.do_start_epoch(call, request).await
    }

    async fn hand_keys(&self, call: Call, request: HandKeys) -> Reply<KeyRing> {
        self.do_hand_keys(call, request).await
    }
}
