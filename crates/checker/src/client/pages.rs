//! What a socket leaves out, read over HTTP.

use std::time::Duration;

use common::{RoomId, event::Event};
use db_api::{Call, types::Events};
use tokio::time::Instant;

use super::Device;

/// The events of a room, or none when there was no answer.
pub type Page = (RoomId, Option<Vec<Event>>);

impl Device {
    /// Reads what lies before a truncated catch-up, over HTTP.
    pub fn fetch(&mut self, room: RoomId) {
        let Some(view) = self.rooms.get_mut(&room) else { return };
        view.fetch_at = None;
        if view.fetching || !view.has_gap() {
            return;
        }
        view.fetching = true;
        let request = Events {
            room_id: room,
            after: view.head(),
            limit: common::limits::EVENTS_MAX,
        };
        let (api, fetched, call) = (self.api.clone(), self.fetched.clone(), Call::of(self.actor.clone()));
        tokio::spawn(async move {
            let page = api.events(call, request).await;
            let _ = fetched.send((room, page.ok().map(|page| page.value.items)));
        });
    }

    pub fn page(&mut self, room: RoomId, page: Option<Vec<Event>>) {
        let Some(view) = self.rooms.get_mut(&room) else { return };
        view.fetching = false;
        page.iter().flatten().for_each(|event| view.event(event));
        if view.has_gap() {
            view.fetch_at = Some(Instant::now() + Duration::from_millis(200));
        }
    }
}
