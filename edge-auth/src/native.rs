//! edge-auth as a process: the same decisions, served by hyper, with the page and the ways to API and gateways.

mod assets;
mod figures;
mod headers;
mod keys;
mod proxy;
mod tunnel;
mod upstreams;

pub use keys::{LEAD, RotationError, rotate};
pub use upstreams::Origin;

use std::{path::PathBuf, sync::Arc};

use admission::receiver;
use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{any, get},
};
use common::{
    jwk::SigningKey,
    key_ring::KeyRing,
    limits,
    service_token::{Service, ServiceKey},
};
use db_api::DbApi;
use service::{
    CancellationToken, Common, Door, Env, Faults, Listeners, Metrics, TaskTracker,
    internal::{self, ready},
    metrics::HttpMetrics,
    minted,
};

use crate::{Edge, SecureCookies, Source, auth};

#[derive(Clone)]
pub struct Config {
    pub common: Common,
    /// Home first.
    pub db_core_urls: Vec<String>,
    pub service_key: ServiceKey,
    pub signing_keys: KeyRing,
    /// Where they are from, to be read again.
    pub signing_keys_file: Option<PathBuf>,
    pub issuer: String,
    pub api_origins: Vec<Origin>,
    pub ws_origins: Vec<Origin>,
    /// The built page.
    pub web_root: Option<PathBuf>,
    pub secure_cookies: SecureCookies,
}

impl Config {
    /// # Errors
    /// All faults at once, by the names of the variables.
    pub fn read(mut env: Env) -> Result<Self, Faults> {
        let secure = [
            ("auto", SecureCookies::Auto),
            ("on", SecureCookies::Always),
            ("off", SecureCookies::Never),
        ];
        let common = Common::read(&mut env);
        let db_core_urls = env.some("CHAT_DB_CORE_URLS");
        let service_key = ServiceKey::new(env.keys("CHAT_SERVICE_KEY"));
        let signing_keys = env.parsed_with("CHAT_SIGNING_KEY", |json| {
            KeyRing::from_json(json).map_err(|error| error.to_string())
        });
        let config = Self {
            common,
            db_core_urls,
            service_key,
            // Never used: without a key there is a fault, and no configuration.
            signing_keys: signing_keys.unwrap_or_else(|| KeyRing::of(SigningKey::from_seed([0; 32]))),
            signing_keys_file: env.file_of("CHAT_SIGNING_KEY"),
            issuer: env.required("CHAT_ISSUER"),
            api_origins: env.list("CHAT_API_ORIGINS"),
            ws_origins: env.list("CHAT_WS_ORIGINS"),
            web_root: env.text("CHAT_WEB_ROOT").map(PathBuf::from),
            secure_cookies: env.word("CHAT_SECURE_COOKIES", &secure, SecureCookies::Auto),
        };
        env.finish()?;
        Ok(config)
    }
}

/// What the shell needs besides the decisions.
#[derive(Clone)]
struct Shell {
    edge: Edge,
    api: upstreams::Upstreams,
    gateways: upstreams::Upstreams,
    client: service::client::HttpClient,
    figures: figures::Figures,
    /// The sockets that go through here.
    tunnels: TaskTracker,
}

/// The one origin: auth, gate, page.
fn router(config: &Config, edge: Edge, metrics: &Metrics, tunnels: TaskTracker) -> Router {
    let told = receiver(edge.admission().clone(), Service::EdgeAuth, config.service_key.clone());
    let figures = figures::Figures::new(metrics);
    let auth = auth::router(edge.clone()).layer(from_fn_with_state(figures.clone(), figures::count));
    let shell = Shell {
        edge,
        api: upstreams::Upstreams::new(&config.api_origins),
        gateways: upstreams::Upstreams::new(&config.ws_origins),
        client: service::client::client(),
        figures,
        tunnels,
    };
    let gated = Router::new()
        .route("/api", any(proxy::forward))
        .route("/api/{*path}", any(proxy::forward))
        .route("/ws", get(tunnel::pass))
        .with_state(shell);
    let door = Door {
        service: "auth",
        metrics: HttpMetrics::new(metrics, "auth_http"),
        allowed_origins: config.common.allowed_origins.clone(),
        trusted_proxies: config.common.trusted_proxies.clone(),
    };
    let public = auth.merge(gated);
    told.merge(door.keep(public.fallback_service(assets::service(config.web_root.clone()))))
}

/// Serves until `stop`. Then the tunnels stay for [`limits::DRAIN_DEADLINE`] at most, so that gateways that stop too can
/// tell their sockets.
pub async fn serve(config: Config, db: Arc<dyn DbApi>, listeners: Listeners, stop: CancellationToken) {
    let metrics = Metrics::new("auth", &config.common.pod);
    let tunnels = TaskTracker::new();
    let source = Source {
        now: minted::now,
        id: minted::id,
    };
    let edge = Edge::new(
        db,
        config.signing_keys.clone(),
        config.issuer.clone(),
        config.common.allowed_origins.clone(),
        config.secure_cookies,
        source,
    );
    let admission = edge.admission().clone();
    let following = config
        .signing_keys_file
        .clone()
        .map(|file| keys::follow(edge.clone(), file));
    let public = router(&config, edge, &metrics, tunnels.clone());
    let ready = ready(move || {
        let missing = admission.missing();
        async move { Ok(missing) }
    });
    let drained = async {
        stop.cancelled().await;
        tunnels.close();
        let _ = tokio::time::timeout(limits::DRAIN_DEADLINE, tunnels.wait()).await;
    };
    tokio::join!(
        service::serve(listeners.public, public, stop.clone()),
        service::serve(listeners.internal, internal::router(metrics, ready), stop.clone()),
        drained,
        async {
            if let Some(following) = following {
                stop.run_until_cancelled(following).await;
            }
        },
    );
}
