//! Sessions as time passes: what is remembered of their refreshes, and of their ends.

#![allow(clippy::unwrap_used, reason = "every line of this file is a test")]

mod support;

use std::sync::Arc;

use bus::MemoryBus;
use common::{SessionId, limits, text::IdempotencyKey};
use db_api::{Call, DbApi, Refusal, types::*};
use db_api_suite::actions::{actor, person};
use db_core::{Core, Store};
use sqlx::PgPool;

struct House {
    core: Arc<Core>,
    database: PgPool,
}

impl House {
    async fn new() -> Self {
        let url = support::fresh_database().await;
        let core = support::core_on(&url, Arc::new(MemoryBus::new())).await;
        let database = Store::open(&url).await.unwrap().pool();
        Self { core, database }
    }

    async fn ada(&self) -> SessionGrant {
        person(&*self.core, "ada").await;
        let request = Login {
            username: "ada".into(),
            password: "correct horse battery".into(),
            device: None,
            scopes: None,
            client_address: None,
        };
        let call = Call::anonymous().within(limits::HASH_DEADLINE);
        self.core.login(call, request).await.unwrap().value
    }

    async fn refresh(&self, token: &str, key: Option<&str>) -> Result<SessionGrant, Refusal> {
        let request = Refresh {
            refresh_token: token.to_owned(),
            idempotency_key: key.map(|key| IdempotencyKey::parse(key).unwrap()),
        };
        self.core
            .refresh(Call::anonymous(), request)
            .await
            .map(|answer| answer.value)
    }

    /// So much time passes, as far as the database knows.
    async fn pass(&self, interval: &str) {
        for table in [
            "update sessions set spent_at = spent_at - $1::interval, revoked_at = revoked_at - $1::interval",
            "update refresh_uses set used_at = used_at - $1::interval",
        ] {
            sqlx::query(table).bind(interval).execute(&self.database).await.unwrap();
        }
    }

    async fn is_listed(&self, session: SessionId) -> bool {
        tokio::time::sleep(limits::REVOCATIONS_SHARED).await;
        let list = self
            .core
            .revocations(Call::anonymous(), Nothing {})
            .await
            .unwrap()
            .value;
        list.entries_like(session) > 0
    }
}

#[tokio::test]
async fn a_phone_that_slept_for_weeks_still_gets_the_answer_that_it_missed() {
    let house = House::new().await;
    let grant = house.ada().await;
    let missed = house.refresh(&grant.refresh_token, Some("a-key")).await.unwrap();
    house.pass("29 days").await;
    let again = house.refresh(&grant.refresh_token, Some("a-key")).await.unwrap();
    assert_eq!(again.refresh_token, missed.refresh_token);
    let next = house.refresh(&again.refresh_token, None).await.unwrap();
    // Another one that comes by the first token is a thief, also if it has the key: that has been forgotten by then.
    assert_eq!(
        house.refresh(&grant.refresh_token, Some("a-key")).await,
        Err(Refusal::Unauthenticated)
    );
    assert_eq!(
        house.refresh(&next.refresh_token, None).await,
        Err(Refusal::Unauthenticated)
    );
}

#[tokio::test]
async fn a_late_duplicate_is_refused_and_no_more() {
    let house = House::new().await;
    let grant = house.ada().await;
    let second = house.refresh(&grant.refresh_token, Some("one")).await.unwrap();
    house.pass("23 hours").await;
    let third = house.refresh(&second.refresh_token, Some("two")).await.unwrap();
    assert_eq!(
        house.refresh(&grant.refresh_token, Some("one")).await,
        Err(Refusal::Unauthenticated)
    );
    assert!(house.refresh(&third.refresh_token, None).await.is_ok());
}

#[tokio::test]
async fn a_session_that_nobody_used_for_a_month_is_over_and_not_told() {
    let house = House::new().await;
    let grant = house.ada().await;
    house.pass("30 days 1 second").await;
    assert_eq!(
        house.refresh(&grant.refresh_token, None).await,
        Err(Refusal::Unauthenticated)
    );
    let sessions = house
        .core
        .sessions(Call::of(actor(&grant)), Nothing {})
        .await
        .unwrap()
        .value;
    assert_eq!(sessions.items, []);
}

#[tokio::test]
async fn an_end_is_listed_until_no_access_token_can_be_good() {
    let house = House::new().await;
    let grant = house.ada().await;
    let session_id = grant.session_id;
    house
        .core
        .end_session(Call::of(actor(&grant)), EndSession { session_id })
        .await
        .unwrap();
    assert!(house.is_listed(session_id).await);
    house.pass("10 minutes 5 seconds").await;
    assert!(house.is_listed(session_id).await, "it may have been on its way");
    house.pass("1 minute").await;
    assert!(!house.is_listed(session_id).await);
    let named = NamedSession {
        user_id: grant.user.id,
        session_id,
    };
    assert!(
        house
            .core
            .is_revoked(Call::anonymous(), named)
            .await
            .unwrap()
            .value
            .revoked
    );
}
