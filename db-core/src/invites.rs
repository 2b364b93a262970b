//! Ways into a room for whoever has a code.

use common::room::{Invite, Page, Room};
use db_api::{
    Call, Refusal, Reply,
    types::{AcceptInvite, CreateInvite, Members, NamedInvite, Nothing},
};

use crate::Core;

impl Core {
    pub(crate) async fn do_invites(&self, _call: Call, _request: Members) -> Result<Page<Invite>, Refusal> {
        Err(Refusal::Internal)
    }

    pub(crate) async fn do_create_invite(&self, _call: Call, _request: CreateInvite) -> Reply<Invite> {
        Err(Refusal::Internal)
    }

    pub(crate) async fn do_withdraw_invite(&self, _call: Call, _request: NamedInvite) -> Reply<Nothing> {
        Err(Refusal::Internal)
    }

    pub(crate) async fn do_accept_invite(&self, _call: Call, _request: AcceptInvite) -> Reply<Room> {
        Err(Refusal::Internal)
    }
}
