//! Full text over what the caller may read.

use axum::extract::State;
use common::{
    Problem, RoomId,
    room::{Message, Page},
    text::SearchQuery,
};
use db_api::types::Search;
use http_contract::Query;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Reader, ok},
    openapi::InRooms,
    paging::PageQuery,
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(search))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
struct SearchParameters {
    /// Words that all have to be there, `"a phrase"`, `or`, `-without`. Of words alone the last may be a beginning.
    query: String,
    /// In this room only.
    room_id: Option<RoomId>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Messages of the plaintext rooms that the caller is a member of now, the newest first.
#[utoipa::path(get, path = "/api/search", tag = "log", params(SearchParameters),
    responses((status = 200, body = Page<Message>), InRooms))]
async fn search(State(api): State<Api>, Reader(call): Reader, Query(find): Query<SearchParameters>) -> Answered {
    let query = SearchQuery::parse(find.query).map_err(|bad| Problem::field("?query", bad.to_string()))?;
    let paging = PageQuery {
        cursor: find.cursor,
        limit: find.limit,
    }
    .paging()?;
    let request = Search {
        query,
        room_id: find.room_id,
        paging,
    };
    ok(api.db.search(call, request).await?)
}
