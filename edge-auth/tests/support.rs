//! A db-core that answers as a test says, and tokens: what is tested here is what the edge makes of them. The real db-core
//! behind the same routes is tested end to end.

#![allow(dead_code, clippy::unwrap_used, reason = "each suite uses a part")]

use std::sync::Arc;

use async_trait::async_trait;
use common::{
    SessionId, Timestamp, UserId,
    jwk::SigningKey,
    limits,
    revocation::RevocationList,
    room::{Account, AccountRole, Invite, Member, Message, Page, ReadMarker, Room, User},
    text::{DisplayName, Username},
    token::{self, Claims, Scope},
};
use db_api::{Answer, Call, DbApi, Refusal, Reply, types::*, with_operations};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

pub const ISSUER: &str = "https://chat.example";
pub const ORIGIN: &str = "https://chat.example";

/// What was asked of the core.
#[derive(Debug, Clone)]
pub struct Asked {
    pub operation: &'static str,
    pub call: Call,
    pub request: Value,
}

/// Grants every session and ends every session, unless it is told to refuse.
#[derive(Default)]
pub struct Scripted {
    pub refusal: Mutex<Option<Refusal>>,
    pub asked: Mutex<Vec<Asked>>,
}

impl Scripted {
    fn answer<Q: Serialize, A: DeserializeOwned>(&self, operation: &'static str, call: Call, request: Q) -> Reply<A> {
        let request = serde_json::to_value(request).unwrap();
        self.asked.lock().push(Asked {
            operation,
            call,
            request,
        });
        if let Some(refusal) = self.refusal.lock().clone() {
            return Err(refusal);
        }
        let value = match operation {
            "register" | "login" | "refresh" => serde_json::to_value(grant()).unwrap(),
            "sessions" => {
                let at = Timestamp::from_seconds(2_000_000_000);
                let entry = |number| SessionEntry {
                    session_id: SessionId(Uuid::from_u128(number)),
                    device: None,
                    created_at: at,
                    last_seen_at: at,
                };
                serde_json::to_value(SessionList {
                    items: [8, 66].map(entry).into(),
                })
                .unwrap()
            }
            "is_revoked" => serde_json::to_value(Revoked {
                revoked: true,
                timeline: 1,
            })
            .unwrap(),
            "logout" | "end_session" | "change_password" => serde_json::to_value(Nothing {}).unwrap(),
            other => panic!("edge-auth has no business with {other}"),
        };
        Ok(Answer::read(serde_json::from_value(value).unwrap()))
    }

    pub fn last(&self) -> Asked {
        self.asked.lock().last().cloned().expect("the core was not asked")
    }

    pub fn count(&self) -> usize {
        self.asked.lock().len()
    }
}

macro_rules! scripted {
    ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
        #[async_trait]
        impl DbApi for Scripted {
            $(async fn $name(&self, call: Call, request: $request) -> Reply<$answer> {
                self.answer(stringify!($name), call, request)
            })*
        }
    };
}

with_operations!(scripted);

pub fn user_id() -> UserId {
    UserId(Uuid::from_u128(7))
}

pub fn session_id() -> SessionId {
    SessionId(Uuid::from_u128(8))
}

pub fn grant() -> SessionGrant {
    SessionGrant {
        user: User {
            id: user_id(),
            username: Username::parse("ada").unwrap(),
            display_name: DisplayName::parse("Ada").unwrap(),
        },
        session_id: session_id(),
        role: AccountRole::User,
        scopes: vec![Scope::Read, Scope::Write],
        refresh_token: "next-refresh-token".to_owned(),
        refresh_expires_at: Timestamp::from_seconds(2_000_000_000),
    }
}

pub fn signing_key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

/// Claims of a token that ends so many seconds after `now`.
pub fn claims(now: Timestamp, lives_seconds: i64) -> Claims {
    Claims {
        iss: ISSUER.to_owned(),
        aud: token::AUDIENCE.to_owned(),
        sub: user_id(),
        sid: session_id(),
        name: "Ada".to_owned(),
        role: AccountRole::User,
        scopes: vec![Scope::Read],
        iat: now.seconds() - limits::ACCESS_TOKEN_LIFE.as_secs() as i64,
        exp: now.seconds() + lives_seconds,
        jti: Uuid::from_u128(9),
        client_id: token::CLIENT_ID.to_owned(),
    }
}

pub fn signed(key: &SigningKey, claims: &Claims) -> String {
    token::sign(key, claims).unwrap()
}

pub fn core() -> Arc<Scripted> {
    Arc::new(Scripted::default())
}
