//! Plumbing that every native process shares. Nothing here knows what a room is.

pub mod client;
pub mod config;
pub mod door;
pub mod internal;
pub mod metrics;
pub mod minted;
mod patience;
pub mod secret_file;
pub mod serve;
pub mod shutdown;
pub mod telemetry;
pub mod verifier;

pub use config::{Common, Env, Faults};
pub use door::Door;
pub use metrics::Metrics;
pub use serve::{Listeners, serve};
pub use tokio_util::{sync::CancellationToken, task::TaskTracker};
pub use verifier::Verifier;
