//! Figures by the seed's names, in Prometheus' text format.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

/// One service's figures. A clone is the same registry.
#[derive(Clone)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// Every figure carries these labels.
    pub fn new(service: &'static str, pod: &str) -> Self {
        let labels = [
            ("service", service),
            ("pod", pod),
            ("version", env!("CARGO_PKG_VERSION")),
        ];
        let labels = labels.map(|(name, value)| (name.into(), value.to_owned().into()));
        Self(Arc::new(Mutex::new(Registry::with_labels(labels.into_iter()))))
    }

    /// Registers a figure; a counter's name gets `_total` when it is written.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        self.0.lock().register(name, help, metric.clone());
        metric
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.0.lock());
        text
    }
}

/// Buckets for durations in seconds, from half a millisecond to ten seconds.
pub const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

pub fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    pub outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Handled {
    pub route: String,
    pub method: String,
    pub code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Route {
    pub route: String,
    pub method: String,
}

/// What the seed counts of HTTP requests.
#[derive(Clone)]
pub struct HttpMetrics {
    pub requests: Family<Handled, Counter>,
    pub durations: Family<Route, Histogram>,
    pub active: Family<Route, Gauge>,
}

impl HttpMetrics {
    /// `prefix` is `api` for `api_requests_total` and so on.
    pub fn new(metrics: &Metrics, prefix: &str) -> Self {
        let named = |rest: &str| format!("{prefix}_{rest}");
        Self {
            requests: metrics.register(&named("requests"), "HTTP requests", Family::default()),
            durations: metrics.register(
                &named("request_duration_seconds"),
                "From the request's head to its answer",
                Family::new_with_constructor(seconds as fn() -> Histogram),
            ),
            active: metrics.register(&named("active_requests"), "Requests in hand", Family::default()),
        }
    }
}
