use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{chance::Chance, drill::garbling::Odds};

const ANNOUNCEMENT: &[u8] = b"*3\r\n$7\r\nmessage\r\n$6\r\nroom:1\r\n$2\r\n{}\r\n";
const PONG: &[u8] = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n";

async fn heard(near: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut heard = vec![0; length];
    near.read_exact(&mut heard).await.unwrap();
    heard
}

/// A connection to a Redis, with both its ends, whose process is known from now on.
async fn connection() -> (Proxy, TcpStream, TcpStream) {
    let redis = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let known = Arc::new(AtomicBool::new(false));
    let is_known = known.clone();
    let pids = move || Vec::from_iter(is_known.load(Ordering::SeqCst).then(std::process::id));
    let proxy = Proxy::start(redis.local_addr().unwrap(), pids).await.unwrap();
    let mut near = TcpStream::connect(proxy.address).await.unwrap();
    let (mut far, _) = redis.accept().await.unwrap();
    near.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(heard(&mut far, 6).await, b"PING\r\n");
    known.store(true, Ordering::SeqCst);
    (proxy, near, far)
}

#[tokio::test]
async fn a_cut_ends_the_connections_from_before_their_process_was_known() {
    let (proxy, mut near, _far) = connection().await;
    proxy.cut(std::process::id(), Cut::Closed);
    assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_connection_is_garbled_for_a_while_and_then_carries_bytes_untouched() {
    let (this, (proxy, mut near, mut far)) = (std::process::id(), connection().await);
    let all = [ANNOUNCEMENT, PONG].concat();
    far.write_all(&all).await.unwrap();
    assert_eq!(heard(&mut near, all.len()).await, all);

    let odds = Odds {
        dropped: 1.0,
        repeated: 0.0,
        late: 0.0,
    };
    proxy.garble(this, Garbling::new(Chance::of(1, "test"), odds));
    far.write_all(&all).await.unwrap();
    assert_eq!(heard(&mut near, PONG.len()).await, PONG);

    assert_eq!(proxy.clear(this).dropped, 1);
    far.write_all(&all).await.unwrap();
    assert_eq!(heard(&mut near, all.len()).await, all);
    drop(far);
    assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
}
