//! Whom I want to hear nothing of.

use axum::extract::State;
use common::{
    UserId,
    room::{Page, User},
};
use db_api::types::GetUser;
use http_contract::{PathId, Query};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Reader, Writer, done, ok},
    openapi::{ProblemBody, Reading},
    paging::PageQuery,
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(blocks))
        .routes(routes!(block, unblock))
}

/// Whom I block, by username.
#[utoipa::path(get, path = "/api/me/blocks", tag = "people", params(PageQuery),
    responses((status = 200, body = Page<User>), Reading))]
async fn blocks(State(api): State<Api>, Reader(call): Reader, Query(page): Query<PageQuery>) -> Answered {
    ok(api.db.blocks(call, page.paging()?).await?)
}

/// Blocks somebody; again is no error.
#[utoipa::path(put, path = "/api/me/blocks/{userId}", tag = "people", params(("userId" = UserId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"), Reading))]
async fn block(State(api): State<Api>, Writer(call): Writer, PathId(user_id): PathId<UserId>) -> Answered {
    done(api.db.block(call, GetUser { user_id }).await?)
}

/// Ends a block; again is no error.
#[utoipa::path(delete, path = "/api/me/blocks/{userId}", tag = "people", params(("userId" = UserId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"), Reading))]
async fn unblock(State(api): State<Api>, Writer(call): Writer, PathId(user_id): PathId<UserId>) -> Answered {
    done(api.db.unblock(call, GetUser { user_id }).await?)
}
