//! How far the caller has read.

use axum::extract::State;
use common::{RoomId, Seq, room::ReadMarker};
use db_api::types::MarkRead;
use http_contract::{Body, PathId};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Writer, ok},
    openapi::{InRooms, Writing},
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(mark_read))
}

#[derive(Deserialize, ToSchema)]
struct MarkReadBody {
    seq: Seq,
}

/// Moves my read marker forward, at most to the head.
#[utoipa::path(put, path = "/api/rooms/{roomId}/read", tag = "log", params(("roomId" = RoomId, Path)),
    request_body = MarkReadBody, responses((status = 200, body = ReadMarker), InRooms, Writing))]
async fn mark_read(
    State(api): State<Api>,
    Writer(call): Writer,
    PathId(room_id): PathId<RoomId>,
    Body(body): Body<MarkReadBody>,
) -> Answered {
    let seq = body.seq;
    ok(api.db.mark_read(call, MarkRead { room_id, seq }).await?)
}
