//! Changing a room, its members' roles, and taking it away.

use common::room::{Member, Room};
use db_api::{
    Call, Refusal, Reply,
    types::{InRoom, Nothing, SetRole, UpdateRoom},
};

use crate::Core;

impl Core {
    pub(crate) async fn do_update_room(&self, _call: Call, _request: UpdateRoom) -> Reply<Room> {
        Err(Refusal::Internal)
    }

    pub(crate) async fn do_delete_room(&self, _call: Call, _request: InRoom) -> Reply<Nothing> {
        Err(Refusal::Internal)
    }

    pub(crate) async fn do_set_role(&self, _call: Call, _request: SetRole) -> Reply<Member> {
        Err(Refusal::Internal)
    }
}
