//! The one room between two people.

use common::room::Room;
use db_api::{
    Call, Refusal, Reply,
    types::{GetUser, Made},
};

use crate::Core;

impl Core {
    pub(crate) async fn do_open_dm(&self, _call: Call, _request: GetUser) -> Reply<Made<Room>> {
        Err(Refusal::Internal)
    }
}
