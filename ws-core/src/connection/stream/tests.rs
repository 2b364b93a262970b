//! The stream against a reader that the test holds back.

use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::{
    io::{DuplexStream, duplex},
    net::{TcpListener, TcpSocket, TcpStream},
};

use super::*;
use crate::{
    feed::{Encoded, Listener},
    outbox::{Pipe, Sent, Shared},
};

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
    let stream = Stream::open(io, Bytes::new(), 64 * 1024, outbox.clone(), Counter::default()).await;
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

/// Two ends of a TCP connection of which the first takes little before it blocks.
async fn narrow() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = TcpSocket::new_v4().unwrap();
    connecting.set_recv_buffer_size(4096).unwrap();
    let far = connecting.connect(listener.local_addr().unwrap());
    let (far, near) = tokio::join!(far, listener.accept());
    let near = near.unwrap().0;
    socket2::SockRef::from(&near).set_send_buffer_size(4096).unwrap();
    (near, far.unwrap())
}

/// Frames that pass the queue, frames that wait, pings, and a reader that stops at times: each comes once, in order.
#[tokio::test]
async fn who_writes_past_the_queue_keeps_the_order() {
    const FRAMES: usize = 600;
    let (near, far) = narrow().await;
    let outbox = Arc::<Outbox>::default();
    let passed = Counter::default();
    let pipe = Pipe::new(near, passed.clone());
    outbox.write_by(pipe.clone());
    let queued = Counter::default();
    let mut stream = Stream::open(Shared(pipe), Bytes::new(), 64 * 1024, outbox.clone(), queued.clone()).await;
    let writing = tokio::spawn(async move {
        loop {
            match stream.turn(Duration::from_secs(60)).await {
                Turn::Read(Ok(_)) => {}
                _ => return,
            }
        }
    });
    let text = |n: usize| format!("{n} {}", "x".repeat(n * 37 % 1_800));
    let pushing = async {
        for n in 0..FRAMES {
            outbox.event(&Encoded(text(n).into()));
            match n % 10 {
                0..5 => tokio::time::sleep(Duration::from_millis(12)).await,
                7 => outbox.ping(),
                8 => tokio::task::yield_now().await,
                _ => {}
            }
        }
    };
    let reading = async {
        let mut far = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        for n in 0..FRAMES {
            if n % 150 == 149 {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            let frame = loop {
                match far.next().await.unwrap().unwrap() {
                    Message::Text(frame) => break frame,
                    Message::Ping(_) => {}
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(frame.as_str(), text(n));
        }
    };
    tokio::join!(pushing, reading);
    assert_eq!(passed.get() + queued.get(), FRAMES as u64);
    assert!(
        passed.get() > 50 && queued.get() > 50,
        "{} and {}",
        passed.get(),
        queued.get()
    );
    writing.abort();
}

/// What the stream takes only in part is ended by the task, before anything else.
#[tokio::test]
async fn a_frame_that_was_begun_is_ended_first() {
    let (near, mut far) = narrow().await;
    let pipe = Pipe::new(near, Counter::default());
    let mut shared = Shared(pipe.clone());
    shared.write_all(b"").await.unwrap();
    let frame = "y".repeat(1_000);
    let mut frames = 0;
    let last = loop {
        match pipe.send(&frame) {
            Sent::Whole => frames += 1,
            last => break last,
        }
    };
    assert_eq!(pipe.send(&frame), Sent::Nothing);
    let begun = usize::from(last == Sent::Begun);
    let whole = (frames + begun) * (frame.len() + 4);
    let writing = tokio::spawn(async move { shared.write_all(b"the end").await });
    let mut heard = vec![0; whole + b"the end".len()];
    far.read_exact(&mut heard).await.unwrap();
    writing.await.unwrap().unwrap();
    assert!(heard.ends_with(b"the end"));
    for heard in heard[..whole].chunks(frame.len() + 4) {
        assert_eq!(&heard[..4], [0x81, 126, 3, 232]);
        assert_eq!(&heard[4..], frame.as_bytes());
    }
}
