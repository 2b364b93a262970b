//! Sessions and their refresh tokens.

use std::sync::Arc;

use common::text::IdempotencyKey;
use db_api::{Call, DbApi, Refusal, types::*};

use crate::actions::person;

pub async fn a_refresh_chain_is_one_atomic_step(db: Arc<dyn DbApi>) {
    let request = Login {
        username: "ada".into(),
        password: "correct horse battery".into(),
        device: None,
        scopes: None,
        client_address: None,
    };
    person(&*db, "ada").await;
    let first = db
        .login(Call::anonymous().within(common::limits::HASH_DEADLINE), request)
        .await
        .unwrap()
        .value;
    let key = || Some(IdempotencyKey::parse("a-key").unwrap());
    let mut tabs = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (db, refresh_token) = (db.clone(), first.refresh_token.clone());
        let request = Refresh {
            refresh_token,
            idempotency_key: key(),
        };
        tabs.spawn(async move {
            db.refresh(Call::anonymous(), request)
                .await
                .unwrap()
                .value
                .refresh_token
        });
    }
    let successors = tabs.join_all().await;
    assert!(
        successors
            .iter()
            .all(|token| *token == successors[0] && *token != first.refresh_token)
    );
    let thief = Refresh {
        refresh_token: first.refresh_token,
        idempotency_key: None,
    };
    assert_eq!(
        db.refresh(Call::anonymous(), thief).await,
        Err(Refusal::Unauthenticated)
    );
    let ended = Refresh {
        refresh_token: successors[0].clone(),
        idempotency_key: None,
    };
    assert_eq!(
        db.refresh(Call::anonymous(), ended).await,
        Err(Refusal::Unauthenticated)
    );
}
