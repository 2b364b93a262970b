//! The internal port: figures, and whether the process lives and is ready. Never reachable from outside.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};

use crate::Metrics;

/// Says what is missing until the service can do its work.
pub type Ready = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

pub fn ready<F>(check: impl Fn() -> F + Send + Sync + 'static) -> Ready
where
    F: Future<Output = Result<(), String>> + Send + 'static,
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

async fn readiness(State(ready): State<Ready>) -> impl IntoResponse {
    match ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
    }
}
