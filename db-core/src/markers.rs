//! How far people have read.

use common::room::ReadMarker;
use db_api::{Call, Refusal, Reply, types::MarkRead};

use crate::Core;

impl Core {
    pub(crate) async fn do_mark_read(&self, _call: Call, _request: MarkRead) -> Reply<ReadMarker> {
        Err(Refusal::Internal)
    }
}
