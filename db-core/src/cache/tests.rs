//! One suite for both engines, and what the fence is for: several db-core that share a Redis.

mod consistency;
mod path;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use common::{UserId, limits};
use service::Metrics;
use sqlx::{Connection, PgConnection};

use super::{fence::State, *};
use crate::Store;
use path::{Manner, Path};

fn entry() -> Entry {
    Entry::User(UserId(service::minted::id()))
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn claim(cache: &dyn Cache, entry: Entry) -> Claim {
    match cache.look(entry).await {
        Look::Miss(claim) => claim,
        other => panic!("{other:?}"),
    }
}

async fn hit(cache: &dyn Cache, entry: Entry) -> Option<Bytes> {
    match cache.look(entry).await {
        Look::Hit(value) => Some(value),
        Look::Miss(_) => None,
        Look::Bypass => panic!("the cache is not open"),
    }
}

async fn a_filled_place_is_found(cache: &dyn Cache) {
    let entry = entry();
    let claim = claim(cache, entry).await;
    cache.fill(claim, 1, bytes("v1")).await;
    assert_eq!(hit(cache, entry).await, Some(bytes("v1")));
}

/// R reads v1; W commits v2 and deletes; R's fill must not put v1 back.
async fn a_fill_behind_a_write_is_refused(cache: &dyn Cache) {
    let entry = entry();
    let claimed = claim(cache, entry).await;
    cache.forget(&[entry]).await.unwrap();
    cache.fill(claimed, 1, bytes("v1")).await;
    assert_eq!(hit(cache, entry).await, None);
    let claimed = claim(cache, entry).await;
    cache.outdate(&[(entry, 2)]).await.unwrap();
    cache.fill(claimed, 1, bytes("v1")).await;
    assert_eq!(
        hit(cache, entry).await,
        None,
        "a token's reader may have read older than any version"
    );
}

async fn only_the_last_claim_fills(cache: &dyn Cache) {
    let entry = entry();
    let (first, second) = (claim(cache, entry).await, claim(cache, entry).await);
    cache.fill(first, 1, bytes("old")).await;
    assert_eq!(hit(cache, entry).await, None);
    // The look above has claimed the place anew.
    cache.fill(second, 2, bytes("older")).await;
    assert_eq!(hit(cache, entry).await, None);
}

async fn what_is_handed_out_outdates_what_is_older(cache: &dyn Cache) {
    let entry = entry();
    let claimed = claim(cache, entry).await;
    cache.fill(claimed, 9, bytes("v9")).await;
    for version in [3, 9] {
        cache.outdate(&[(entry, version)]).await.unwrap();
        assert_eq!(hit(cache, entry).await, Some(bytes("v9")), "as new as {version}");
    }
    cache.outdate(&[(entry, 10)]).await.unwrap();
    assert_eq!(hit(cache, entry).await, None);
}

async fn suite(cache: &dyn Cache) {
    a_filled_place_is_found(cache).await;
    a_fill_behind_a_write_is_refused(cache).await;
    only_the_last_claim_fills(cache).await;
    what_is_handed_out_outdates_what_is_older(cache).await;
    assert!(cache.is_there().await);
}

#[tokio::test]
async fn in_process() {
    suite(&MemoryCache::default()).await;
}

/// A database of the test's own.
async fn fresh_database() -> String {
    let server =
        std::env::var("CHAT_TEST_POSTGRES").expect("CHAT_TEST_POSTGRES names no Postgres; `./dev test` starts one");
    let name = format!("test_{}", service::minted::id().simple());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("create database {name}"));
    sqlx::query(create).execute(&mut admin).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

async fn fresh_store() -> Store {
    Store::open(&fresh_database().await).await.unwrap()
}

async fn opened(cache: &RedisCache) {
    while !cache.is_there().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn over_redis() {
    let url = std::env::var("CHAT_TEST_REDIS").expect("CHAT_TEST_REDIS names no Redis; `./dev test` starts one");
    let store = fresh_store().await;
    let cache = RedisCache::start(&url, "test:", store.fence()).unwrap();
    opened(&cache).await;
    suite(&cache).await;
}

#[tokio::test]
async fn a_cache_that_is_away_is_passed_by_and_acks_go_on() {
    let store = fresh_store().await;
    let engine = RedisCache::start("redis://127.0.0.1:1", "", store.fence()).unwrap();
    let cache = ReadThrough::new(Arc::new(engine), &Metrics::new("db", "test"));
    let entry = entry();
    assert_eq!(cache.get(entry, || async { Ok((1, 7)) }).await, Ok(7));
    cache.written(&[entry]).await.unwrap();
    assert_eq!(cache.get(entry, || async { Ok((2, 8)) }).await, Ok(8));
}

/// Of two db-core one is cut off from Redis, writes, and acks: the other, whose cache is filled, must not answer with what
/// was before.
#[tokio::test]
async fn a_writer_that_is_cut_off_closes_the_cache_before_it_acks() {
    let redis = std::env::var("CHAT_TEST_REDIS").expect("CHAT_TEST_REDIS names no Redis; `./dev test` starts one");
    let (store, path) = (fresh_store().await, Path::to(&redis).await);
    let writer = RedisCache::start(path.url(), "cut:", store.fence()).unwrap();
    let reader = RedisCache::start(&redis, "cut:", store.fence()).unwrap();
    opened(&writer).await;
    opened(&reader).await;
    let entry = entry();
    let claimed = claim(&reader, entry).await;
    reader.fill(claimed, 1, bytes("v1")).await;
    assert_eq!(hit(&writer, entry).await, Some(bytes("v1")), "they share it");
    path.be(Manner::Cut);
    writer.forget(&[entry]).await.unwrap();
    match reader.look(entry).await {
        Look::Bypass => {}
        other => panic!("an acknowledged write, and the other db-core still reads {other:?}"),
    }
    // Who reaches Redis opens it again, with nothing in it from before.
    opened(&reader).await;
    assert_eq!(hit(&reader, entry).await, None);
}

/// Who was told last that it is closed, and acks without clearing it, has to ask again by the time that it is open.
#[tokio::test]
async fn once_it_is_open_nobody_trusts_that_it_is_closed() {
    let redis = std::env::var("CHAT_TEST_REDIS").expect("CHAT_TEST_REDIS names no Redis; `./dev test` starts one");
    let (store, path) = (fresh_store().await, Path::to(&redis).await);
    path.be(Manner::Cut);
    let cache = RedisCache::start(path.url(), "late:", store.fence()).unwrap();
    let mut last_told = store.fence();
    assert_eq!(last_told.confirm().await.unwrap().state, State::Closed);
    path.be(Manner::Through);
    loop {
        let asking = store.fence();
        if asking.confirm().await.unwrap().state != State::Closed {
            break;
        }
        last_told = asking;
    }
    opened(&cache).await;
    assert_eq!(last_told.look(), None);
}

/// A name that can't be confirmed can't be trusted: readers pass the cache by, writers do not ack.
#[tokio::test]
async fn without_the_leader_nothing_is_trusted_for_long() {
    let redis = std::env::var("CHAT_TEST_REDIS").expect("CHAT_TEST_REDIS names no Redis; `./dev test` starts one");
    let store = fresh_store().await;
    let cache = RedisCache::start(&redis, "alone:", store.fence()).unwrap();
    opened(&cache).await;
    let entry = entry();
    let claimed = claim(&cache, entry).await;
    cache.fill(claimed, 1, bytes("v1")).await;
    store.close_for_test().await;
    tokio::time::sleep(limits::CACHE_NAME_TRUSTED).await;
    assert!(matches!(cache.look(entry).await, Look::Bypass));
    assert!(cache.forget(&[entry]).await.is_err());
}
