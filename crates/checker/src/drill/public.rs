//! The public HTTP API in the place of db-core's contract, as far as a drill asks: so that the same people walk over it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use chat_client::{Ask, Http, HttpError, http::Answer};
use common::{
    UserId,
    revocation::RevocationList,
    room::{Account, Invite, Member, Message, Page, ReadMarker, Room, User},
};
use db_api::{Answer as Told, Call, DbApi, Refusal, Reply, types::*};
use http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::routes::{answered, route};

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
    http: Http,
    tokens: Arc<Tokens>,
    /// Who asks where the contract needs nobody: the first who registered.
    somebody: Arc<Mutex<Option<UserId>>>,
}

const PATIENCE: Duration = Duration::from_secs(5);

impl Public {
    /// # Errors
    /// When that is no address.
    pub fn new(web: &str, tokens: Arc<Tokens>) -> Result<Self, HttpError> {
        Ok(Self {
            // Who walks asks again by rules of their own.
            http: Http::new(web)?.trying(1).within(PATIENCE),
            tokens,
            somebody: Arc::default(),
        })
    }

    /// One request of somebody.
    async fn send(&self, user: Option<UserId>, ask: Ask) -> Result<Answer, Refusal> {
        let user = user.or(*self.somebody.lock());
        let token = user.and_then(|user| self.tokens.of(user));
        let ask = token.into_iter().fold(ask, Ask::bearer);
        self.http.ask(&ask).await.map_err(refusal)
    }

    async fn ask(&self, operation: &str, call: Call, request: Value) -> Result<Value, Refusal> {
        let actor = call.actor.map(|actor| actor.user_id);
        match operation {
            "append" => self.append(&request).await,
            "heads" => self.heads(&request).await,
            "register" => self.register(&request).await,
            _ => {
                let ask = route(operation, &request).ok_or(Refusal::Internal)?;
                let answer = self.send(actor, ask).await?;
                // An answer without a body says nothing.
                Ok(answered(operation, answer.status, answer.read().unwrap_or_default()))
            }
        }
    }

    async fn append(&self, request: &Value) -> Result<Value, Refusal> {
        let mut outcomes = Vec::new();
        for draft in request["drafts"].as_array().into_iter().flatten() {
            let sender = serde_json::from_value(draft["actor"]["userId"].clone()).ok();
            let sender = sender.or_else(|| serde_json::from_value(draft["actor"]["sub"].clone()).ok());
            let room = draft["roomId"].as_str().unwrap_or_default();
            let body = json!({"messageId": draft["messageId"], "message": draft["message"]});
            let ask = Ask::post(format!("/api/rooms/{room}/messages"), body).keyless();
            outcomes.push(match self.send(sender, ask).await {
                Ok(answer) => {
                    let (event, repeated) = (read(&answer)?, answer.status == StatusCode::OK);
                    json!({"appended": {"event": event, "repeated": repeated}})
                }
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
            let ask = route("events", &end).ok_or(Refusal::Internal)?;
            let page = read(&self.send(None, ask).await?)?;
            heads.push(json!({"roomId": room, "headSeq": page["headSeq"], "logId": page["logId"]}));
        }
        Ok(json!({"heads": heads}))
    }

    async fn register(&self, request: &Value) -> Result<Value, Refusal> {
        let text = |field: &str| request[field].as_str().unwrap_or_default();
        let login = chat_client::Login::register(&self.http, text("username"), text("password"));
        let login = login.await.map_err(refusal)?;
        let user = login.user.id;
        self.tokens.0.lock().insert(user, login.access_token);
        self.somebody.lock().get_or_insert(user);
        Ok(json!({
            "user": login.user, "sessionId": service::minted::id(), "role": "user", "scopes": [],
            "refreshToken": login.refresh_token, "refreshExpiresAt": service::minted::now(),
        }))
    }
}

fn read(answer: &Answer) -> Result<Value, Refusal> {
    answer.read().map_err(refusal)
}

fn refusal(error: HttpError) -> Refusal {
    match &error {
        HttpError::Refused(refused) if !refused.status.is_server_error() => Refusal::forbidden(refused.code.title()),
        _ => Refusal::unavailable(error.to_string()),
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
                Ok(Told::read(value))
            })*
        }
    };
}

db_api::with_operations!(publicly);
