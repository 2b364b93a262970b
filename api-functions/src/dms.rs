//! The one room between two people.

use axum::extract::State;
use common::{UserId, room::Room};
use db_api::types::GetUser;
use http_contract::Body;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Writer, made},
    openapi::Writing,
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(open_dm))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OpenDmBody {
    user_id: UserId,
}

/// The direct conversation with somebody: 201 at first use, 200 once there is one.
#[utoipa::path(post, path = "/api/dms", tag = "rooms", request_body = OpenDmBody,
    responses((status = 201, body = Room), (status = 200, body = Room), Writing))]
async fn open_dm(State(api): State<Api>, Writer(call): Writer, Body(body): Body<OpenDmBody>) -> Answered {
    let user_id = body.user_id;
    made(api.db.open_dm(call, GetUser { user_id }).await?)
}
