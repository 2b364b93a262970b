//! The seed's figures of the auth service.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use common::Problem;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};
use service::{
    Metrics,
    metrics::{Outcome, seconds},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Operation {
    operation: String,
}

#[derive(Clone)]
pub struct Figures {
    logins: Family<Outcome, Counter>,
    issued: Counter,
    latency: Family<Operation, Histogram>,
    validations: Family<Outcome, Counter>,
}

impl Figures {
    pub fn new(metrics: &Metrics) -> Self {
        let latency = Family::new_with_constructor(seconds as fn() -> Histogram);
        Self {
            logins: metrics.register("auth_logins", "Login attempts", Family::default()),
            issued: metrics.register("auth_jwt_issued", "Access tokens minted", Counter::default()),
            latency: metrics.register("auth_latency_seconds", "Operations of auth", latency),
            validations: metrics.register("api_jwt_validation", "Tokens checked at the gate", Family::default()),
        }
    }

    /// What became of a token at the gate.
    pub fn validated<T>(&self, admitted: &Result<T, Problem>) {
        let outcome = match admitted {
            Ok(_) => "ok",
            Err(problem) if problem.code == common::Code::TokenExpired => "expired",
            Err(_) => "fail",
        };
        self.validations.get_or_create(&Outcome { outcome }).inc();
    }
}

pub async fn count(State(figures): State<Figures>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    let operation = route.rsplit('/').next().unwrap_or_default().to_owned();
    let started = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    if operation == "login" {
        let outcome = match status {
            200 => "ok",
            401 => "invalid",
            429 => "limited",
            400..=499 => "refused",
            _ => "error",
        };
        figures.logins.get_or_create(&Outcome { outcome }).inc();
    }
    if matches!(operation.as_str(), "login" | "register" | "refresh") && matches!(status, 200 | 201) {
        figures.issued.inc();
    }
    figures
        .latency
        .get_or_create(&Operation { operation })
        .observe(started.elapsed().as_secs_f64());
    response
}
