//! The built page, with headers that let it do what it does and nothing else.

use std::path::PathBuf;

use axum::{
    Router,
    extract::Request,
    handler::HandlerWithoutStateExt,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use common::{Problem, limits};
use http::{HeaderValue, Method, StatusCode, header};
use http_contract::{Refused, problem, unknown_route};
use tower_http::services::ServeDir;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const MISSING: &str = "The page is not built here. `./dev up` builds it; CHAT_WEB_ROOT names its folder.\n";

pub fn service(root: Option<PathBuf>) -> Router {
    let pages = match root {
        Some(root) => {
            let files = ServeDir::new(root).call_fallback_on_method_not_allowed(true);
            Router::new().fallback_service(files.fallback(absent.into_service()))
        }
        None => Router::new().fallback(absent),
    };
    pages.layer(from_fn(guarded))
}

/// No such file. Where even the page is missing, who set this up is told.
async fn absent(request: Request) -> Response {
    if request.uri().path() == "/" && matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::NOT_FOUND, MISSING).into_response();
    }
    unknown_route().await.into_response()
}

async fn guarded(request: Request, next: Next) -> Response {
    if request.uri().path().len() > limits::PAGE_PATH_BYTES {
        return unknown_route().await.into_response();
    }
    // The build names these by their content.
    let hashed = request.uri().path().starts_with("/_astro/");
    let mut response = next.run(request).await;
    if response.status().is_server_error() {
        return Refused(Problem::internal()).into_response();
    }
    if problem::code_of(&response).is_some() {
        return response;
    }
    let lasting = if hashed && response.status().is_success() {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lasting));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
