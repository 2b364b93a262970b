//! Messages after they were sent: edits, deletions, reactions.

use common::room::Message;
use db_api::{
    Call, Refusal, Reply,
    types::{EditMessage, GetMessage, Nothing, React},
};

use crate::Core;

impl Core {
    pub(crate) async fn do_edit_message(&self, _call: Call, _request: EditMessage) -> Reply<Message> {
        Err(Refusal::Internal)
    }

    pub(crate) async fn do_delete_message(&self, _call: Call, _request: GetMessage) -> Reply<Nothing> {
        Err(Refusal::Internal)
    }

    pub(crate) async fn do_react(&self, _call: Call, _request: React) -> Reply<Nothing> {
        Err(Refusal::Internal)
    }
}
