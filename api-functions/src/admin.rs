//! Accounts, for admins.

use axum::extract::State;
use common::{
    UserId,
    room::{Account, AccountRole, Page},
};
use db_api::types::{Accounts, UpdateAccount};
use http_contract::{Body, PathId, Query};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Writer, ok},
    openapi::{ProblemBody, Reading, Writing},
    paging::PageQuery,
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(accounts))
        .routes(routes!(update_account))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AccountsQuery {
    /// The start of a username.
    query: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Accounts, by username. For admins, with a token that may write.
#[utoipa::path(get, path = "/api/admin/users", tag = "admin", params(AccountsQuery),
    responses((status = 200, body = Page<Account>), Reading))]
async fn accounts(State(api): State<Api>, Writer(call): Writer, Query(asked): Query<AccountsQuery>) -> Answered {
    let paging = PageQuery {
        cursor: asked.cursor,
        limit: asked.limit,
    }
    .paging()?;
    let query = asked.query;
    ok(api.db.accounts(call, Accounts { query, paging }).await?)
}

#[derive(Deserialize, ToSchema)]
struct UpdateAccountBody {
    /// Nobody signs in with it any more.
    #[serde(default)]
    #[schema(nullable = false)]
    disabled: Option<bool>,
    #[serde(default)]
    #[schema(nullable = false)]
    role: Option<AccountRole>,
}

/// Changes an account and ends its sessions. For admins, of whom the last one stays.
#[utoipa::path(patch, path = "/api/admin/users/{id}", tag = "admin", params(("id" = UserId, Path)),
    request_body = UpdateAccountBody,
    responses((status = 200, body = Account), (status = 404, body = ProblemBody, content_type = "application/problem+json"), Writing))]
async fn update_account(
    State(api): State<Api>,
    Writer(call): Writer,
    PathId(user_id): PathId<UserId>,
    Body(body): Body<UpdateAccountBody>,
) -> Answered {
    let request = UpdateAccount {
        user_id,
        disabled: body.disabled,
        role: body.role,
    };
    ok(api.db.update_account(call, request).await?)
}
