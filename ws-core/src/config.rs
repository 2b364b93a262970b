//! A gateway as a process: its configuration, and how it is served.

use std::sync::Arc;

use bus::Bus;
use common::{frame::SocketLimits, service_token::ServiceKey};
use db_api::DbApi;
use service::{
    CancellationToken, Common, Door, Env, Faults, Listeners, Metrics, Verifier,
    internal::{self, ready},
    metrics::HttpMetrics,
};

use crate::{Gateway, door, socket::Settings};

#[derive(Clone)]
pub struct Config {
    pub common: Common,
    /// Home first.
    pub db_core_urls: Vec<String>,
    pub service_key: ServiceKey,
    pub jwks_url: String,
    pub issuer: String,
    pub redis_url: String,
    pub redis_prefix: String,
    pub settings: Settings,
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
            redis_url: env.required("CHAT_REDIS_URL"),
            redis_prefix: env.text("CHAT_REDIS_PREFIX").unwrap_or_default(),
            settings: settings(&mut env),
        };
        env.finish()?;
        Ok(config)
    }
}

/// The limits of a socket, of which the rates can be set: a burst is twice a second's worth.
pub fn settings(env: &mut Env) -> Settings {
    let usual = SocketLimits::default();
    let frames_per_second = env.parsed("CHAT_FRAMES_PER_SECOND", usual.frames_per_second);
    let sends_per_second = env.parsed("CHAT_SENDS_PER_SECOND", usual.sends_per_second);
    let limits = SocketLimits {
        frames_per_second,
        frame_burst: frames_per_second.saturating_mul(2),
        sends_per_second,
        send_burst: sends_per_second.saturating_mul(2),
        ..usual
    };
    Settings {
        limits,
        ..Settings::default()
    }
}

/// Serves sockets until `stop`; then they are sent away, and whoever comes is refused until the last one is gone.
pub async fn serve(
    common: Common,
    settings: Settings,
    db: Arc<dyn DbApi>,
    bus: Arc<dyn Bus>,
    verifier: Verifier,
    listeners: Listeners,
    stop: CancellationToken,
) {
    let metrics = Metrics::new("ws", &common.pod);
    // The gateway listens on while its sockets are told to leave.
    let ended = CancellationToken::new();
    let _end = ended.clone().drop_guard();
    let gateway = Gateway::start(db, bus, verifier.clone(), settings, &metrics, ended);
    let door = Door {
        service: "ws",
        metrics: HttpMetrics::new(&metrics, "ws_http"),
        allowed_origins: common.allowed_origins,
        trusted_proxies: common.trusted_proxies,
    };
    let asked = gateway.clone();
    let ready = ready(move || {
        let missing = match (asked.is_draining(), verifier.is_ready(), asked.admission.is_ready()) {
            (true, _, _) => Some("draining"),
            (_, false, _) => Some("there are no keys to verify tokens with"),
            (_, _, false) => Some("it is not known which sessions were ended"),
            _ => None,
        };
        async move { missing.map_or(Ok(None), |missing| Err(missing.to_owned())) }
    });
    let (draining, emptied) = (gateway.clone(), CancellationToken::new());
    tokio::join!(
        service::serve(listeners.public, door.keep(door::router(gateway)), emptied.clone()),
        service::serve(listeners.internal, internal::router(metrics, ready), emptied.clone()),
        async move {
            stop.cancelled().await;
            draining.drain();
            draining.emptied().await;
            emptied.cancel();
        },
    );
}
