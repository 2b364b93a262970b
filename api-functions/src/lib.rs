//! api-functions: the public HTTP API as one router (contract, section 3). A handler extracts, makes one call to db-core,
//! answers. The router knows no server, so that the same one runs as a plain server and as a Lambda function.

mod admin;
mod asyncapi;
mod auth;
mod blocks;
mod caller;
mod config;
mod dms;
mod invites;
mod keys;
mod log;
mod markers;
mod members;
mod messages;
mod once;
mod openapi;
mod paging;
mod people;
mod rooms;
mod search;

use std::sync::Arc;

use admission::Admission;
use axum::{Router, middleware::from_fn};
use db_api::DbApi;
use prometheus_client::metrics::{counter::Counter, family::Family};
use service::{Metrics, Verifier, metrics::Outcome};
use utoipa_axum::router::OpenApiRouter;

pub use asyncapi::document as socket_document;
pub use config::{Config, serve};
pub use openapi::document;

/// What every handler works with.
#[derive(Clone)]
pub struct Api {
    pub(crate) db: Arc<dyn DbApi>,
    pub(crate) verifier: Verifier,
    pub(crate) admission: Admission,
    pub(crate) validations: Family<Outcome, Counter>,
}

impl Api {
    pub fn new(db: Arc<dyn DbApi>, verifier: Verifier, admission: Admission, metrics: &Metrics) -> Self {
        let validations = metrics.register("api_jwt_validation", "Access tokens checked", Family::default());
        Self {
            db,
            verifier,
            admission,
            validations,
        }
    }
}

/// Every route, with its description: what is not described can't be served. The description tells of `/auth` too.
fn described() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(openapi::router())
        .merge(asyncapi::router())
        .merge(people::router())
        .merge(blocks::router())
        .merge(rooms::router())
        .merge(dms::router())
        .merge(members::router())
        .merge(invites::router())
        .merge(log::router())
        .merge(markers::router())
        .merge(messages::router())
        .merge(search::router())
        .merge(keys::router())
        .merge(admin::router())
}

pub fn router(api: Api) -> Router {
    let (router, _) = described().split_for_parts();
    router
        .fallback(http_contract::unknown_route)
        .layer(from_fn(once::hash_body))
        .with_state(api)
}
