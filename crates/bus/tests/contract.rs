//! One suite for both engines of the bus. The Redis one runs against the server at `CHAT_TEST_REDIS`, which the test runner
//! starts; without it those tests fail rather than pass unseen.

#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use bus::{
    Announcement, Bus, Delivery, MemoryBus, Payload, Publisher, RedisBus, Subscription, Topic, Whereabouts,
    announcement::Signal,
};
use bytes::Bytes;
use common::{
    GatewayId, RoomId, UserId,
    room::Presence::{self, Away, Online},
};
use uuid::Uuid;

fn room(number: u128) -> Topic {
    Topic::Room(RoomId(Uuid::from_u128(number)))
}

fn message(topic: Topic, text: &'static str) -> (Topic, Bytes) {
    (topic, Bytes::from_static(text.as_bytes()))
}

async fn heard(subscription: &mut Box<dyn Subscription>) -> Delivery {
    tokio::time::timeout(Duration::from_secs(10), subscription.next())
        .await
        .expect("nothing was delivered")
}

/// The next message; what says that continuity may be lost is no message.
async fn heard_text(subscription: &mut Box<dyn Subscription>) -> (Topic, String) {
    loop {
        if let Delivery::Message { topic, payload } = heard(subscription).await {
            return (topic, String::from_utf8(payload.to_vec()).unwrap());
        }
    }
}

async fn delivers_in_order_to_subscribers_only(bus: Arc<dyn Bus>) {
    let (mut one, mut two) = (bus.subscription(), bus.subscription());
    one.topics().subscribe(&[room(1)]).await;
    two.topics().subscribe(&[room(1), room(2)]).await;
    bus.publish(vec![
        message(room(2), "x"),
        message(room(1), "a"),
        message(room(1), "b"),
    ])
    .await
    .unwrap();
    assert_eq!(heard_text(&mut one).await, (room(1), "a".into()));
    assert_eq!(heard_text(&mut one).await, (room(1), "b".into()));
    assert_eq!(heard_text(&mut two).await, (room(2), "x".into()));
    assert_eq!(heard_text(&mut two).await, (room(1), "a".into()));
}

async fn unsubscribed_topics_fall_silent(bus: Arc<dyn Bus>) {
    let mut ear = bus.subscription();
    ear.topics().subscribe(&[room(1), room(2)]).await;
    ear.topics().unsubscribe(&[room(1)]).await;
    bus.publish(vec![message(room(1), "silent"), message(room(2), "heard")])
        .await
        .unwrap();
    assert_eq!(heard_text(&mut ear).await, (room(2), "heard".into()));
}

async fn presence_is_taken_once_after_its_lease(bus: Arc<dyn Bus>) {
    let [living, dead] = [1, 2].map(|n| GatewayId(Uuid::from_u128(n)));
    let [ada, bob, eve] = [1, 2, 3].map(|n| UserId(Uuid::from_u128(n)));
    let long = Duration::from_secs(60);
    bus.renew_presence(living, &Whereabouts::from([(ada, Online)]), long)
        .await
        .unwrap();
    let of_dead = Whereabouts::from([(ada, Away), (bob, Online)]);
    bus.renew_presence(dead, &of_dead, Duration::from_millis(50))
        .await
        .unwrap();
    let mut taken = Vec::new();
    for _ in 0..200 {
        taken = bus.take_expired_presence().await.unwrap();
        if !taken.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(taken, [(dead, of_dead)]);
    assert!(bus.take_expired_presence().await.unwrap().is_empty(), "taken twice");
    let present = bus.present(&[ada, bob, eve]).await.unwrap();
    assert_eq!(present, Whereabouts::from([(ada, Online)]));
    assert!(bus.present(&[]).await.unwrap().is_empty());
}

async fn presence_is_the_best_of_all_gateways(bus: Arc<dyn Bus>) {
    let [one, two] = [1, 2].map(|n| GatewayId(Uuid::from_u128(n)));
    let [ada, bob, eve] = [1, 2, 3].map(|n| UserId(Uuid::from_u128(n)));
    let long = Duration::from_secs(60);
    let renew = async |gateway, users: Vec<(UserId, Presence)>| {
        bus.renew_presence(gateway, &users.into_iter().collect(), long)
            .await
            .unwrap();
    };
    renew(one, vec![(ada, Away), (bob, Away), (eve, Online)]).await;
    renew(two, vec![(ada, Online), (bob, Away)]).await;
    let present = bus.present(&[ada, bob, eve]).await.unwrap();
    assert_eq!(present, Whereabouts::from([(ada, Online), (bob, Away), (eve, Online)]));
    renew(two, vec![]).await;
    renew(one, vec![(ada, Away)]).await;
    let present = bus.present(&[ada, bob, eve]).await.unwrap();
    assert_eq!(
        present,
        Whereabouts::from([(ada, Away)]),
        "a renewal states the whole set"
    );
}

async fn a_batch_is_published_in_its_order(bus: Arc<dyn Bus>) {
    let mut ear = bus.subscription();
    ear.topics().subscribe(&[Topic::Gateways]).await;
    let publisher = Publisher::start(bus.clone(), 100);
    let user = |n| UserId(Uuid::from_u128(n));
    for n in 0..100 {
        let signal = Signal::Presence {
            user_id: user(n),
            status: Online,
        };
        publisher.offer(Announcement::signal(Topic::Gateways, signal));
    }
    for n in 0..100 {
        let (topic, text) = heard_text(&mut ear).await;
        assert_eq!(topic, Topic::Gateways);
        let Some(Payload::Signal(Signal::Presence { user_id, .. })) = Payload::decode(text.as_bytes()) else {
            panic!("heard {text}");
        };
        assert_eq!(user_id, user(n));
    }
}

fn redis_url() -> String {
    std::env::var("CHAT_TEST_REDIS").expect("CHAT_TEST_REDIS names no Redis; `./dev test` starts one")
}

fn redis() -> Arc<dyn Bus> {
    let url = redis_url();
    let prefix = format!("bus-{}-{:?}:", std::process::id(), std::thread::current().id());
    Arc::new(RedisBus::new(&url, &prefix).unwrap())
}

macro_rules! on_both_engines {
    ($($name:ident),*) => {
        mod in_process { $(#[tokio::test] async fn $name() { super::$name(std::sync::Arc::new(bus::MemoryBus::new())).await; })* }
        mod over_redis { $(#[tokio::test] async fn $name() { super::$name(super::redis()).await; })* }
    };
}

on_both_engines!(
    delivers_in_order_to_subscribers_only,
    unsubscribed_topics_fall_silent,
    presence_is_taken_once_after_its_lease,
    presence_is_the_best_of_all_gateways,
    a_batch_is_published_in_its_order
);

#[tokio::test]
async fn an_overflow_in_process_is_said() {
    let bus = MemoryBus::new();
    let mut ear = bus.subscription();
    ear.topics().subscribe(&[room(1)]).await;
    let flood = (0..=common::limits::BUS_QUEUE).map(|_| message(room(1), "x")).collect();
    bus.publish(flood).await.unwrap();
    assert_eq!(heard(&mut ear).await, Delivery::ContinuityLost);
}

/// A door to Redis that can be slammed: a forwarder whose connections are cut by aborting their tasks.
async fn cuttable(url: &str) -> (String, Arc<std::sync::Mutex<tokio::task::JoinSet<()>>>) {
    // `redis://:PASSWORD@ADDRESS`, of which the address is exchanged.
    let rest = url.trim_start_matches("redis://");
    let (password, target) = rest
        .rsplit_once('@')
        .map_or(("", rest), |(password, target)| (password, target));
    let (password, target) = (password.to_owned(), target.trim_end_matches('/').to_owned());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(std::sync::Mutex::new(tokio::task::JoinSet::new()));
    let accepted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut inner, _)) = listener.accept().await {
            let target = target.clone();
            accepted.lock().unwrap().spawn(async move {
                if let Ok(mut outer) = tokio::net::TcpStream::connect(target).await {
                    let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
                }
            });
        }
    });
    let at = if password.is_empty() { "" } else { "@" };
    (format!("redis://{password}{at}{address}"), connections)
}

#[tokio::test]
async fn a_lost_connection_to_redis_is_said_and_healed() {
    let (url, connections) = cuttable(&redis_url()).await;
    let bus = RedisBus::new(&url, &format!("cut-{}:", std::process::id())).unwrap();
    let mut ear = bus.subscription();
    ear.topics().subscribe(&[room(1)]).await;
    while heard(&mut ear).await != Delivery::ContinuityLost {}
    bus.publish(vec![message(room(1), "before")]).await.unwrap();
    assert_eq!(heard_text(&mut ear).await.1, "before");
    connections.lock().unwrap().abort_all();
    assert_eq!(heard(&mut ear).await, Delivery::Away);
    assert_eq!(heard(&mut ear).await, Delivery::ContinuityLost);
    // The publishing connection was cut too; it comes back by itself.
    while bus.publish(vec![message(room(1), "after")]).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(heard_text(&mut ear).await.1, "after");
}
