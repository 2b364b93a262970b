//! The breaker around a db-core that hangs, is gone, refuses, and comes back.

#![allow(clippy::unwrap_used)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{
    limits,
    service_token::{Service, ServiceKey},
};
use db_api::{Call, DbApi, Refusal, types::Nothing};
use db_client::DbClient;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const HANGS: u8 = 0;
const ANSWERS: u8 = 1;
const REFUSES: u8 = 2;

/// A db-core of one answer, as the test wants it.
#[derive(Clone, Default)]
struct Fake {
    manner: Arc<AtomicU8>,
    asked: Arc<AtomicUsize>,
}

impl Fake {
    async fn start(manner: u8) -> (Self, SocketAddr) {
        let fake = Self::default();
        fake.be(manner);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(connection));
            }
        });
        (fake, address)
    }

    fn be(&self, manner: u8) {
        self.manner.store(manner, Ordering::SeqCst);
    }

    async fn serve(self, mut connection: TcpStream) {
        let _ = connection.read(&mut [0; 4096]).await;
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (status, body) = match self.manner.load(Ordering::SeqCst) {
            HANGS => return std::future::pending().await,
            ANSWERS => (
                "200 OK",
                r#"{"value":{"database":true,"cache":true,"replicated":false}}"#,
            ),
            _ => (
                "503 Service Unavailable",
                r#"{"refusal":"unavailable","reason":"the database is away"}"#,
            ),
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        let _ = connection.write_all(answer.as_bytes()).await;
        // Read to the end: a close with bytes unread would reset the connection before the answer is taken.
        let _ = connection.shutdown().await;
        while connection.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {}
    }
}

fn client<const N: usize>(addresses: [SocketAddr; N]) -> DbClient {
    let urls = addresses.map(|address| format!("http://{address}"));
    DbClient::new(&urls, Service::WsCore, &ServiceKey::new([1; 32]))
}

/// A call that would wait for ever by itself.
async fn ask(client: &DbClient) -> Result<(), Refusal> {
    let call = Call::anonymous().within(Duration::from_secs(3_600));
    client.health(call, Nothing {}).await.map(drop)
}

fn reason(refused: Result<(), Refusal>) -> String {
    match refused {
        Err(Refusal::Unavailable { reason }) => reason,
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn a_db_core_that_hangs_is_noticed_and_one_that_returns_too() {
    let (fake, address) = Fake::start(HANGS).await;
    let client = client([address]);
    let waiting = tokio::join!(ask(&client), ask(&client));
    assert!(reason(waiting.0).contains("circuit"), "who waits is told");
    assert!(reason(waiting.1).contains("circuit"));
    let asked = fake.asked.load(Ordering::SeqCst);
    assert_eq!(asked, 3, "two calls and one question");
    for _ in 0..100 {
        assert!(reason(ask(&client).await).contains("circuit"));
    }
    assert!(fake.asked.load(Ordering::SeqCst) < asked + 100, "none of them went out");
    fake.be(ANSWERS);
    while let Err(refusal) = ask(&client).await {
        assert!(reason(Err(refusal)).contains("circuit"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_db_core_that_is_gone_opens_the_circuit_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client([address]);
    for _ in 0..limits::BREAKER_FAILURES {
        assert!(!reason(ask(&client).await).contains("circuit"));
    }
    assert!(reason(ask(&client).await).contains("circuit"));
}

#[tokio::test]
async fn refusals_are_answers() {
    let (fake, address) = Fake::start(REFUSES).await;
    let client = client([address]);
    let many = limits::BREAKER_FAILURES * 4;
    for _ in 0..many {
        assert_eq!(reason(ask(&client).await), "the database is away");
    }
    assert_eq!(fake.asked.load(Ordering::SeqCst), many as usize);
}

#[tokio::test]
async fn what_nobody_heard_is_asked_of_the_next() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let (other, address) = Fake::start(ANSWERS).await;
    let client = client([gone, address]);
    for _ in 0..limits::BREAKER_FAILURES * 2 {
        ask(&client).await.unwrap();
    }
    assert_eq!(
        other.asked.load(Ordering::SeqCst),
        limits::BREAKER_FAILURES as usize * 2
    );
}

#[tokio::test]
async fn what_may_have_been_heard_is_asked_of_nobody_else() {
    let ((home, at_home), (other, elsewhere)) = (Fake::start(HANGS).await, Fake::start(ANSWERS).await);
    let client = client([at_home, elsewhere]);
    assert!(reason(ask(&client).await).contains("circuit"));
    assert_eq!(other.asked.load(Ordering::SeqCst), 0);
    ask(&client).await.unwrap();
    assert_eq!(other.asked.load(Ordering::SeqCst), 1, "home is known to be away");
    home.be(ANSWERS);
    // Questions from here on go home again once a probe was answered there.
    while other.asked.load(Ordering::SeqCst) < 1_000 {
        let elsewhere = other.asked.load(Ordering::SeqCst);
        ask(&client).await.unwrap();
        if other.asked.load(Ordering::SeqCst) == elsewhere {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never home again");
}
