//! One call on the wire.

use std::time::Duration;

use bytes::Bytes;
use common::{
    Timestamp, limits,
    service_token::{Service, ServiceKey},
};
use db_api::{Answer, Call, Refusal, Reply, VERSION};
use http::{Request, header};
use http_body_util::Full;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use service::{
    client::{HttpClient, NoAnswer, call, client},
    minted,
};

/// Bytes of an answer that are read: a full page with its quotes.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

pub struct Wire {
    http: HttpClient,
    base: String,
    service: Service,
    key: ServiceKey,
    /// The token in use, and until when.
    token: Mutex<Option<(String, Timestamp)>>,
}

/// What became of a call.
pub enum Asked<A> {
    /// db-core said something, if only no.
    Answer(Reply<A>),
    /// Nothing came back, or nothing of db-core's; why, for the log.
    Silence(String),
    /// Nobody took it; why, for the log.
    Unreached(String),
    /// It could not be put on the wire.
    Unsent(Refusal),
}

#[derive(Serialize)]
struct Body<'a, T> {
    call: &'a Call,
    request: &'a T,
}

impl Wire {
    pub fn new(url: &str, service: Service, key: ServiceKey) -> Self {
        Self {
            http: client(),
            base: format!("{url}/{VERSION}"),
            service,
            key,
            token: Mutex::default(),
        }
    }

    /// Asks, and waits for the answer: as long as the call says, or longer for one that is to be answered late.
    pub async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        operation: &str,
        circumstances: &Call,
        wait: Duration,
        request: &Q,
    ) -> Asked<A> {
        let http = match self.request(operation, circumstances, request) {
            Ok(http) => http,
            Err(refusal) => return Asked::Unsent(refusal),
        };
        let response = match call(&self.http, http, wait, ANSWER_BYTES).await {
            Ok(response) => response,
            Err(NoAnswer::Unreached(reason)) => return Asked::Unreached(reason),
            Err(NoAnswer::Lost(reason)) => return Asked::Silence(reason),
        };
        let status = response.status();
        if status.is_success() {
            let answer = serde_json::from_slice::<Answer<A>>(response.body());
            return Asked::Answer(
                answer.map_err(|error| Refusal::unavailable(format!("db-core's answer can't be read: {error}"))),
            );
        }
        match serde_json::from_slice::<Refusal>(response.body()) {
            Ok(refusal) => Asked::Answer(Err(refusal)),
            // It comes from something between us and db-core.
            Err(_) if status.is_server_error() => Asked::Silence(format!("db-core answered {status}")),
            Err(_) => Asked::Answer(Err(Refusal::unavailable(format!("db-core answered {status}")))),
        }
    }

    fn request<Q: Serialize>(
        &self,
        operation: &str,
        call: &Call,
        request: &Q,
    ) -> Result<Request<Full<Bytes>>, Refusal> {
        let body = serde_json::to_vec(&Body { call, request }).map_err(|_| Refusal::Internal)?;
        Request::post(format!("{}/{operation}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token()?))
            .body(Full::<Bytes>::from(body))
            .map_err(|_| Refusal::Internal)
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
}
