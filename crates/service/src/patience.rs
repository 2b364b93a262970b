//! Writing with an end to patience: what waits for a client that takes nothing must not wait for ever.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use common::limits;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// A stream whose writes fail once the other side has taken nothing for [`limits::WRITE_STALL`]. It goes along into an
/// upgrade, so that a tunnel or a socket has the same end.
pub struct Patient<S> {
    stream: S,
    /// Runs while a write waits.
    end: Option<Pin<Box<Sleep>>>,
}

impl<S: Unpin> Patient<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, end: None }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }

    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut self.stream), context);
        if written.is_ready() {
            self.end = None;
            return written;
        }
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(limits::WRITE_STALL)));
        end.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.bounded(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.bounded(context, |stream, context| stream.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // On its own: a socket's flush is always done, and must not be taken for progress of a write that waits.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bounded(context, |stream, context| stream.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    #[tokio::test(start_paused = true)]
    async fn a_write_that_nobody_takes_fails() {
        let (near, _far) = duplex(4);
        let started = Instant::now();
        let error = Patient::new(near).write_all(b"12345").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), limits::WRITE_STALL.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_that_goes_on_taking_is_served_to_the_end() {
        let (near, mut far) = duplex(1);
        let reader = tokio::spawn(async move {
            let (mut text, mut byte) = (Vec::new(), [0]);
            while far.read_exact(&mut byte).await.is_ok() {
                text.push(byte[0]);
                sleep(limits::WRITE_STALL / 2).await;
            }
            text
        });
        let mut near = Patient::new(near);
        near.write_all(b"0123456789").await.unwrap();
        drop(near);
        assert_eq!(reader.await.unwrap(), b"0123456789");
    }
}
