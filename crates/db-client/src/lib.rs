//! db-core's contract over HTTP, from the caller's side. A call that got no answer is `unavailable`: what it asked may have
//! happened, which is why appends carry ids of their own.

use async_trait::async_trait;
use bytes::Bytes;
use common::{
    Timestamp, limits,
    room::{Invite, Member, Message, Page, ReadMarker, Room, User},
    service_token::{Service, ServiceKey},
};
use db_api::{Answer, Call, DbApi, Refusal, Reply, VERSION, types::*, with_operations};
use http::{Request, header};
use http_body_util::Full;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use service::{
    client::{HttpClient, call, client},
    minted,
};

/// Bytes of an answer that are read: a full page with its quotes.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

pub struct DbClient {
    http: HttpClient,
    base: String,
    service: Service,
    key: ServiceKey,
    /// The token in use, and until when.
    token: Mutex<Option<(String, Timestamp)>>,
}

#[derive(Serialize)]
struct Asked<'a, T> {
    call: &'a Call,
    request: &'a T,
}

impl DbClient {
    /// `url` is db-core's origin, without a slash at its end.
    pub fn new(url: &str, service: Service, key: ServiceKey) -> Self {
        Self {
            http: client(),
            base: format!("{url}/{VERSION}"),
            service,
            key,
            token: Mutex::default(),
        }
    }

    /// A token that is good for at least half its life.
    fn token(&self) -> Result<String, Refusal> {
        let (now, mut held) = (minted::now(), self.token.lock());
        if let Some((token, until)) = held.as_ref()
            && now < *until
        {
            return Ok(token.clone());
        }
        let token = self.key.issue(self.service, now).map_err(|_| Refusal::Internal)?;
        *held = Some((token.clone(), now.plus(limits::SERVICE_TOKEN_LIFE / 2)));
        Ok(token)
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        operation: &str,
        circumstances: Call,
        request: Q,
    ) -> Reply<A> {
        let body = serde_json::to_vec(&Asked {
            call: &circumstances,
            request: &request,
        });
        let http = Request::post(format!("{}/{operation}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token()?))
            .body(Full::<Bytes>::from(body.map_err(|_| Refusal::Internal)?))
            .map_err(|_| Refusal::Internal)?;
        let response = call(&self.http, http, circumstances.deadline(), ANSWER_BYTES)
            .await
            .map_err(|error| Refusal::unavailable(error.to_string()))?;
        if response.status().is_success() {
            return serde_json::from_slice::<Answer<A>>(response.body())
                .map_err(|error| Refusal::unavailable(format!("db-core's answer can't be read: {error}")));
        }
        // An answer that is no refusal comes from something between us and db-core.
        Err(serde_json::from_slice(response.body())
            .unwrap_or_else(|_| Refusal::unavailable(format!("db-core answered {}", response.status()))))
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
