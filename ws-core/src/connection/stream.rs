//! A WebSocket stream that reads and writes in one task, and knows when its reader takes nothing any more.

#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use common::{frame::CloseCode, limits};
use futures_util::{Sink, SinkExt, Stream as _};
use prometheus_client::metrics::counter::Counter;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode as WireCode},
    },
};

use super::CLOSING;
use crate::outbox::{Outbox, Outgoing};

/// Bytes that are read at once. An idle socket keeps this buffer, so it is small: a frame is a few hundred bytes.
const READ_BYTES: usize = 512;
/// Bytes of frames that are put together for one write.
const WRITE_BYTES: usize = 32 * 1024;

/// Frames wait and nothing of them was taken for [`limits::SOCKET_STALL`].
pub struct Stalled;

/// What happened next.
pub enum Turn {
    Read(Result<Message, Error>),
    Close(CloseCode),
    Stalled(Stalled),
    Wake,
    Gone,
}

/// Counts what the other side has taken.
struct Counted<IO> {
    io: IO,
    written: u64,
}

pub struct Stream<IO> {
    ws: WebSocketStream<Counted<IO>>,
    outbox: Arc<Outbox>,
    sent: Counter,
    /// Since when, and at which count, nothing was taken.
    blocked: Option<(Instant, u64)>,
    sleep: Pin<Box<Sleep>>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Stream<IO> {
    /// `read` is what of the stream was read along with the opening handshake.
    pub async fn open(io: IO, read: Bytes, frame_bytes: usize, outbox: Arc<Outbox>, sent: Counter) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(WRITE_BYTES)
            .max_frame_size(Some(frame_bytes))
            .max_message_size(Some(frame_bytes));
        let io = Counted { io, written: 0 };
        // A copy: it may be a small part of a large buffer, which an idle socket would keep.
        let ws = WebSocketStream::from_partially_read(io, read.to_vec(), Role::Server, Some(config)).await;
        Self {
            ws,
            outbox,
            sent,
            blocked: None,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    /// Writes what waits, until something is read or due.
    pub async fn turn(&mut self, wait: Duration) -> Turn {
        let until = Instant::now() + wait;
        let turn = std::future::poll_fn(|cx| self.poll_turn(cx, until)).await;
        self.outbox.stir();
        turn
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<Turn> {
        self.outbox.wake_reader(cx.waker());
        match self.poll_write(cx) {
            Poll::Ready(Ok(())) => self.blocked = None,
            Poll::Ready(Err(_)) => return Poll::Ready(Turn::Gone),
            Poll::Pending => {
                if self.is_stalled() {
                    return Poll::Ready(Turn::Stalled(Stalled));
                }
            }
        }
        if let Some(code) = self.outbox.closing() {
            return Poll::Ready(Turn::Close(code));
        }
        match Pin::new(&mut self.ws).poll_next(cx) {
            Poll::Ready(Some(read)) => return Poll::Ready(Turn::Read(read)),
            Poll::Ready(None) => return Poll::Ready(Turn::Gone),
            Poll::Pending => {}
        }
        let stall = self.blocked.map(|(since, _)| since + limits::SOCKET_STALL);
        let wake_at = stall.map_or(until, |stall| stall.min(until));
        if self.sleep.deadline() != wake_at {
            self.sleep.as_mut().reset(wake_at);
        }
        if self.sleep.as_mut().poll(cx).is_pending() {
            if self.blocked.is_none() {
                self.outbox.rest();
            }
            return Poll::Pending;
        }
        if self.blocked.is_some() && self.is_stalled() {
            return Poll::Ready(Turn::Stalled(Stalled));
        }
        Poll::Ready(Turn::Wake)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            ready!(Pin::new(&mut self.ws).poll_ready(cx))?;
            let mut batch = 0;
            while batch < WRITE_BYTES {
                let message = match self.outbox.pop() {
                    Some(Outgoing::Frame(frame)) => {
                        self.sent.inc();
                        Message::Text(frame)
                    }
                    Some(Outgoing::Ping) => Message::Ping(Bytes::new()),
                    None => break,
                };
                batch += message.len() + 1;
                Pin::new(&mut self.ws).start_send(message)?;
            }
            ready!(Pin::new(&mut self.ws).poll_flush(cx))?;
            if batch == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn is_stalled(&mut self) -> bool {
        let written = self.ws.get_ref().written;
        match self.blocked {
            Some((since, then)) if then == written => since.elapsed() >= limits::SOCKET_STALL,
            _ => {
                self.blocked = Some((Instant::now(), written));
                false
            }
        }
    }

    /// Writes at once, behind what was taken from the outbox.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn write(&mut self, message: Message) -> Result<(), Error> {
        self.ws.send(message).await
    }

    /// Lets the answer to the client's close go out, and the client hear it.
    pub async fn answer_close(mut self) {
        let answered = async {
            std::future::poll_fn(|cx| Pin::new(&mut self.ws).poll_flush(cx)).await?;
            Ok::<(), Error>(drained(self.ws.get_mut()).await?)
        };
        let _ = tokio::time::timeout(CLOSING, answered).await;
    }

    /// Says why, and waits a moment for the client to hear it.
    pub async fn close(mut self, code: CloseCode) {
        let ending = async {
            let _ = self.shake_hands(code).await;
            drained(self.ws.get_mut()).await
        };
        let _ = tokio::time::timeout(CLOSING, ending).await;
    }

    /// Ends when the client has closed too, or with a broken frame. What it still says is of no interest.
    async fn shake_hands(&mut self, code: CloseCode) -> Result<(), Error> {
        let frame = CloseFrame {
            code: WireCode::from(code.number()),
            reason: "".into(),
        };
        self.write(Message::Close(Some(frame))).await?;
        while let Some(message) = std::future::poll_fn(|cx| Pin::new(&mut self.ws).poll_next(cx)).await {
            message?;
        }
        Ok(())
    }
}

/// Takes what the client still sends until it has closed its side: a connection that is dropped with bytes unread is reset,
/// and then the client may never see the close that was written before.
async fn drained<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut IO) -> io::Result<()> {
    io.shutdown().await?;
    let mut scrap = [0; 1024];
    while io.read(&mut scrap).await? > 0 {}
    Ok(())
}

impl<IO: AsyncRead + Unpin> AsyncRead for Counted<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Counted<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
