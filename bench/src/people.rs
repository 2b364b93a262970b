//! People and rooms of the stack, made through its own API; and tokens that outlive the measurement, signed with the
//! stack's own key.

use anyhow::Context;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chat_client::{Ask, Http, Login};
use common::{
    jwk::SigningKey,
    token::{self, Claims},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::plan::Plan;

pub struct People {
    pub tokens: Vec<String>,
    ids: Vec<String>,
}

/// Passwords are hashed two at a time; rooms are made a few at a time.
const AT_ONCE: usize = 8;
/// Members that a room is created with, besides its owner (contract, section 3).
const INITIAL_MEMBERS: usize = 100;
const LIFE_SECONDS: i64 = 24 * 3600;

pub struct Api {
    http: Http,
    key: SigningKey,
}

impl Api {
    /// # Errors
    /// When the origin or the key is none.
    pub fn new(origin: &str, signing_key: &Value) -> anyhow::Result<Self> {
        Ok(Self {
            http: Http::new(origin)?,
            key: SigningKey::from_jwk(&signing_key.to_string())?,
        })
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> anyhow::Result<Value> {
        Ok(self.http.ask(&Ask::post(path, body).bearer(token)).await?.read()?)
    }

    /// # Errors
    /// When somebody is refused.
    pub async fn register(&self, people: usize) -> anyhow::Result<People> {
        let one = |number: usize| async move {
            let name = format!("bench-{number}");
            let login = Login::register(&self.http, &name, "a long enough passphrase").await?;
            anyhow::Ok((login.user.id.to_string(), self.lasting(&login.access_token)?))
        };
        let made: Vec<(String, String)> = stream::iter(0..people).map(one).buffered(AT_ONCE).try_collect().await?;
        let (ids, tokens) = made.into_iter().unzip();
        Ok(People { tokens, ids })
    }

    /// The same claims, for longer.
    fn lasting(&self, token: &str) -> anyhow::Result<String> {
        let claims = token.split('.').nth(1).context("no JWT")?;
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
        let exp = claims.iat + LIFE_SECONDS;
        Ok(token::sign(&self.key, &Claims { exp, ..claims })?)
    }

    /// The plan's rooms, by its people.
    ///
    /// # Errors
    /// When a room is refused.
    pub async fn rooms(&self, people: &People, plan: &Plan) -> anyhow::Result<Vec<String>> {
        let one = |members: Vec<usize>| async move {
            let owner = &people.tokens[members[0]];
            let others: Vec<&str> = members[1..].iter().map(|member| people.ids[*member].as_str()).collect();
            let (first, later) = others.split_at(others.len().min(INITIAL_MEMBERS));
            let body = json!({ "name": "Bench", "visibility": "private", "memberIds": first });
            let room = self.post("/api/rooms", owner, body).await?;
            let id = room["id"].as_str().context("no id")?.to_owned();
            for user in later {
                let path = format!("/api/rooms/{id}/members");
                self.post(&path, owner, json!({ "userId": user })).await?;
            }
            anyhow::Ok(id)
        };
        let members = plan.rooms.iter().map(|room| room.members.clone());
        stream::iter(members).map(one).buffered(AT_ONCE).try_collect().await
    }
}
