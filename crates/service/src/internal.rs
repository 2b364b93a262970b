//! The internal port: figures, and whether the process lives and is ready. Never reachable from outside.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};

use crate::Metrics;

/// Says what is missing until the service can do its work.
pub type Ready = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Readiness> + Send>> + Send + Sync>;

/// Whether requests may come; and if they may, what the service still waits for.
pub type Readiness = Result<Option<&'static str>, String>;

pub fn ready<F>(check: impl Fn() -> F + Send + Sync + 'static) -> Ready
where
    F: Future<Output = Readiness> + Send + 'static,
{
    Arc::new(move || Box::pin(check()))
}

pub fn router(metrics: Metrics, ready: Ready) -> Router {
    Router::new()
        .route("/metrics", get(figures).with_state(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness).with_state(ready))
}

async fn figures(State(metrics): State<Metrics>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        metrics.text(),
    )
}

/// What is said by who waits for nothing.
pub const READY: &str = "ready\n";

async fn readiness(State(ready): State<Ready>) -> impl IntoResponse {
    match ready().await {
        Ok(None) => (StatusCode::OK, READY.to_owned()),
        Ok(Some(missing)) => (StatusCode::OK, format!("ready, but {missing}\n")),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
    }
}
