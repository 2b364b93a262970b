//! What a program mostly asks of the API (contract, section 3).

use common::{
    MessageId, RoomId, Seq, limits,
    room::{Message, Page, Room, Visibility},
    text::Body,
};
use http::Method;
use serde_json::json;

use crate::{
    core::EventPage,
    http::{Ask, HttpError},
    session::Session,
};

impl Session {
    /// The user's rooms, newest activity first.
    ///
    /// # Errors
    /// As [`Http::ask`](crate::Http::ask), here and below.
    pub async fn rooms(&self) -> Result<Vec<Room>, HttpError> {
        self.all("/api/rooms", "").await
    }

    /// Rooms that anyone may join, by the start of a name.
    ///
    /// # Errors
    /// `invalid-request` for a start that is too short.
    pub async fn public_rooms(&self, start: &str) -> Result<Vec<Room>, HttpError> {
        let start: String = form_urlencoded::byte_serialize(start.as_bytes()).collect();
        self.all("/api/rooms/public", &format!("&query={start}")).await
    }

    async fn all(&self, path: &str, query: &str) -> Result<Vec<Room>, HttpError> {
        let (mut rooms, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let path = format!("{path}?limit={}{query}{from}", limits::PAGE_ITEMS_MAX);
            let page: Page<Room> = self.ask(Ask::get(path)).await?.read()?;
            rooms.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(rooms);
            }
        }
    }

    /// # Errors
    /// `not-found` for a private room that the user is not in.
    pub async fn room(&self, room: RoomId) -> Result<Room, HttpError> {
        self.ask(Ask::get(format!("/api/rooms/{room}"))).await?.read()
    }

    /// # Errors
    /// `invalid-request` for a bad name.
    pub async fn create_room(&self, name: &str, visibility: Visibility) -> Result<Room, HttpError> {
        let body = json!({"name": name, "visibility": visibility});
        self.ask(Ask::post("/api/rooms", body)).await?.read()
    }

    /// # Errors
    /// `not-found` for a room that is not public.
    pub async fn join_room(&self, room: RoomId) -> Result<Room, HttpError> {
        let ask = Ask::new(Method::POST, format!("/api/rooms/{room}/join"), None);
        self.ask(ask).await?.read()
    }

    /// Sends over HTTP, once under its id however often it is asked.
    ///
    /// # Errors
    /// `not-found` or `not-a-member` for who is outside.
    pub async fn post(&self, room: RoomId, message: MessageId, body: &Body) -> Result<Message, HttpError> {
        let body = json!({"messageId": message, "message": body});
        self.ask(Ask::post(format!("/api/rooms/{room}/messages"), body))
            .await?
            .read()
    }

    /// The room's log from behind a place; a page ends early at 1 MiB.
    ///
    /// # Errors
    /// `not-found` or `not-a-member` for who is outside.
    pub async fn events(&self, room: RoomId, after: Seq) -> Result<EventPage, HttpError> {
        let limit = limits::EVENTS_MAX;
        let path = format!("/api/rooms/{room}/events?after={after}&limit={limit}");
        self.ask(Ask::get(path)).await?.read()
    }
}
