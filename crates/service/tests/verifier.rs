//! Tokens against a JWKS that is really served, and changes.

#![allow(clippy::unwrap_used)]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, routing::get};
use common::{
    Code, SessionId, UserId,
    jwk::{Jwks, SigningKey},
    limits,
    room::AccountRole,
    token::{self, Claims, Scope},
};
use parking_lot::Mutex;
use service::{CancellationToken, Verifier, minted, serve::bind};

const ISSUER: &str = "https://chat.example";

/// Publishes keys, and counts who asks.
#[derive(Clone, Default)]
struct Published {
    keys: Arc<Mutex<Vec<SigningKey>>>,
    asked: Arc<AtomicUsize>,
}

impl Published {
    async fn serve(&self) -> (String, CancellationToken) {
        let published = self.clone();
        let answer = move || {
            published.asked.fetch_add(1, Ordering::Relaxed);
            let keys = published.keys.lock().iter().map(|key| key.public().clone()).collect();
            async move { Json(Jwks { keys }) }
        };
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(service::serve(
            listener,
            Router::new().route("/jwks", get(answer)),
            stop.clone(),
        ));
        (url, stop)
    }

    fn publish(&self, keys: &[&SigningKey]) {
        *self.keys.lock() = keys.iter().map(|key| (*key).clone()).collect();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn signed(key: &SigningKey, lives_seconds: i64) -> String {
    let now = minted::now().seconds();
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: token::AUDIENCE.to_owned(),
        sub: UserId(minted::id()),
        sid: SessionId(minted::id()),
        name: "Ada".to_owned(),
        role: AccountRole::User,
        scopes: vec![Scope::Read],
        iat: now - 700,
        exp: now + lives_seconds,
        jti: minted::id(),
        client_id: token::CLIENT_ID.to_owned(),
    };
    token::sign(key, &claims).unwrap()
}

async fn ready(verifier: &Verifier) {
    while !verifier.is_ready() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_once_for_all_who_bring_it() {
    let (old, new, foreign) = (
        SigningKey::from_seed([1; 32]),
        SigningKey::from_seed([2; 32]),
        SigningKey::from_seed([3; 32]),
    );
    let published = Published::default();
    published.publish(&[&old]);
    let (url, stop) = published.serve().await;
    let verifier = Verifier::start(ISSUER.to_owned(), url);
    ready(&verifier).await;
    assert!(verifier.verify(&signed(&old, 600)).await.is_ok());
    assert_eq!(published.asked(), 1);

    published.publish(&[&old, &new]);
    let token = signed(&new, 600);
    let at_once = futures_util::future::join_all((0..20).map(|_| verifier.verify(&token))).await;
    assert!(at_once.iter().all(Result::is_ok), "{at_once:?}");
    assert_eq!(published.asked(), 2);

    for _ in 0..20 {
        let refused = verifier.verify(&signed(&foreign, 600)).await.unwrap_err();
        assert_eq!(refused.code, Code::Unauthenticated);
    }
    assert_eq!(published.asked(), 2, "nonsense must not be passed on as load");
    stop.cancel();
}

#[tokio::test]
async fn an_expired_token_is_said_to_be_expired() {
    let key = SigningKey::from_seed([1; 32]);
    let published = Published::default();
    published.publish(&[&key]);
    let (url, stop) = published.serve().await;
    let verifier = Verifier::start(ISSUER.to_owned(), url);
    ready(&verifier).await;
    let skew = limits::CLOCK_SKEW.as_secs() as i64;
    let refused = verifier.verify(&signed(&key, -skew - 1)).await.unwrap_err();
    assert_eq!(refused.code, Code::TokenExpired);
    stop.cancel();
}

#[tokio::test]
async fn without_keys_nobody_is_judged_and_keys_are_found_when_they_come() {
    let key = SigningKey::from_seed([1; 32]);
    let published = Published::default();
    let (url, stop) = published.serve().await;
    let verifier = Verifier::start(ISSUER.to_owned(), url);
    let refused = verifier.verify(&signed(&key, 600)).await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    published.publish(&[&key]);
    ready(&verifier).await;
    assert!(verifier.verify(&signed(&key, 600)).await.is_ok());
    stop.cancel();
}
