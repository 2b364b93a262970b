//! What a client is told while the database has no leader.

#![allow(clippy::unwrap_used)]

mod support;

use std::{process::Command, time::Duration};

use chat_client::{Ask, HttpError, Session, http::Answer};
use common::room::Room;
use http::Method;
use serde_json::{Value, json};
use support::{PATIENCE, Stack};

/// Asks until the answer is as it has to be; nothing but a refusal comes before.
async fn until(ada: &Session, path: &str, stale: bool) -> Answer {
    let asked = async {
        loop {
            match ada.ask(Ask::get(path)).await {
                Ok(answer) if answer.stale == stale => return answer,
                Ok(_) | Err(HttpError::Refused(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap()
}

#[tokio::test]
async fn without_a_leader_what_is_left_is_shown_and_says_so() {
    let mut stack = Stack::with_replica().await;
    let ada = stack.person("ada", &stack.origin).await;
    let made = ada
        .ask(Ask::post("/api/rooms", json!({"name": "tea", "visibility": "private"})))
        .await
        .unwrap();
    let room: Room = made.read().unwrap();
    let messages = format!("/api/rooms/{}/messages", room.id);
    let sent = json!({"messageId": service::minted::id(), "message": "kept"});
    let seen = ada.ask(Ask::post(&messages, sent)).await.unwrap().seen;
    assert!(seen.is_some());
    assert!(!until(&ada, &messages, false).await.stale);

    let leader = stack.postgres[0].pid().to_string();
    assert!(
        Command::new("kill")
            .args(["-KILL", &leader])
            .status()
            .unwrap()
            .success()
    );
    for path in [
        messages.as_str(),
        "/api/rooms",
        "/api/me",
        &format!("/api/rooms/{}/events", room.id),
    ] {
        until(&ada, path, true).await;
    }
    let headers_only = Ask::new(Method::HEAD, messages.as_str(), None);
    assert!(ada.ask(headers_only).await.unwrap().stale);
    let shown: Value = until(&ada, &messages, true).await.read().unwrap();
    assert_eq!(shown["items"][0]["message"], "kept");
    while !stack.postgres[0].revive().unwrap() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until(&ada, &messages, false).await;
}
