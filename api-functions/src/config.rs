//! api-functions as a plain server: its configuration, and how it is served.

use std::sync::Arc;

use admission::{Admission, receiver};
use common::service_token::{Service, ServiceKey};
use db_api::DbApi;
use service::{
    CancellationToken, Common, Door, Env, Faults, Listeners, Metrics, Verifier,
    internal::{self, ready},
    metrics::HttpMetrics,
    minted,
};

use crate::{Api, router};

#[derive(Clone)]
pub struct Config {
    pub common: Common,
    /// Home first.
    pub db_core_urls: Vec<String>,
    pub service_key: ServiceKey,
    pub jwks_url: String,
    pub issuer: String,
}

impl Config {
    /// # Errors
    /// All faults at once, by the names of the variables.
    pub fn read(mut env: Env) -> Result<Self, Faults> {
        let config = Self {
            common: Common::read(&mut env),
            db_core_urls: env.some("CHAT_DB_CORE_URLS"),
            service_key: ServiceKey::new(env.keys("CHAT_SERVICE_KEY")),
            jwks_url: env.required("CHAT_JWKS_URL"),
            issuer: env.required("CHAT_ISSUER"),
        };
        env.finish()?;
        Ok(config)
    }
}

/// Serves until `stop`.
pub async fn serve(
    common: Common,
    service_key: ServiceKey,
    db: Arc<dyn DbApi>,
    verifier: Verifier,
    listeners: Listeners,
    stop: CancellationToken,
) {
    let metrics = Metrics::new("api", &common.pod);
    let door = Door {
        service: "api",
        metrics: HttpMetrics::new(&metrics, "api"),
        allowed_origins: common.allowed_origins,
        trusted_proxies: common.trusted_proxies,
    };
    let admission = Admission::new(db.clone(), minted::now);
    let told = receiver(admission.clone(), Service::ApiFunctions, service_key);
    let public = door.keep(router(Api::new(db, verifier.clone(), admission.clone(), &metrics)));
    let ready = ready(move || {
        let readiness = match verifier.is_ready() {
            true => Ok(admission.missing()),
            false => Err("there are no keys to verify tokens with".to_owned()),
        };
        async move { readiness }
    });
    tokio::join!(
        service::serve(listeners.public, told.merge(public), stop.clone()),
        service::serve(listeners.internal, internal::router(metrics, ready), stop),
    );
}
