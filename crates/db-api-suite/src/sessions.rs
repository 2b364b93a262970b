//! Sessions and their refresh tokens.

use std::{sync::Arc, time::Duration};

use common::{
    SessionId,
    text::{DeviceName, IdempotencyKey, Password},
    token::Actor,
};
use db_api::{Call, DbApi, Refusal, types::*};

use crate::actions::{actor, person};

const PASSWORD: &str = "correct horse battery";

async fn sign_in(db: &dyn DbApi, password: &str, device: Option<&str>) -> db_api::Reply<SessionGrant> {
    let request = Login {
        username: "ada".into(),
        password: password.into(),
        device: device.map(|name| DeviceName::parse(name).unwrap()),
        scopes: None,
        client_address: None,
    };
    db.login(Call::anonymous().within(common::limits::HASH_DEADLINE), request)
        .await
}

async fn refreshed(db: &dyn DbApi, grant: &SessionGrant) -> db_api::Reply<SessionGrant> {
    let request = Refresh {
        refresh_token: grant.refresh_token.clone(),
        idempotency_key: None,
    };
    db.refresh(Call::anonymous(), request).await
}

async fn ended(db: &dyn DbApi, actor: &Actor) -> bool {
    let named = NamedSession {
        user_id: actor.user_id,
        session_id: actor.session_id,
    };
    db.is_revoked(Call::anonymous(), named).await.unwrap().value.revoked
}

async fn living(db: &dyn DbApi, actor: &Actor) -> Vec<SessionId> {
    let sessions = db.sessions(Call::of(actor.clone()), Nothing {}).await.unwrap().value;
    sessions.items.iter().map(|session| session.session_id).collect()
}

pub async fn sessions_are_told_and_ended(db: Arc<dyn DbApi>) {
    let first = person(&*db, "ada").await;
    let stranger = person(&*db, "eve").await;
    let grant = sign_in(&*db, PASSWORD, Some("Phone")).await.unwrap().value;
    let phone = actor(&grant);
    let listed = db
        .sessions(Call::of(first.clone()), Nothing {})
        .await
        .unwrap()
        .value
        .items;
    assert_eq!(listed.len(), 2);
    let told = listed
        .iter()
        .find(|session| session.session_id == phone.session_id)
        .unwrap();
    assert_eq!(told.device.as_ref().map(DeviceName::as_str), Some("Phone"));
    assert!(told.last_seen_at >= told.created_at);

    let end = |actor: &Actor| {
        let session_id = phone.session_id;
        db.end_session(Call::of(actor.clone()), EndSession { session_id })
    };
    assert_eq!(end(&stranger).await.unwrap_err(), Refusal::NotFound);
    assert!(!ended(&*db, &phone).await);
    assert!(
        end(&first).await.is_ok() && end(&first).await.is_ok(),
        "again is no error"
    );
    assert!(ended(&*db, &phone).await && !ended(&*db, &first).await);
    assert_eq!(living(&*db, &first).await, [first.session_id]);
    assert_eq!(refreshed(&*db, &grant).await.unwrap_err(), Refusal::Unauthenticated);

    // Who asks for a list hears of it at once, or of one that was read shortly before.
    tokio::time::sleep(common::limits::REVOCATIONS_SHARED).await;
    let list = db.revocations(Call::anonymous(), Nothing {}).await.unwrap().value;
    assert!(list.entries_like(phone.session_id) > 0);
    assert_eq!(list.entries_like(first.session_id), 0);
}

pub async fn a_new_password_ends_the_other_sessions(db: Arc<dyn DbApi>) {
    let own = person(&*db, "ada").await;
    let other = sign_in(&*db, PASSWORD, None).await.unwrap().value;
    let change = |current: &str, new: &str| {
        let request = ChangePassword {
            current_password: current.into(),
            new_password: Password::parse(new).unwrap(),
            client_address: None,
        };
        db.change_password(Call::of(own.clone()).within(common::limits::HASH_DEADLINE), request)
    };
    let wrong = change("wrong horse battery", "staple and more").await;
    assert_eq!(wrong.unwrap_err(), Refusal::InvalidCredentials);
    assert!(refreshed(&*db, &other).await.is_ok(), "nothing has changed");
    change(PASSWORD, "staple and more").await.unwrap();
    assert_eq!(
        sign_in(&*db, PASSWORD, None).await.unwrap_err(),
        Refusal::InvalidCredentials
    );
    assert!(sign_in(&*db, "staple and more", None).await.is_ok());
    assert!(ended(&*db, &actor(&other)).await && !ended(&*db, &own).await);
}

/// Whoever came in by the old password is out again, however close they were.
pub async fn a_login_that_races_a_new_password(db: Arc<dyn DbApi>) {
    let own = person(&*db, "ada").await;
    let mut current = PASSWORD.to_owned();
    for round in 0..16 {
        let new = format!("another password {round}");
        let request = ChangePassword {
            current_password: current.clone(),
            new_password: Password::parse(new.as_str()).unwrap(),
            client_address: None,
        };
        let call = Call::of(own.clone()).within(common::limits::HASH_DEADLINE);
        // The password is found right before the change, and the session opened behind it.
        let login = async {
            tokio::time::sleep(Duration::from_millis(5 * round)).await;
            sign_in(&*db, &current, None).await
        };
        let (login, changed) = tokio::join!(login, db.change_password(call, request));
        changed.unwrap();
        match login {
            Ok(grant) => assert!(ended(&*db, &actor(&grant.value)).await, "round {round}"),
            Err(refusal) => assert_eq!(refusal, Refusal::InvalidCredentials),
        }
        current = new;
    }
}

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
