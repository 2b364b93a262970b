//! Ways into a room for whoever has a code.

use axum::extract::State;
use common::{
    RoomId,
    room::{Invite, Page, Room},
};
use db_api::types::{AcceptInvite, CreateInvite, Members, NamedInvite};
use http::StatusCode;
use http_contract::{Body, PathId, Query, extract::PathIds};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Reader, Writer, done, ok, with},
    openapi::{InRooms, ProblemBody, Writing},
    paging::PageQuery,
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(invites, create_invite))
        .routes(routes!(withdraw_invite))
        .routes(routes!(accept_invite))
}

/// The invites that still let somebody in.
#[utoipa::path(get, path = "/api/rooms/{roomId}/invites", tag = "invites", params(("roomId" = RoomId, Path), PageQuery),
    responses((status = 200, body = Page<Invite>), InRooms))]
async fn invites(
    State(api): State<Api>,
    Reader(call): Reader,
    PathId(room_id): PathId<RoomId>,
    Query(page): Query<PageQuery>,
) -> Answered {
    let paging = page.paging()?;
    ok(api.db.invites(call, Members { room_id, paging }).await?)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CreateInviteBody {
    /// 1 second to 30 days, 7 days unless given.
    #[serde(default)]
    #[schema(nullable = false, minimum = 1, maximum = 2_592_000)]
    expires_in_seconds: Option<u64>,
    /// How many it lets in; without a bound unless given.
    #[serde(default)]
    #[schema(nullable = false, minimum = 1)]
    max_uses: Option<u32>,
}

/// Makes an invite. A request without a body takes what is usual.
#[utoipa::path(post, path = "/api/rooms/{roomId}/invites", tag = "invites", params(("roomId" = RoomId, Path)),
    request_body = Option<CreateInviteBody>, responses((status = 201, body = Invite), InRooms, Writing))]
async fn create_invite(
    State(api): State<Api>,
    Writer(call): Writer,
    PathId(room_id): PathId<RoomId>,
    body: Option<Body<CreateInviteBody>>,
) -> Answered {
    let body = body.map(|Body(body)| body).unwrap_or_default();
    let request = CreateInvite {
        room_id,
        expires_in_seconds: body.expires_in_seconds,
        max_uses: body.max_uses,
    };
    with(StatusCode::CREATED, api.db.create_invite(call, request).await?)
}

/// Withdraws an invite: its code is none any more.
#[utoipa::path(delete, path = "/api/rooms/{roomId}/invites/{code}", tag = "invites",
    params(("roomId" = RoomId, Path), ("code" = String, Path)), responses((status = 204), InRooms))]
async fn withdraw_invite(
    State(api): State<Api>,
    Writer(call): Writer,
    PathIds(room_id, code): PathIds<RoomId, String>,
) -> Answered {
    done(api.db.withdraw_invite(call, NamedInvite { room_id, code }).await?)
}

/// Joins the room of a code; a member stays one. 410 for an invite that has expired or is used up.
#[utoipa::path(post, path = "/api/invites/{code}/accept", tag = "invites", params(("code" = String, Path)),
    responses((status = 200, body = Room), (status = 410, body = ProblemBody, content_type = "application/problem+json"), InRooms))]
async fn accept_invite(State(api): State<Api>, Writer(call): Writer, PathId(code): PathId<String>) -> Answered {
    ok(api.db.accept_invite(call, AcceptInvite { code }).await?)
}
