//! All services in one process. Each has its own sockets as in production; only db-core is called directly, and without a
//! Redis the bus and the cache are this process's own.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use anyhow::Context;
use bus::{Bus, MemoryBus, RedisBus};
use common::{
    key_list::KeyList,
    service_token::{Service, ServiceKey},
};
use db_api::DbApi;
use service::{CancellationToken, Env, Listeners, Metrics, Verifier, serve::bind};
use tokio::task::JoinSet;

use crate::{
    Endpoints, Folder, Keys, Settings,
    settings::{Addresses, common, origin},
};

/// The running services.
pub struct Single {
    pub endpoints: Endpoints,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

struct Bound {
    listeners: Listeners,
    public: SocketAddr,
    internal: SocketAddr,
}

async fn bound(port: u16) -> anyhow::Result<Bound> {
    let listeners = Listeners {
        public: bind(([127, 0, 0, 1], port).into()).await?,
        internal: bind(([127, 0, 0, 1], 0).into()).await?,
    };
    let (public, internal) = (listeners.public.local_addr()?, listeners.internal.local_addr()?);
    Ok(Bound {
        listeners,
        public,
        internal,
    })
}

impl Single {
    /// Starts everything; the addresses answer when this returns, maybe with `unavailable` for a moment.
    ///
    /// # Errors
    /// When a port is taken or the database can't be used.
    pub async fn start(settings: &Settings, folder: &Folder, stop: CancellationToken) -> anyhow::Result<Self> {
        let keys = Keys::of(folder)?;
        let web = bound(settings.port).await?;
        let (api, db) = (bound(0).await?, bound(0).await?);
        let mut gateways = Vec::new();
        for _ in 0..settings.gateways {
            gateways.push(bound(0).await?);
        }
        let at = Addresses {
            web: web.public,
            api: api.public,
            dbs: vec![db.public],
            gateways: gateways.iter().map(|gateway| gateway.public).collect(),
        };
        let mut metrics = BTreeMap::new();
        for (name, bound) in [("edge-auth", &web), ("api-functions", &api), ("db-core", &db)] {
            metrics.insert(name.to_owned(), format!("{}/metrics", origin(bound.internal)));
        }
        let environment =
            |name: &str, service: Service| settings.environment(name, keys.of_service(service), &keys, &at);

        let bus: Arc<dyn Bus> = match &settings.redis_url {
            Some(url) => Arc::new(RedisBus::new(url, "")?),
            None => Arc::new(MemoryBus::new()),
        };
        let db_config = db_core::Config::read(Env::new(environment("db-core", Service::WsCore)))?;
        let db_metrics = Metrics::new("db", "db-core");
        let core = db_config
            .start(Some(bus.clone()), &db_metrics)
            .await
            .context("db-core did not start")?;
        let direct: Arc<dyn DbApi> = core.clone();

        let api_key: KeyList = keys
            .of_service(Service::ApiFunctions)
            .parse()
            .map_err(anyhow::Error::msg)?;
        let edge = edge_auth::Config::read(Env::new(environment("edge-auth", Service::EdgeAuth)))?;
        let verifier = Verifier::start(edge.issuer.clone(), format!("{}/.well-known/jwks.json", origin(at.web)));
        let mut tasks = JoinSet::new();
        tasks.spawn(db_core::serve(
            core,
            db_config.service_keys,
            db_config.doors,
            db_metrics,
            db.listeners,
            stop.clone(),
        ));
        tasks.spawn(edge_auth::serve(edge, direct.clone(), web.listeners, stop.clone()));
        let api_common = common(&environment("api-functions", Service::ApiFunctions));
        tasks.spawn(api_functions::serve(
            api_common,
            ServiceKey::new(api_key),
            direct.clone(),
            verifier.clone(),
            api.listeners,
            stop.clone(),
        ));
        for (number, gateway) in gateways.into_iter().enumerate() {
            let name = format!("ws-core-{number}");
            metrics.insert(name.clone(), format!("{}/metrics", origin(gateway.internal)));
            let variables = environment(&name, Service::WsCore);
            let socket = ws_core::settings(&mut Env::new(variables.iter().cloned()));
            let (db, bus, verifier) = (direct.clone(), bus.clone(), verifier.clone());
            tasks.spawn(ws_core::serve(
                common(&variables),
                socket,
                db,
                bus,
                verifier,
                gateway.listeners,
                stop.clone(),
            ));
        }
        let endpoints = Endpoints {
            web: origin(at.web),
            auth: origin(at.web),
            api: origin(at.api),
            ws: at.gateways.iter().map(|gateway| format!("ws://{gateway}/ws")).collect(),
            db: origin(db.public),
            redis: settings.redis_url.clone(),
            postgres: Some(settings.postgres_url.clone()),
            metrics,
            pids: BTreeMap::from([("stack".to_owned(), vec![std::process::id()])]),
            logs: folder.logs(),
            signing_key: keys.signing.clone(),
        };
        Ok(Self { endpoints, tasks, stop })
    }

    /// Returns once everything has ended: after a stop, or because a service gave up, which stops the others.
    pub async fn ended(mut self) {
        while self.tasks.join_next().await.is_some() {
            self.stop.cancel();
        }
    }
}
