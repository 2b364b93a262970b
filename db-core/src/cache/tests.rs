//! One suite for both engines.

use super::*;

fn key() -> String {
    service::minted::id().to_string()
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn a_filled_place_is_found(cache: &dyn Cache) {
    let (key, token) = (key(), service::minted::id());
    assert_eq!(cache.get(&key).await.unwrap(), None);
    cache.claim(&key, token).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), None, "a token is no value");
    cache.fill(&key, token, bytes("v1")).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), Some(bytes("v1")));
}

/// R reads v1; W commits v2 and deletes; R's fill must not put v1 back.
async fn a_fill_behind_a_write_is_refused(cache: &dyn Cache) {
    let (key, token) = (key(), service::minted::id());
    cache.claim(&key, token).await.unwrap();
    cache.delete(std::slice::from_ref(&key)).await.unwrap();
    cache.fill(&key, token, bytes("v1")).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), None);
}

async fn only_the_last_claim_fills(cache: &dyn Cache) {
    let (key, first, second) = (key(), service::minted::id(), service::minted::id());
    cache.claim(&key, first).await.unwrap();
    cache.claim(&key, second).await.unwrap();
    cache.fill(&key, first, bytes("old")).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), None);
    cache.fill(&key, second, bytes("new")).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), Some(bytes("new")));
    let _ = cache.claim(&key, first).await;
    assert_eq!(
        cache.get(&key).await.unwrap(),
        Some(bytes("new")),
        "a claim takes no value away"
    );
}

async fn suite(cache: &dyn Cache) {
    a_filled_place_is_found(cache).await;
    a_fill_behind_a_write_is_refused(cache).await;
    only_the_last_claim_fills(cache).await;
}

#[tokio::test]
async fn in_process() {
    suite(&MemoryCache::default()).await;
}

#[tokio::test]
async fn over_redis() {
    let url = std::env::var("CHAT_TEST_REDIS").expect("CHAT_TEST_REDIS names no Redis; `./dev test` starts one");
    suite(&RedisCache::new(&url, "test:").unwrap()).await;
}

#[tokio::test]
async fn a_cache_that_is_away_is_passed_by() {
    let cache = ReadThrough::new(
        Arc::new(RedisCache::new("redis://127.0.0.1:1", "").unwrap()),
        &Metrics::new("db", "test"),
    );
    let entry = Entry::User(UserId(service::minted::id()));
    let value: Result<u32, ()> = cache.get(entry, || async { Ok(7) }).await;
    assert_eq!(value, Ok(7));
    cache.written(&[entry]).await;
    let value: Result<u32, ()> = cache.get(entry, || async { Ok(8) }).await;
    assert_eq!(value, Ok(8));
}
