//! Full text over what the caller may read.

use common::room::{Message, Page};
use db_api::{Call, Refusal, types::Search};

use crate::Core;

impl Core {
    pub(crate) async fn do_search(&self, _call: Call, _request: Search) -> Result<Page<Message>, Refusal> {
        Err(Refusal::Internal)
    }
}
