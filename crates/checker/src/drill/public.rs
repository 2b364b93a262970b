//! The public HTTP API in the place of db-core's contract, as far as a drill asks: so that the same people walk over it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use common::{
    UserId,
    room::{Invite, Member, Message, Page, ReadMarker, Room, User},
};
use db_api::{Answer, Call, DbApi, Refusal, Reply, types::*};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use parking_lot::Mutex;
use serde_json::{Value, json};
use service::client::{self, HttpClient};

use super::routes::{Route, answered, route};

/// What people were given when they registered.
#[derive(Default)]
pub struct Tokens(Mutex<BTreeMap<UserId, String>>);

impl Tokens {
    pub fn of(&self, user: UserId) -> Option<String> {
        self.0.lock().get(&user).cloned()
    }
}

#[derive(Clone)]
pub struct Public {
    web: String,
    client: HttpClient,
    tokens: Arc<Tokens>,
    /// Who asks where the contract needs nobody: the first who registered.
    somebody: Arc<Mutex<Option<UserId>>>,
}

const PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

impl Public {
    pub fn new(web: String, tokens: Arc<Tokens>) -> Self {
        Self {
            web,
            client: client::client(),
            tokens,
            somebody: Arc::default(),
        }
    }

    /// One request of somebody.
    async fn send(&self, user: Option<UserId>, route: Route) -> Result<(StatusCode, Value), Refusal> {
        let user = user.or(*self.somebody.lock());
        let mut request = Request::builder()
            .method(route.method.clone())
            .uri(format!("{}{}", self.web, route.path));
        if let Some(token) = user.and_then(|user| self.tokens.of(user)) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match &route.body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Full::new(Bytes::from(body.to_string()))
            }
            None => Full::default(),
        };
        let request = request.body(body).map_err(|_| Refusal::Internal)?;
        let answer = client::call(&self.client, request, PATIENCE, ANSWER_BYTES)
            .await
            .map_err(|error| Refusal::unavailable(error.to_string()))?;
        let value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        match answer.status() {
            status if status.is_success() => Ok((status, value)),
            status if status.is_server_error() => Err(Refusal::unavailable(status.to_string())),
            _ => Err(Refusal::forbidden(value["code"].as_str().unwrap_or_default())),
        }
    }

    async fn ask(&self, operation: &str, call: Call, request: Value) -> Result<Value, Refusal> {
        let actor = call.actor.map(|actor| actor.user_id);
        match operation {
            "append" => self.append(&request).await,
            "heads" => self.heads(&request).await,
            "register" => self.register(&request).await,
            _ => {
                let route = route(operation, &request).ok_or(Refusal::Internal)?;
                let (status, value) = self.send(actor, route).await?;
                Ok(answered(operation, status, value))
            }
        }
    }

    async fn append(&self, request: &Value) -> Result<Value, Refusal> {
        let mut outcomes = Vec::new();
        for draft in request["drafts"].as_array().into_iter().flatten() {
            let sender = serde_json::from_value(draft["actor"]["userId"].clone()).ok();
            let sender = sender.or_else(|| serde_json::from_value(draft["actor"]["sub"].clone()).ok());
            let room = draft["roomId"].as_str().unwrap_or_default();
            let route = Route {
                method: Method::POST,
                path: format!("/api/rooms/{room}/messages"),
                body: Some(json!({"messageId": draft["messageId"], "message": draft["message"]})),
            };
            outcomes.push(match self.send(sender, route).await {
                Ok((status, event)) => json!({"appended": {"event": event, "repeated": status == StatusCode::OK}}),
                Err(refusal) => json!({"refused": refusal}),
            });
        }
        Ok(json!({"outcomes": outcomes}))
    }

    /// An event page behind the end says where the log ends.
    async fn heads(&self, request: &Value) -> Result<Value, Refusal> {
        let mut heads = Vec::new();
        for room in request["rooms"].as_array().into_iter().flatten() {
            let end = json!({"roomId": room, "after": (1_u64 << 53) - 1, "limit": 1});
            let route = route("events", &end).ok_or(Refusal::Internal)?;
            let (_, page) = self.send(None, route).await?;
            heads.push(json!({"roomId": room, "headSeq": page["headSeq"], "logId": page["logId"]}));
        }
        Ok(json!({"heads": heads}))
    }

    async fn register(&self, request: &Value) -> Result<Value, Refusal> {
        let route = Route {
            method: Method::POST,
            path: "/auth/register".to_owned(),
            body: Some(
                json!({"username": request["username"], "password": request["password"], "tokenDelivery": "body"}),
            ),
        };
        let (_, session) = self.send(None, route).await?;
        let user: UserId = serde_json::from_value(session["user"]["id"].clone()).map_err(|_| Refusal::Internal)?;
        let token = session["accessToken"].as_str().unwrap_or_default().to_owned();
        self.tokens.0.lock().insert(user, token);
        self.somebody.lock().get_or_insert(user);
        Ok(json!({
            "user": session["user"], "sessionId": service::minted::id(), "role": "user", "scopes": [],
            "refreshToken": session["refreshToken"], "refreshExpiresAt": service::minted::now(),
        }))
    }
}

macro_rules! publicly {
    ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
        #[async_trait]
        impl DbApi for Public {
            $(async fn $name(&self, call: Call, request: $request) -> Reply<$answer> {
                let request = serde_json::to_value(request).map_err(|_| Refusal::Internal)?;
                let answer = self.ask(stringify!($name), call, request).await?;
                let value = serde_json::from_value(answer).map_err(|error| {
                    tracing::error!(%error, operation = stringify!($name), "an answer can't be read");
                    Refusal::Internal
                })?;
                Ok(Answer::read(value))
            })*
        }
    };
}

db_api::with_operations!(publicly);
