//! Rooms: making them, finding them, looking at one.

use axum::extract::State;
use common::{
    Problem, RoomId, UserId, limits,
    room::{Encryption, Page, Room, Visibility},
    text::{RoomName, Topic},
};
use db_api::types::{CreateRoom, InRoom, PublicRooms, UpdateRoom};
use http::StatusCode;
use http_contract::{Body, PathId, Query};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Reader, Writer, done, ok, with},
    openapi::{InRooms, Reading, Writing},
    paging::PageQuery,
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(rooms, create_room))
        .routes(routes!(public_rooms))
        .routes(routes!(room, update_room, delete_room))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CreateRoomBody {
    name: RoomName,
    #[serde(default)]
    #[schema(nullable = false)]
    topic: Option<Topic>,
    visibility: Visibility,
    #[serde(default = "plaintext")]
    #[schema(required = false)]
    encryption: Encryption,
    #[serde(default)]
    #[schema(max_items = 100)]
    member_ids: Vec<UserId>,
}

fn plaintext() -> Encryption {
    Encryption::None
}

/// Makes a room; the caller is its owner.
#[utoipa::path(post, path = "/api/rooms", tag = "rooms", request_body = CreateRoomBody,
    responses((status = 201, body = Room), Writing))]
async fn create_room(State(api): State<Api>, Writer(call): Writer, Body(body): Body<CreateRoomBody>) -> Answered {
    if body.member_ids.len() > limits::INITIAL_MEMBERS {
        let detail = format!("at most {}; add the others afterwards", limits::INITIAL_MEMBERS);
        return Err(Problem::field("/memberIds", detail).into());
    }
    let request = CreateRoom {
        name: body.name,
        topic: body.topic,
        visibility: body.visibility,
        encryption: body.encryption,
        member_ids: body.member_ids,
    };
    with(StatusCode::CREATED, api.db.create_room(call, request).await?)
}

/// My rooms, newest activity first.
#[utoipa::path(get, path = "/api/rooms", tag = "rooms", params(PageQuery),
    responses((status = 200, body = Page<Room>), Reading))]
async fn rooms(State(api): State<Api>, Reader(call): Reader, Query(page): Query<PageQuery>) -> Answered {
    ok(api.db.rooms(call, page.paging()?).await?)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PublicQuery {
    /// The start of a room's name.
    query: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Rooms that anyone may join, the largest first.
#[utoipa::path(get, path = "/api/rooms/public", tag = "rooms", params(PublicQuery),
    responses((status = 200, body = Page<Room>), Reading))]
async fn public_rooms(State(api): State<Api>, Reader(call): Reader, Query(find): Query<PublicQuery>) -> Answered {
    let paging = PageQuery {
        cursor: find.cursor,
        limit: find.limit,
    }
    .paging()?;
    ok(api
        .db
        .public_rooms(
            call,
            PublicRooms {
                query: find.query,
                paging,
            },
        )
        .await?)
}

/// One room; of a public one anyone may see a preview.
#[utoipa::path(get, path = "/api/rooms/{roomId}", tag = "rooms", params(("roomId" = RoomId, Path)),
    responses((status = 200, body = Room), InRooms))]
async fn room(State(api): State<Api>, Reader(call): Reader, PathId(room_id): PathId<RoomId>) -> Answered {
    ok(api.db.room(call, InRoom { room_id }).await?)
}

/// What is given changes; the rest stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UpdateRoomBody {
    #[serde(default)]
    #[schema(nullable = false)]
    name: Option<RoomName>,
    #[serde(default)]
    #[schema(nullable = false)]
    topic: Option<Topic>,
    #[serde(default)]
    #[schema(nullable = false)]
    visibility: Option<Visibility>,
}

/// Changes a room.
#[utoipa::path(patch, path = "/api/rooms/{roomId}", tag = "rooms", params(("roomId" = RoomId, Path)),
    request_body = UpdateRoomBody, responses((status = 200, body = Room), InRooms, Writing))]
async fn update_room(
    State(api): State<Api>,
    Writer(call): Writer,
    PathId(room_id): PathId<RoomId>,
    Body(body): Body<UpdateRoomBody>,
) -> Answered {
    let request = UpdateRoom {
        room_id,
        name: body.name,
        topic: body.topic,
        visibility: body.visibility,
    };
    ok(api.db.update_room(call, request).await?)
}

/// Takes a room away, for good.
#[utoipa::path(delete, path = "/api/rooms/{roomId}", tag = "rooms", params(("roomId" = RoomId, Path)),
    responses((status = 204), InRooms))]
async fn delete_room(State(api): State<Api>, Writer(call): Writer, PathId(room_id): PathId<RoomId>) -> Answered {
    done(api.db.delete_room(call, InRoom { room_id }).await?)
}
