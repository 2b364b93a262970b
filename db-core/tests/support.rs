//! A db-core on a fresh database, served directly and over HTTP, for the suites that run on both.

#![allow(dead_code, clippy::unwrap_used, reason = "each suite uses a part")]

use std::{collections::HashMap, sync::Arc};

use bus::{Bus, MemoryBus};
use common::{
    MessageId, RoomId,
    event::Content,
    refresh::RefreshKey,
    room::{Encryption, Visibility},
    service_token::{Service, ServiceKey},
    text::{Body, Password, RoomName, Username},
    token::Actor,
};
use db_api::{Call, DbApi, types::*};
use db_client::DbClient;
use db_core::{Core, Parts, Registration, Store, cache::MemoryCache, http};
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
        refresh_key: RefreshKey::new([7; 32]),
        registration: Registration::Open,
        metrics: Metrics::new("db", "test"),
    }
}

/// A db-core, called directly.
pub async fn direct() -> Arc<dyn DbApi> {
    core_on(&fresh_database().await, Arc::new(MemoryBus::new())).await
}

/// The same over HTTP, as each of the services calls it.
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
    let client = |service: Service| (service, DbClient::new(&url, service, key(service)));
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

use common::room::{Member, Message, Page, Room, User};
db_api::with_operations!(as_the_first_that_may);

/// Somebody with an account and a session.
pub async fn person(db: &dyn DbApi, name: &str) -> Actor {
    let request = Register {
        username: Username::parse(name).unwrap(),
        password: Password::parse("correct horse battery").unwrap(),
        display_name: None,
        device: None,
    };
    let grant = db
        .register(Call::anonymous().within(common::limits::HASH_DEADLINE), request)
        .await
        .unwrap()
        .value;
    actor(&grant)
}

pub fn actor(grant: &SessionGrant) -> Actor {
    Actor {
        user_id: grant.user.id,
        session_id: grant.session_id,
        role: grant.role,
        scopes: grant.scopes.clone(),
        expires_at: minted::now(),
    }
}

pub async fn room(db: &dyn DbApi, owner: &Actor, members: &[&Actor]) -> Room {
    let request = CreateRoom {
        name: RoomName::parse("Tea").unwrap(),
        topic: None,
        visibility: Visibility::Private,
        encryption: Encryption::None,
        member_ids: members.iter().map(|member| member.user_id).collect(),
    };
    db.create_room(Call::of(owner.clone()), request).await.unwrap().value
}

pub fn draft(sender: &Actor, room_id: RoomId, message_id: MessageId) -> Draft {
    Draft {
        actor: sender.clone(),
        room_id,
        message_id,
        content: Content::Message(Body::parse("hi").unwrap()),
        reply_to: None,
        mentions: Vec::new(),
        ws_id: None,
        traceparent: None,
    }
}

pub fn fresh_message() -> MessageId {
    MessageId(minted::id())
}

pub async fn append(db: &dyn DbApi, drafts: Vec<Draft>) -> Vec<Outcome> {
    db.append(Call::anonymous(), Append { drafts })
        .await
        .unwrap()
        .value
        .outcomes
}

/// The whole log of a room.
pub async fn log(db: &dyn DbApi, member: &Actor, room_id: RoomId) -> Vec<common::event::Event> {
    let request = Events {
        room_id,
        after: common::Seq::ZERO,
        limit: 1_000,
    };
    db.events(Call::of(member.clone()), request).await.unwrap().value.items
}
