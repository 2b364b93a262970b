//! Joining, leaving, and who else is there.

use axum::extract::State;
use common::{
    RoomId, UserId,
    room::{Member, Page, Role, Room},
};
use db_api::types::{InRoom, InRoomUser, Members, SetRole};
use http_contract::{Body, PathId, Query, extract::PathIds};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Reader, Writer, done, made, ok},
    openapi::{InRooms, Writing},
    paging::PageQuery,
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(join))
        .routes(routes!(leave))
        .routes(routes!(members, add_member))
        .routes(routes!(set_role, remove_member))
}

/// Joins a public room; again is no error.
#[utoipa::path(post, path = "/api/rooms/{roomId}/join", tag = "members", params(("roomId" = RoomId, Path)),
    responses((status = 200, body = Room), InRooms))]
async fn join(State(api): State<Api>, Writer(call): Writer, PathId(room_id): PathId<RoomId>) -> Answered {
    ok(api.db.join_room(call, InRoom { room_id }).await?)
}

/// Leaves a room.
#[utoipa::path(post, path = "/api/rooms/{roomId}/leave", tag = "members", params(("roomId" = RoomId, Path)),
    responses((status = 204), InRooms))]
async fn leave(State(api): State<Api>, Writer(call): Writer, PathId(room_id): PathId<RoomId>) -> Answered {
    done(api.db.leave_room(call, InRoom { room_id }).await?)
}

/// Who is in the room.
#[utoipa::path(get, path = "/api/rooms/{roomId}/members", tag = "members", params(("roomId" = RoomId, Path), PageQuery),
    responses((status = 200, body = Page<Member>), InRooms))]
async fn members(
    State(api): State<Api>,
    Reader(call): Reader,
    PathId(room_id): PathId<RoomId>,
    Query(page): Query<PageQuery>,
) -> Answered {
    ok(api
        .db
        .members(
            call,
            Members {
                room_id,
                paging: page.paging()?,
            },
        )
        .await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AddMemberBody {
    user_id: UserId,
}

/// Adds somebody: 201, or 200 for who is in already.
#[utoipa::path(post, path = "/api/rooms/{roomId}/members", tag = "members", params(("roomId" = RoomId, Path)),
    request_body = AddMemberBody,
    responses((status = 201, body = Member), (status = 200, body = Member), InRooms, Writing))]
async fn add_member(
    State(api): State<Api>,
    Writer(call): Writer,
    PathId(room_id): PathId<RoomId>,
    Body(body): Body<AddMemberBody>,
) -> Answered {
    let user_id = body.user_id;
    made(api.db.add_member(call, InRoomUser { room_id, user_id }).await?)
}

/// Removes somebody.
#[utoipa::path(delete, path = "/api/rooms/{roomId}/members/{userId}", tag = "members",
    params(("roomId" = RoomId, Path), ("userId" = UserId, Path)), responses((status = 204), InRooms))]
async fn remove_member(
    State(api): State<Api>,
    Writer(call): Writer,
    PathIds(room_id, user_id): PathIds<RoomId, UserId>,
) -> Answered {
    done(api.db.remove_member(call, InRoomUser { room_id, user_id }).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SetRoleBody {
    role: Role,
}

/// Gives a member a role.
#[utoipa::path(patch, path = "/api/rooms/{roomId}/members/{userId}", tag = "members",
    params(("roomId" = RoomId, Path), ("userId" = UserId, Path)), request_body = SetRoleBody,
    responses((status = 200, body = Member), InRooms, Writing))]
async fn set_role(
    State(api): State<Api>,
    Writer(call): Writer,
    PathIds(room_id, user_id): PathIds<RoomId, UserId>,
    Body(body): Body<SetRoleBody>,
) -> Answered {
    let role = body.role;
    ok(api.db.set_role(call, SetRole { room_id, user_id, role }).await?)
}
