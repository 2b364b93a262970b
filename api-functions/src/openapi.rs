//! The API's description (OpenAPI 3.1), made from the routes themselves.

use axum::{Json, extract::State, response::IntoResponse};
use common::{Code, limits, problem::FieldError};
use db_api::{Call, types::Nothing};
use serde::Serialize;
use utoipa::{
    IntoResponses, OpenApi, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Required, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Api, auth, caller::Answered};

#[derive(OpenApi)]
#[openapi(
    info(title = "Distributed chat: HTTP API", description = "The public contract, sections 2 and 3.", license(name = "MIT", identifier = "MIT")),
    servers((url = "/", description = "The one origin")),
    security(("bearer" = [])),
    paths(
        auth::register, auth::login, auth::refresh, auth::logout, auth::verify, auth::published_keys,
        auth::sessions, auth::end_session, auth::change_password
    ),
    components(schemas(ProblemBody)),
    modifiers(&Schemes, &OptionalBodies)
)]
struct Description;

/// The ways to say who asks.
struct Schemes;

impl utoipa::Modify for Schemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        let cookie = ApiKeyValue::with_description("chat_refresh", "Taken from our own pages alone: with an `Origin`");
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("refresh", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// A browser sends no body where its cookie says it all; one that is `null` is still none.
struct OptionalBodies;

impl utoipa::Modify for OptionalBodies {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for path in ["/auth/refresh", "/auth/logout"] {
            let operation = openapi.paths.paths.get_mut(path).and_then(|item| item.post.as_mut());
            if let Some(RefOr::T(body)) = operation.and_then(|operation| operation.request_body.as_mut()) {
                body.required = Some(Required::False);
            }
        }
    }
}

pub fn base() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// Problem details (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "it describes what http-contract writes")]
pub struct ProblemBody {
    r#type: String,
    title: String,
    status: u16,
    code: Code,
    detail: String,
    #[schema(rename = "requestId")]
    request_id: String,
    #[schema(required = false)]
    errors: Vec<FieldError>,
}

macro_rules! problems {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $status:literal $what:literal),* }) => {
        $(#[$doc])*
        #[derive(IntoResponses)]
        #[allow(dead_code, reason = "it describes")]
        pub enum $name {
            $(#[response(status = $status, description = $what, content_type = "application/problem+json")]
            $variant(ProblemBody)),*
        }
    };
}

problems!(
    /// What any call with a token can be refused with.
    Reading {
        Invalid = 400 "`invalid-request`",
        Unauthenticated = 401 "`unauthenticated`, `token-expired`",
        Forbidden = 403 "`forbidden`",
        Limited = 429 "`rate-limited`",
        Internal = 500 "`internal`",
        Unavailable = 503 "`unavailable`"
    }
);

problems!(
    /// What a call with a body can be refused with.
    Writing {
        Invalid = 400 "`invalid-request`",
        Unauthenticated = 401 "`unauthenticated`, `token-expired`",
        Forbidden = 403 "`forbidden`, `not-a-member`",
        Conflict = 409 "`conflict`, `stale-epoch`",
        TooLarge = 413 "`payload-too-large`",
        MediaType = 415 "`unsupported-media-type`",
        Limited = 429 "`rate-limited`",
        Internal = 500 "`internal`",
        Unavailable = 503 "`unavailable`"
    }
);

problems!(
    /// What a call about a room can be refused with.
    InRooms {
        Invalid = 400 "`invalid-request`",
        Unauthenticated = 401 "`unauthenticated`, `token-expired`",
        Forbidden = 403 "`forbidden`, `not-a-member`",
        NotFound = 404 "`not-found`",
        Conflict = 409 "`conflict`, `stale-epoch`",
        Limited = 429 "`rate-limited`",
        Internal = 500 "`internal`",
        Unavailable = 503 "`unavailable`"
    }
);

problems!(
    /// What a call that asks for a session, or gives one up, can be refused with whoever asks.
    Entering {
        Invalid = 400 "`invalid-request`",
        Forbidden = 403 "`forbidden`",
        TooLarge = 413 "`payload-too-large`",
        MediaType = 415 "`unsupported-media-type`",
        Limited = 429 "`rate-limited`",
        Internal = 500 "`internal`",
        Unavailable = 503 "`unavailable`"
    }
);

problems!(
    /// What the look at a token can be refused with.
    Verifying {
        Unauthenticated = 401 "`unauthenticated`, `token-expired`",
        Forbidden = 403 "`forbidden`",
        Internal = 500 "`internal`",
        Unavailable = 503 "`unavailable`"
    }
);

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(description))
}

/// How the system does.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HealthBody {
    /// `ok`, `degraded` (slower, nothing is lost), or `unavailable` (no writes).
    status: &'static str,
    database: bool,
    cache: bool,
    /// An acknowledged write survives the loss of the database leader.
    replicated: bool,
}

/// Whether the core answers, and what an acknowledgement is worth.
#[utoipa::path(get, path = "/api/health", tag = "system", security(()), responses((status = 200, body = HealthBody)))]
async fn health(State(api): State<Api>) -> Answered {
    let call = Call::anonymous().within(limits::HEALTH_DEADLINE);
    let health = api.db.health(call, Nothing {}).await.ok().map(|answer| answer.value);
    let body = match health {
        Some(health) => HealthBody {
            status: if !health.database {
                "unavailable"
            } else if health.cache {
                "ok"
            } else {
                "degraded"
            },
            database: health.database,
            cache: health.cache,
            replicated: health.replicated,
        },
        None => HealthBody {
            status: "unavailable",
            database: false,
            cache: false,
            replicated: false,
        },
    };
    Ok(Json(body).into_response())
}

/// What every `POST` takes.
fn idempotency_key() -> Parameter {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(limits::IDEMPOTENCY_KEY_CHARS));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Visible ASCII. Within 24 hours a repeat does nothing and is answered with the first one's status; with \
             another body it is `conflict`.",
        ))
        .schema(Some(key))
        .build()
}

/// This description.
#[utoipa::path(get, path = "/api/openapi.json", tag = "system", security(()), responses((status = 200, body = serde_json::Value)))]
async fn description() -> Answered {
    Ok(([("content-type", "application/json")], document()).into_response())
}

/// The description as it is committed: pretty JSON with a newline at its end.
pub fn document() -> String {
    let (_, mut openapi) = crate::described().split_for_parts();
    for path in openapi.paths.paths.values_mut() {
        if let Some(post) = &mut path.post {
            post.parameters.get_or_insert_default().push(idempotency_key().into());
        }
    }
    // The description is plain data: it always serialises.
    openapi.to_pretty_json().unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_description_is_the_present_one() {
        let committed = include_str!("../openapi.json");
        assert!(
            committed == super::document(),
            "openapi.json has drifted: write it with `cargo run -p api-functions -- --openapi`"
        );
    }
}
