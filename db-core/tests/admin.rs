//! What admins and operators do to accounts, on a real database.

#![allow(clippy::unwrap_used, reason = "every line of this file is a test")]

mod support;

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use bus::MemoryBus;
use common::{
    UserId, limits,
    room::{Account, AccountRole},
    token::Actor,
};
use db_api::{Call, DbApi, Refusal, types::*};
use db_api_suite::actions::{actor, person};
use db_core::{Core, Store, operator};

const PASSWORD: &str = "correct horse battery";

struct House {
    core: Arc<Core>,
    store: Store,
}

impl House {
    async fn new() -> Self {
        let url = support::fresh_database().await;
        let core = support::core_on(&url, Arc::new(MemoryBus::new())).await;
        let store = Store::open(&url).await.unwrap();
        Self { core, store }
    }

    async fn login(&self, name: &str, password: &str) -> Result<Actor, Refusal> {
        let request = Login {
            username: name.into(),
            password: password.into(),
            device: None,
            scopes: None,
            client_address: None,
        };
        let grant = self
            .core
            .login(Call::anonymous().within(limits::HASH_DEADLINE), request)
            .await?;
        Ok(actor(&grant.value))
    }

    async fn admin(&self, name: &str) -> Actor {
        person(&*self.core, name).await;
        operator::make_admin(&self.store, name).await.unwrap();
        let admin = self.login(name, PASSWORD).await.unwrap();
        assert_eq!(admin.role, AccountRole::Admin);
        admin
    }

    async fn update(
        &self,
        by: &Actor,
        user_id: UserId,
        disabled: Option<bool>,
        role: Option<AccountRole>,
    ) -> Result<Account, Refusal> {
        let request = UpdateAccount {
            user_id,
            disabled,
            role,
        };
        self.core
            .update_account(Call::of(by.clone()), request)
            .await
            .map(|answer| answer.value)
    }

    async fn is_ended(&self, actor: &Actor) -> bool {
        let named = NamedSession {
            user_id: actor.user_id,
            session_id: actor.session_id,
        };
        self.core
            .is_revoked(Call::anonymous(), named)
            .await
            .unwrap()
            .value
            .revoked
    }

    async fn accounts(&self, by: &Actor, query: Option<&str>) -> Result<Vec<Account>, Refusal> {
        let mut request = Accounts {
            query: query.map(str::to_owned),
            paging: Paging { cursor: None, limit: 2 },
        };
        let mut found = Vec::new();
        loop {
            let page = self.core.accounts(Call::of(by.clone()), request.clone()).await?.value;
            found.extend(page.items);
            request.paging.cursor = page.next_cursor;
            if request.paging.cursor.is_none() {
                return Ok(found);
            }
        }
    }
}

#[tokio::test]
async fn admins_see_accounts_page_by_page_and_nobody_else_does() {
    let house = House::new().await;
    let root = house.admin("root").await;
    let ada = person(&*house.core, "ada").await;
    for name in ["ann", "bob", "a_x"] {
        person(&*house.core, name).await;
    }
    let names = |accounts: Vec<Account>| -> Vec<String> {
        accounts
            .iter()
            .map(|account| account.user.username.as_str().to_owned())
            .collect()
    };
    let all = house.accounts(&root, None).await.unwrap();
    assert!(
        all.iter()
            .all(|account| account.last_seen_at >= Some(account.created_at))
    );
    assert_eq!(names(all), ["a_x", "ada", "ann", "bob", "root"]);
    assert_eq!(
        names(house.accounts(&root, Some("A")).await.unwrap()),
        ["a_x", "ada", "ann"]
    );
    assert_eq!(names(house.accounts(&root, Some("a_")).await.unwrap()), ["a_x"]);
    assert!(matches!(
        house.accounts(&ada, None).await,
        Err(Refusal::Forbidden { .. })
    ));
    let update = house.update(&ada, root.user_id, Some(true), None).await;
    assert!(matches!(update, Err(Refusal::Forbidden { .. })));
}

#[tokio::test]
async fn a_disabled_account_is_out_and_may_come_back() {
    let house = House::new().await;
    let root = house.admin("root").await;
    let ada = person(&*house.core, "ada").await;
    let account = house.update(&root, ada.user_id, Some(true), None).await.unwrap();
    assert!(account.disabled && account.role == AccountRole::User);
    assert!(house.is_ended(&ada).await);
    assert!(matches!(
        house.login("ada", PASSWORD).await,
        Err(Refusal::Forbidden { .. })
    ));
    assert_eq!(
        house.login("ada", "wrong horse battery").await,
        Err(Refusal::InvalidCredentials)
    );
    house.update(&root, ada.user_id, Some(false), None).await.unwrap();
    let again = house.login("ada", PASSWORD).await.unwrap();
    house.update(&root, ada.user_id, None, None).await.unwrap();
    assert!(!house.is_ended(&again).await);
    // What is said again is done again: the sessions end.
    house.update(&root, ada.user_id, Some(false), None).await.unwrap();
    assert!(house.is_ended(&again).await);
    let nobody = house
        .update(&root, UserId(service::minted::id()), Some(true), None)
        .await;
    assert_eq!(nobody, Err(Refusal::NotFound));
}

#[tokio::test]
async fn another_role_ends_the_sessions_and_counts_at_once() {
    let house = House::new().await;
    let root = house.admin("root").await;
    let ada = person(&*house.core, "ada").await;
    house
        .update(&root, ada.user_id, None, Some(AccountRole::Admin))
        .await
        .unwrap();
    assert!(house.is_ended(&ada).await);
    let ada = house.login("ada", PASSWORD).await.unwrap();
    assert_eq!(ada.role, AccountRole::Admin);
    house
        .update(&root, ada.user_id, None, Some(AccountRole::User))
        .await
        .unwrap();
    // What its token still says counts for nothing.
    let update = house.update(&ada, root.user_id, Some(true), None).await;
    assert!(matches!(update, Err(Refusal::Forbidden { .. })));
}

#[tokio::test]
async fn the_last_admin_stays_also_when_two_end_each_other_at_once() {
    let house = House::new().await;
    let root = house.admin("root").await;
    for (disabled, role) in [(Some(true), None), (None, Some(AccountRole::User))] {
        let last = house.update(&root, root.user_id, disabled, role).await;
        assert!(matches!(last, Err(Refusal::Conflict { .. })), "{last:?}");
    }
    for round in 0..10 {
        let other = house.admin(&format!("other{round}")).await;
        let end = |by, user: &Actor| house.update(by, user.user_id, Some(true), None);
        let (one, two) = tokio::join!(end(&root, &other), end(&other, &root));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        if two.is_ok() {
            house.update(&other, root.user_id, Some(false), None).await.unwrap();
            house.update(&root, other.user_id, Some(true), None).await.unwrap();
        }
    }
}

/// Whoever signs in while the account is being disabled is out as well.
#[tokio::test]
async fn a_login_that_races_a_disabling() {
    let house = House::new().await;
    let root = house.admin("root").await;
    let ada = person(&*house.core, "ada").await;
    for round in 0..10 {
        let disable = async {
            tokio::time::sleep(std::time::Duration::from_millis(5 * round)).await;
            house.update(&root, ada.user_id, Some(true), None).await
        };
        let (login, disabled) = tokio::join!(house.login("ada", PASSWORD), disable);
        disabled.unwrap();
        match login {
            Ok(session) => assert!(house.is_ended(&session).await, "round {round}"),
            Err(refusal) => assert!(matches!(refusal, Refusal::Forbidden { .. })),
        }
        house.update(&root, ada.user_id, Some(false), None).await.unwrap();
    }
}

#[tokio::test]
async fn an_operator_gives_a_new_password_and_ends_the_sessions() {
    let house = House::new().await;
    let ada = person(&*house.core, "ada").await;
    let password = operator::reset_password(&house.store, "Ada").await.unwrap();
    assert!(house.is_ended(&ada).await);
    assert_eq!(house.login("ada", PASSWORD).await, Err(Refusal::InvalidCredentials));
    assert!(house.login("ada", &password).await.is_ok());
    for name in ["nobody", "no name", ""] {
        assert!(operator::make_admin(&house.store, name).await.is_err());
        assert!(operator::reset_password(&house.store, name).await.is_err());
    }
}

/// A hash of other parameters is made anew at the next login.
#[tokio::test]
async fn an_outdated_hash_is_renewed_by_a_login() {
    let house = House::new().await;
    let ada = person(&*house.core, "ada").await;
    let weak = Argon2::new(
        Algorithm::Argon2id,
        Version::V0x13,
        Params::new(8_192, 1, 1, None).unwrap(),
    );
    let weak = weak
        .hash_password_with_salt(PASSWORD.as_bytes(), &[7; 16])
        .unwrap()
        .to_string();
    let set = sqlx::query("update users set password_hash = $2 where id = $1").bind(ada.user_id.0);
    set.bind(weak).execute(&house.store.pool()).await.unwrap();
    house.login("ada", PASSWORD).await.unwrap();
    let stored: String = sqlx::query_scalar("select password_hash from users where id = $1")
        .bind(ada.user_id.0)
        .fetch_one(&house.store.pool())
        .await
        .unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    house.login("ada", PASSWORD).await.unwrap();
}
