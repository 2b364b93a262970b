//! A socket's way out, which its task shares with those who have an event for it: while the task has nothing to write, they
//! write at once, and it isn't woken for that.

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Bytes of a frame that is written at once: about what one packet takes. A larger one waits for the task.
const FRAME_BYTES: usize = 1_400;

pub struct Pipe {
    stream: TcpStream,
    sent: Counter,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The task has begun a frame, and not ended it.
    is_amid: bool,
    /// What the stream did not take of a frame that was written at once.
    rest: Vec<u8>,
}

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    Whole,
    /// The task has to write the rest.
    Begun,
    Nothing,
}

/// A text frame of a server, whole and unmasked (RFC 6455, section 5.2).
fn framed<'a>(text: &str, into: &'a mut [u8; FRAME_BYTES + 4]) -> Option<&'a [u8]> {
    const WHOLE_TEXT: u8 = 0x81;
    const LENGTH_FOLLOWS: u8 = 126;
    let length = u16::try_from(text.len()).ok().filter(|_| text.len() <= FRAME_BYTES)?;
    let head = if length < u16::from(LENGTH_FOLLOWS) {
        into[..2].copy_from_slice(&[WHOLE_TEXT, length as u8]);
        2
    } else {
        let [high, low] = length.to_be_bytes();
        into[..4].copy_from_slice(&[WHOLE_TEXT, LENGTH_FOLLOWS, high, low]);
        4
    };
    let end = head + text.len();
    into[head..end].copy_from_slice(text.as_bytes());
    Some(&into[..end])
}

impl Pipe {
    pub fn new(stream: TcpStream, sent: Counter) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self { stream, sent, state })
    }

    /// Writes a frame now, if the stream takes it.
    pub fn send(&self, text: &str) -> Sent {
        let mut state = self.state.lock();
        let mut place = [0; FRAME_BYTES + 4];
        let Some(frame) = framed(text, &mut place).filter(|_| !state.is_amid && state.rest.is_empty()) else {
            return Sent::Nothing;
        };
        // Past the runtime, which would look up first whether the stream was ready. What is wrong with it, its task will hear.
        let Ok(taken @ 1..) = socket2::SockRef::from(&self.stream).send(frame) else {
            return Sent::Nothing;
        };
        self.sent.inc();
        if taken == frame.len() {
            return Sent::Whole;
        }
        state.rest.extend_from_slice(&frame[taken..]);
        Sent::Begun
    }
}

/// The stream as its task has it.
pub struct Shared(pub Arc<Pipe>);

impl Shared {
    fn poll_try(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.stream.poll_write_ready(cx))?;
            match self.0.stream.try_write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock();
        while !state.rest.is_empty() {
            match ready!(self.poll_try(cx, &state.rest))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                written => drop(state.rest.drain(..written)),
            }
        }
        // The next one is as small, and seldom.
        state.rest = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Shared {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.stream.poll_read_ready(cx))?;
            match self.0.stream.try_read(into.initialize_unfilled()) {
                Ok(read) => {
                    into.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_rest(cx))?;
        let written = self.poll_try(cx, bytes);
        let is_whole = matches!(&written, Poll::Ready(Ok(written)) if *written == bytes.len());
        self.0.state.lock().is_amid = !is_whole;
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_rest(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        let socket = socket2::SockRef::from(&self.0.stream);
        match socket.shutdown(std::net::Shutdown::Write) {
            // The other side may be gone already.
            Err(error) if error.kind() != ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}
