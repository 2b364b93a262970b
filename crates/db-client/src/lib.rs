//! db-core's contract over HTTP, from the caller's side. A call that got no answer is `unavailable`: what it asked may have
//! happened, which is why appends carry ids of their own.

mod breaker;
mod upstream;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use common::{
    revocation::RevocationList,
    room::{Account, Invite, Member, Message, Page, ReadMarker, Room, User},
    service_token::{Service, ServiceKey},
};
use db_api::{Call, DbApi, Refusal, Reply, types::*, with_operations};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use upstream::{Heard, Upstream};

/// One or several db-core beside each other, each behind a circuit breaker of this process.
///
/// The first is home: every call goes there while it answers, so that sends of one gateway share commits and its reads
/// share look-ups. The others are asked only what was certainly not heard before, in their order: what may have been
/// heard is the caller's to repeat, under its id.
pub struct DbClient(Vec<Arc<Upstream>>);

impl DbClient {
    /// `urls` are origins, without a slash at their ends, home first.
    pub fn new<U: AsRef<str>>(urls: &[U], service: Service, key: &ServiceKey) -> Self {
        let upstream = |url: &U| Arc::new(Upstream::new(url.as_ref(), service, key.clone()));
        Self(urls.iter().map(upstream).collect())
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(&self, operation: &str, mut call: Call, request: Q) -> Reply<A> {
        let until = Instant::now() + call.deadline();
        let mut unheard = Refusal::unavailable("there is no db-core");
        for upstream in &self.0 {
            match upstream.ask(operation, &call, &request).await {
                Heard::Yes(reply) => return reply,
                Heard::No(refusal) => unheard = refusal,
            }
            call = call.within(until.saturating_duration_since(Instant::now()));
        }
        Err(unheard)
    }
}

macro_rules! client {
    ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
        #[async_trait]
        impl DbApi for DbClient {
            $(async fn $name(&self, call: Call, request: $request) -> Reply<$answer> {
                self.ask(stringify!($name), call, request).await
            })*
        }
    };
}

with_operations!(client);
