//! Whom somebody wants to hear nothing of.

use common::room::{Page, User};
use db_api::{
    Call, Refusal, Reply,
    types::{GetUser, Nothing, Paging},
};

use crate::Core;

impl Core {
    pub(crate) async fn do_blocks(&self, _call: Call, _request: Paging) -> Result<Page<User>, Refusal> {
        Err(Refusal::Internal)
    }

    pub(crate) async fn do_block(&self, _call: Call, _request: GetUser) -> Reply<Nothing> {
        Err(Refusal::Internal)
    }

    pub(crate) async fn do_unblock(&self, _call: Call, _request: GetUser) -> Reply<Nothing> {
        Err(Refusal::Internal)
    }
}
