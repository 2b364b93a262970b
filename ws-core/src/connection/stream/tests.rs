//! The stream against a reader that the test holds back.

use parking_lot::Mutex;
use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::feed::{Encoded, Listener};

/// Takes everything, and how much of it came at once.
struct Sizes(Arc<Mutex<Vec<usize>>>);

impl AsyncRead for Sizes {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Sizes {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().push(bytes.len());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn stream<IO: AsyncRead + AsyncWrite + Unpin>(io: IO) -> (Stream<IO>, Arc<Outbox>) {
    let outbox = Arc::new(Outbox::default());
    let stream = Stream::open(io, 64 * 1024, outbox.clone(), Counter::default()).await;
    (stream, outbox)
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_while_frames_wait_has_stalled() {
    let (near, _far) = duplex(64);
    let (mut stream, outbox) = stream(near).await;
    let started = Instant::now();
    assert!(
        matches!(stream.turn(Duration::from_secs(60)).await, Turn::Wake),
        "nothing waits"
    );
    outbox.event(&Encoded("x".repeat(1024).into()));
    let began = Instant::now();
    assert!(matches!(stream.turn(Duration::from_secs(60)).await, Turn::Stalled(_)));
    assert_eq!(began.elapsed(), limits::SOCKET_STALL);
    assert_eq!(began - started, Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_that_goes_on_taking_has_not() {
    let (near, mut far) = duplex(64);
    let (mut stream, outbox) = stream(near).await;
    outbox.event(&Encoded("x".repeat(256).into()));
    let reader = async {
        let mut taken = [0; 64];
        for _ in 0..5 {
            tokio::time::sleep(limits::SOCKET_STALL / 2).await;
            assert!(far.read(&mut taken).await.unwrap() > 0);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        turn = stream.turn(Duration::from_secs(60)) => assert!(matches!(turn, Turn::Wake)),
        () = reader => {}
    }
}

#[tokio::test(start_paused = true)]
async fn many_frames_go_out_in_one_write() {
    let writes = Arc::new(Mutex::new(Vec::new()));
    let (mut stream, outbox) = stream(Sizes(writes.clone())).await;
    (0..100).for_each(|_| outbox.event(&Encoded("x".repeat(100).into())));
    stream.turn(Duration::ZERO).await;
    let mut writes = writes.lock();
    // A frame of 100 bytes has a head of two (RFC 6455, section 5.2).
    assert_eq!(std::mem::take(&mut *writes), [100 * 102]);
}

/// Writes what no client may, and then more than any buffer holds: the connection is not given up before all of it was taken.
async fn is_taken_to_the_end(first: &[u8], end: impl AsyncFnOnce(Stream<DuplexStream>, Turn)) {
    let (near, mut far) = duplex(64);
    let (mut stream, _outbox) = stream(near).await;
    far.write_all(first).await.unwrap();
    let turn = stream.turn(Duration::from_secs(1)).await;
    let client = async {
        far.write_all(&[0; 64 * 1024]).await.expect("the connection is gone");
        far.shutdown().await.unwrap();
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let (heard, ()) = tokio::join!(client, end(stream, turn));
    assert_eq!(heard.first(), Some(&0x88), "no close");
}

#[tokio::test(start_paused = true)]
async fn a_close_is_not_lost_to_what_the_client_still_sends() {
    let unknown_opcode = [0x83, 0x80, 0, 0, 0, 0];
    is_taken_to_the_end(&unknown_opcode, async |stream, turn| {
        assert!(matches!(turn, Turn::Read(Err(_))));
        stream.close(CloseCode::ProtocolError).await;
    })
    .await;
    let close = [0x88, 0x80, 0, 0, 0, 0];
    is_taken_to_the_end(&close, async |stream, turn| {
        assert!(matches!(turn, Turn::Read(Ok(Message::Close(_)))));
        stream.answer_close().await;
    })
    .await;
}
