//! My profile, and finding people.

use axum::extract::State;
use common::{
    Problem, UserId,
    room::{Page, User},
    text::{DisplayName, Query as Start},
};
use db_api::types::{FindUsers, GetUser, Nothing, UpdateMe};
use http_contract::{Body, PathId, Query};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Reader, Writer, ok},
    openapi::{ProblemBody, Reading, Writing},
    paging::PageQuery,
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(me, update_me))
        .routes(routes!(find_users))
        .routes(routes!(user))
}

/// My own profile.
#[utoipa::path(get, path = "/api/me", tag = "people", responses((status = 200, body = User), Reading))]
async fn me(State(api): State<Api>, Reader(call): Reader) -> Answered {
    ok(api.db.me(call, Nothing {}).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UpdateMeBody {
    #[serde(default)]
    #[schema(nullable = false)]
    display_name: Option<DisplayName>,
}

/// Changes my profile.
#[utoipa::path(patch, path = "/api/me", tag = "people", request_body = UpdateMeBody,
    responses((status = 200, body = User), Writing))]
async fn update_me(State(api): State<Api>, Writer(call): Writer, Body(body): Body<UpdateMeBody>) -> Answered {
    ok(api
        .db
        .update_me(
            call,
            UpdateMe {
                display_name: body.display_name,
            },
        )
        .await?)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FindQuery {
    /// The start of a username or of a display name, at least 2 characters.
    query: String,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// People by the start of a name.
#[utoipa::path(get, path = "/api/users", tag = "people", params(FindQuery),
    responses((status = 200, body = Page<User>), Reading))]
async fn find_users(State(api): State<Api>, Reader(call): Reader, Query(find): Query<FindQuery>) -> Answered {
    let query = Start::parse(find.query).map_err(|bad| Problem::field("?query", bad.to_string()))?;
    let paging = PageQuery {
        cursor: find.cursor,
        limit: find.limit,
    }
    .paging()?;
    ok(api.db.find_users(call, FindUsers { query, paging }).await?)
}

/// One person.
#[utoipa::path(get, path = "/api/users/{id}", tag = "people", params(("id" = UserId, Path)),
    responses((status = 200, body = User), (status = 404, body = ProblemBody, content_type = "application/problem+json"), Reading))]
async fn user(State(api): State<Api>, Reader(call): Reader, PathId(user_id): PathId<UserId>) -> Answered {
    ok(api.db.user(call, GetUser { user_id }).await?)
}
