//! A db-core on a fresh database, served directly and over HTTP, for the suites that run on both.

#![allow(dead_code, clippy::unwrap_used, reason = "each suite uses a part")]

use std::{collections::HashMap, sync::Arc};

use bus::{Bus, MemoryBus};
use common::{
    server_key::ServerKey,
    service_token::{Service, ServiceKey},
};
use db_api::{Call, DbApi, types::*};
use db_client::DbClient;
use db_core::{
    Core, Parts, Registration, Store,
    cache::{MemoryCache, RedisCache},
    http,
};
use service::{CancellationToken, Metrics, minted};
use sqlx::{Connection, PgConnection};

/// The server that the test runner has started.
fn server() -> String {
    std::env::var("CHAT_TEST_POSTGRES").expect("CHAT_TEST_POSTGRES names no Postgres; `./dev test` starts one")
}

pub async fn fresh_database() -> String {
    let name = format!("test_{}", minted::id().simple());
    let mut admin = PgConnection::connect(&server()).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}")))
        .execute(&mut admin)
        .await
        .unwrap();
    let server = server();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

pub async fn core_on(url: &str, bus: Arc<dyn Bus>) -> Arc<Core> {
    Core::new(parts_on(url, bus).await).unwrap()
}

pub async fn parts_on(url: &str, bus: Arc<dyn Bus>) -> Parts {
    Parts {
        store: Store::open(url).await.unwrap(),
        cache: Arc::new(MemoryCache::default()),
        bus,
        server_key: ServerKey::new([7; 32]),
        registration: Registration::Open,
        metrics: Metrics::new("db", "test"),
    }
}

/// A db-core, called directly.
pub async fn direct() -> Arc<dyn DbApi> {
    core_on(&fresh_database().await, Arc::new(MemoryBus::new())).await
}

/// A db-core whose Redis is not there.
pub async fn without_its_cache() -> Arc<dyn DbApi> {
    let parts = parts_on(&fresh_database().await, Arc::new(MemoryBus::new())).await;
    let cache = RedisCache::start("redis://127.0.0.1:1/", "", parts.store.fence()).unwrap();
    Core::new(Parts {
        cache: Arc::new(cache),
        ..parts
    })
    .unwrap()
}

/// The first over HTTP, as each of the services calls it.
pub struct OverHttp(HashMap<Service, DbClient>);

pub async fn over_http() -> Arc<dyn DbApi> {
    let key = |service: Service| ServiceKey::new([service as u8 + 1; 32]);
    let keys = Service::ALL
        .into_iter()
        .map(|service| (service, key(service)))
        .collect();
    let listener = service::serve::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(service::serve(
        listener,
        http::router(direct().await, keys),
        CancellationToken::new(),
    ));
    let client = |service: Service| (service, DbClient::new(&[&url], service, &key(service)));
    Arc::new(OverHttp(Service::ALL.into_iter().map(client).collect()))
}

macro_rules! as_the_first_that_may {
    ($($(#[$doc:meta])* $name:ident [$caller:ident $(, $others:ident)*]: $request:ty => $answer:ty;)*) => {
        #[async_trait::async_trait]
        impl DbApi for OverHttp {
            $(async fn $name(&self, call: Call, request: $request) -> db_api::Reply<$answer> {
                self.0[&Service::$caller].$name(call, request).await
            })*
        }
    };
}

use common::{
    revocation::RevocationList,
    room::{Account, Invite, Member, Message, Page, ReadMarker, Room, User},
};

db_api::with_operations!(as_the_first_that_may);
