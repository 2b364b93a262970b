//! db-core as a process: its configuration, and how it is served.

use std::sync::Arc;

use bus::{Bus, MemoryBus, RedisBus};
use common::server_key::ServerKey;
use service::{
    CancellationToken, Common, Env, Faults, Listeners, Metrics,
    internal::{self, ready},
};

use crate::{
    Core, Parts, Registration, Store,
    cache::{Cache, MemoryCache, RedisCache},
    doors::{self, Door},
    http::{ServiceKeys, parse_keys, router},
};

#[derive(Clone)]
pub struct Config {
    pub common: Common,
    pub postgres_url: String,
    /// Without one the cache and the bus are this process's own, and it must be the only db-core.
    pub redis_url: Option<String>,
    pub redis_prefix: String,
    pub registration: Registration,
    pub server_key: ServerKey,
    pub service_keys: ServiceKeys,
    /// Who is told which sessions were ended.
    pub doors: Vec<Door>,
}

impl Config {
    /// # Errors
    /// All faults at once, by the names of the variables.
    pub fn read(mut env: Env) -> Result<Self, Faults> {
        let registrations = [("open", Registration::Open), ("closed", Registration::Closed)];
        let config = Self {
            common: Common::read(&mut env),
            postgres_url: env.required("CHAT_POSTGRES_URL"),
            redis_url: env.text("CHAT_REDIS_URL"),
            redis_prefix: env.text("CHAT_REDIS_PREFIX").unwrap_or_default(),
            registration: env.word("CHAT_REGISTRATION", &registrations, Registration::Open),
            server_key: ServerKey::new(env.keys("CHAT_SERVER_KEY")),
            service_keys: env.parsed_with("CHAT_SERVICE_KEYS", parse_keys).unwrap_or_default(),
            doors: env.list("CHAT_DOORS"),
        };
        for door in &config.doors {
            if !config.service_keys.contains_key(&door.service) {
                env.fault(
                    "CHAT_DOORS",
                    format!("`{}` has no key in CHAT_SERVICE_KEYS", door.service.as_str()),
                );
            }
        }
        env.finish()?;
        Ok(config)
    }
}

/// Why db-core did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] crate::StoreError),
    #[error(transparent)]
    Bus(#[from] bus::BusError),
    #[error(transparent)]
    Cache(#[from] crate::cache::CacheError),
    #[error("passwords cannot be hashed: {0}")]
    Passwords(db_api::Refusal),
}

impl Config {
    /// Opens what the configuration names. `bus` is given where it is shared with gateways of the same process.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(&self, bus: Option<Arc<dyn Bus>>, metrics: &Metrics) -> Result<Arc<Core>, StartError> {
        let store = Store::open(&self.postgres_url).await?;
        let (own_bus, cache): (Arc<dyn Bus>, Arc<dyn Cache>) = match &self.redis_url {
            Some(url) => (
                Arc::new(RedisBus::new(url, &self.redis_prefix)?),
                Arc::new(RedisCache::start(url, &self.redis_prefix, store.fence())?),
            ),
            None => (Arc::new(MemoryBus::new()), Arc::new(MemoryCache::default())),
        };
        let parts = Parts {
            store,
            cache,
            bus: bus.unwrap_or(own_bus),
            server_key: self.server_key.clone(),
            registration: self.registration,
            metrics: metrics.clone(),
        };
        Core::new(parts).map_err(StartError::Passwords)
    }
}

/// Serves the contract and tells the doors, until `stop`.
pub async fn serve(
    core: Arc<Core>,
    keys: ServiceKeys,
    doors: Vec<Door>,
    metrics: Metrics,
    listeners: Listeners,
    stop: CancellationToken,
) {
    let checked = core.clone();
    let ready = ready(move || {
        let core = checked.clone();
        async move {
            let health = core
                .do_health(db_api::Call::anonymous().within(common::limits::HEALTH_DEADLINE))
                .await;
            match health {
                Ok(health) if health.database => Ok(None),
                _ => Err("the database does not answer".to_owned()),
            }
        }
    });
    tokio::join!(
        doors::tell(core.clone(), doors, keys.clone(), stop.clone()),
        service::serve(listeners.public, router(core, keys), stop.clone()),
        service::serve(listeners.internal, internal::router(metrics, ready), stop),
    );
}
