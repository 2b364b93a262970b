//! A door and a db-core that answers as a test says.

#![allow(clippy::unwrap_used)]

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use admission::{Admission, Taken, receiver};
use axum::body::Body;
use common::{
    Code, SessionId, Timestamp, UserId, limits,
    revocation::{PATH, RevocationList},
    room::{Account, AccountRole, Invite, Member, Message, Page, ReadMarker, Room, User},
    service_token::{Service, ServiceKey},
    token::Actor,
};
use db_api::{Answer, Call, DbApi, Refusal, Reply, types::*, with_operations};
use http::Request;
use tower::ServiceExt;
use uuid::Uuid;

/// Milliseconds; every test of this file has the same time, and moves its own list instead.
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Says of every session that it goes on, that it was ended, or nothing; counts how often it was asked.
#[derive(Default)]
struct Core {
    says: AtomicI64,
    asked: AtomicUsize,
}

const GOES_ON: i64 = 0;
const ENDED: i64 = 1;
const AWAY: i64 = 2;

impl Core {
    fn answer(&self, operation: &str) -> Result<serde_json::Value, Refusal> {
        assert_eq!(operation, "is_revoked");
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.says.load(Ordering::SeqCst) {
            AWAY => Err(Refusal::unavailable("away")),
            says => Ok(serde_json::json!({ "revoked": says == ENDED, "timeline": 1 })),
        }
    }
}

macro_rules! fake {
    ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
        #[async_trait::async_trait]
        impl DbApi for Core {
            $(async fn $name(&self, _: Call, _: $request) -> Reply<$answer> {
                let answer = self.answer(stringify!($name))?;
                Ok(Answer::read(serde_json::from_value(answer).unwrap()))
            })*
        }
    };
}

with_operations!(fake);

fn session(number: u128) -> SessionId {
    SessionId(Uuid::from_u128(number))
}

fn actor(session_id: SessionId) -> Actor {
    Actor {
        user_id: UserId(Uuid::from_u128(1)),
        session_id,
        role: AccountRole::User,
        scopes: Vec::new(),
        expires_at: NOW.plus(limits::ACCESS_TOKEN_LIFE),
    }
}

fn list(ago_ms: i64, sessions: &[SessionId]) -> RevocationList {
    of_timeline(1, ago_ms, sessions)
}

fn of_timeline(timeline: i64, ago_ms: i64, sessions: &[SessionId]) -> RevocationList {
    RevocationList::new(timeline, Timestamp(NOW.0 - ago_ms), sessions)
}

fn door() -> (Arc<Core>, Admission) {
    let core = Arc::new(Core::default());
    let admission = Admission::new(core.clone(), || NOW);
    (core, admission)
}

async fn code(admission: &Admission, session: SessionId) -> Option<Code> {
    admission.admit(&actor(session)).await.err().map(|problem| problem.code)
}

#[tokio::test]
async fn who_is_not_in_the_list_is_let_in_without_a_call() {
    let (core, door) = door();
    assert_eq!(
        code(&door, session(1)).await,
        Some(Code::Unavailable),
        "there is no list yet"
    );
    assert_eq!(door.take(list(0, &[session(2)])), Taken::Changed);
    assert_eq!(code(&door, session(1)).await, None);
    assert_eq!(core.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_list_that_was_true_too_long_ago_lets_nobody_in_however_late_it_came() {
    let (_, door) = door();
    let age = limits::REVOCATION_LIST_AGE.as_millis() as i64;
    door.take(list(age + 1, &[]));
    assert!(!door.is_ready());
    assert_eq!(code(&door, session(1)).await, Some(Code::Unavailable));
    door.take(list(age, &[]));
    assert_eq!(code(&door, session(1)).await, None);
}

#[tokio::test]
async fn an_older_list_and_one_of_tomorrow_are_passed() {
    let (_, door) = door();
    assert_eq!(door.take(list(0, &[])), Taken::Changed);
    assert_eq!(door.take(list(1, &[session(1)])), Taken::Passed);
    assert_eq!(door.take(list(-5_001, &[session(1)])), Taken::Ahead);
    assert_eq!(door.take(list(-1, &[])), Taken::Same);
    assert_eq!(door.take(list(-2, &[session(1)])), Taken::Changed);
}

#[tokio::test]
async fn who_was_ended_is_asked_about_once_and_stays_out() {
    let (core, door) = door();
    core.says.store(ENDED, Ordering::SeqCst);
    door.take(list(0, &[session(1)]));
    for _ in 0..3 {
        assert_eq!(code(&door, session(1)).await, Some(Code::Unauthenticated));
    }
    assert_eq!(core.asked.load(Ordering::SeqCst), 1);
    core.says.store(AWAY, Ordering::SeqCst);
    door.take(list(-1, &[session(1), session(1)]));
    assert_eq!(
        code(&door, session(1)).await,
        Some(Code::Unauthenticated),
        "it is known"
    );
}

/// By chance a session looks like another that was ended: `session(1)` plays both parts.
#[tokio::test]
async fn who_only_looks_like_one_is_asked_about_once_until_there_is_another_like_it() {
    let (core, door) = door();
    door.take(list(0, &[session(1)]));
    for _ in 0..3 {
        assert_eq!(code(&door, session(1)).await, None);
    }
    assert_eq!(core.asked.load(Ordering::SeqCst), 1);

    // The next entry may be its own.
    core.says.store(ENDED, Ordering::SeqCst);
    door.take(list(-1, &[session(1), session(1)]));
    assert_eq!(code(&door, session(1)).await, Some(Code::Unauthenticated));
    assert_eq!(core.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_entry_that_goes_and_comes_back_may_be_another_one() {
    let (core, door) = door();
    door.take(list(0, &[session(1)]));
    assert_eq!(code(&door, session(1)).await, None);
    door.take(list(-1, &[]));
    core.says.store(ENDED, Ordering::SeqCst);
    door.take(list(-2, &[session(1)]));
    assert_eq!(code(&door, session(1)).await, Some(Code::Unauthenticated));
}

/// db-core answers by a leader that was left behind: it has not heard of what the next one acknowledged.
#[tokio::test]
async fn the_word_of_an_earlier_leader_counts_for_nothing() {
    let (_, door) = door();
    door.take(of_timeline(2, 0, &[session(1)]));
    assert_eq!(door.take(list(-1, &[])), Taken::Passed);
    assert_eq!(code(&door, session(1)).await, Some(Code::Unavailable));
}

/// Between two lists that lie far apart an entry may have gone, and the session's own have come in its place.
#[tokio::test]
async fn what_was_said_before_a_gap_is_asked_again() {
    let (core, door) = door();
    door.take(list(5_000, &[session(1)]));
    assert_eq!(code(&door, session(1)).await, None);
    core.says.store(ENDED, Ordering::SeqCst);
    door.take(list(0, &[session(1)]));
    assert_eq!(code(&door, session(1)).await, Some(Code::Unauthenticated));
}

#[tokio::test]
async fn nobody_is_logged_out_because_the_core_cannot_be_asked() {
    let (core, door) = door();
    core.says.store(AWAY, Ordering::SeqCst);
    door.take(list(0, &[session(1)]));
    assert_eq!(code(&door, session(1)).await, Some(Code::Unavailable));
    core.says.store(GOES_ON, Ordering::SeqCst);
    assert_eq!(code(&door, session(1)).await, None);
}

#[tokio::test]
async fn a_notice_ends_a_session_before_the_list_does() {
    let (core, door) = door();
    door.take(list(0, &[]));
    door.ended(session(1));
    assert_eq!(code(&door, session(1)).await, Some(Code::Unauthenticated));
    assert_eq!(code(&door, session(2)).await, None);
    assert_eq!(core.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_door_takes_lists_of_db_core_alone() {
    let (_, door) = door();
    let key = ServiceKey::new([1; 32]);
    let router = receiver(door.clone(), Service::EdgeAuth, key.clone());
    let post = |token: String, body: Vec<u8>| {
        let request = Request::post(PATH).header("authorization", format!("Bearer {token}"));
        router.clone().oneshot(request.body(Body::from(body)).unwrap())
    };
    let sent = list(0, &[session(1)]).encode();
    let strangers = [
        ServiceKey::new([2; 32]).issue_to(Service::EdgeAuth, NOW).unwrap(),
        // Good tokens of the right key, for somebody else.
        key.issue_to(Service::ApiFunctions, NOW).unwrap(),
        key.issue(Service::EdgeAuth, NOW).unwrap(),
        key.issue_to(Service::EdgeAuth, Timestamp(NOW.0 - 120_000)).unwrap(),
        String::new(),
    ];
    for token in strangers {
        assert_eq!(post(token, sent.clone()).await.unwrap().status(), 401);
    }
    assert!(!door.is_ready());
    let token = key.issue_to(Service::EdgeAuth, NOW).unwrap();
    assert_eq!(post(token.clone(), b"noise".to_vec()).await.unwrap().status(), 400);
    assert_eq!(
        post(token.clone(), vec![0; limits::REVOCATION_LIST_BYTES + 1])
            .await
            .unwrap()
            .status(),
        413
    );
    let ahead = list(-60_000, &[]).encode();
    assert_eq!(post(token.clone(), ahead).await.unwrap().status(), 409);
    assert_eq!(post(token, sent).await.unwrap().status(), 204);
    assert_eq!(code(&door, session(2)).await, None);
}
