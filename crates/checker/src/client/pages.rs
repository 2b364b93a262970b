//! What a socket leaves out, read over HTTP.

use chat_client::core::EventPage;
use common::RoomId;
use db_api::{Call, types::Events};

use super::Device;

/// The events of a room, or none when there was no answer.
pub type Page = (RoomId, Option<EventPage>);

impl Device {
    /// Reads what lies before a truncated catch-up, over HTTP.
    pub fn fetch(&mut self, room: RoomId) {
        if let Some(plan) = self.rooms.get_mut(&room) {
            plan.fetch_at = None;
        }
        let Some(after) = self.core.fetch(room) else { return };
        let request = Events {
            room_id: room,
            after,
            limit: common::limits::EVENTS_MAX,
        };
        let (api, fetched, call) = (self.api.clone(), self.fetched.clone(), Call::of(self.actor.clone()));
        tokio::spawn(async move {
            let page = api.events(call, request).await.ok().map(|answer| answer.value);
            let page = page.map(|page| EventPage {
                items: page.items,
                head_seq: page.head_seq,
                log_id: page.log_id,
                has_more: page.has_more,
            });
            let _ = fetched.send((room, page));
        });
    }

    pub fn page(&mut self, room: RoomId, page: Option<EventPage>) {
        let effects = self.core.fetched(room, page);
        self.heed_page(effects);
    }
}
