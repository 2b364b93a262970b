//! What waits to be written to one socket: bounded in bytes, so that a slow reader costs nobody else anything.

use std::{
    collections::VecDeque,
    task::{Context, Waker},
};

use common::{RoomId, frame::CloseCode, frame::ServerFrame, limits};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::feed::{Encoded, Listener};

struct Waiting {
    frame: Utf8Bytes,
    /// Whether it counts in the bound: answers to `join` don't, they are made as the reader takes them.
    counted: bool,
}

/// What is to be written next.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    Frame(Utf8Bytes),
    Ping,
}

#[derive(Default)]
struct Queue {
    ping: bool,
    frames: VecDeque<Waiting>,
    counted_bytes: usize,
    bytes: usize,
    close: Option<CloseCode>,
    ended: Vec<RoomId>,
}

/// The outgoing queue of a socket, and what else its task must hear of.
#[derive(Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    reader: AtomicWaker,
    /// Wakes who makes catch-up frames as there is room for them.
    maker: AtomicWaker,
}

impl Outbox {
    pub fn push(&self, frame: Utf8Bytes, counted: bool) {
        let mut queue = self.queue.lock();
        if queue.close.is_some() {
            return;
        }
        queue.bytes += frame.len();
        if counted {
            queue.counted_bytes += frame.len();
        }
        queue.frames.push_back(Waiting { frame, counted });
        if queue.counted_bytes > limits::SOCKET_QUEUE_BYTES {
            // What waits is dropped: the client resumes from where it was.
            *queue = Queue {
                close: Some(CloseCode::TooSlow),
                ended: std::mem::take(&mut queue.ended),
                ..Queue::default()
            };
        }
        drop(queue);
        self.reader.wake();
    }

    pub fn answer(&self, frame: &ServerFrame) {
        let counted = !matches!(frame, ServerFrame::Joined { .. });
        // Frames are plain structs: they always serialise.
        self.push(serde_json::to_string(frame).unwrap_or_default().into(), counted);
    }

    /// Closes the socket once what waits is written. The first reason stays.
    pub fn close(&self, code: CloseCode) {
        self.queue.lock().close.get_or_insert(code);
        self.reader.wake();
    }

    /// A ping goes before the frames that wait.
    pub fn ping(&self) {
        self.queue.lock().ping = true;
        self.reader.wake();
    }

    /// What is to be written next, for the socket's task.
    pub fn pop(&self) -> Option<Outgoing> {
        let mut queue = self.queue.lock();
        if std::mem::take(&mut queue.ping) {
            return Some(Outgoing::Ping);
        }
        let waiting = queue.frames.pop_front()?;
        queue.bytes -= waiting.frame.len();
        if waiting.counted {
            queue.counted_bytes -= waiting.frame.len();
        }
        let drained = queue.bytes < CATCH_UP_BYTES;
        drop(queue);
        if drained {
            self.maker.wake();
        }
        Some(Outgoing::Frame(waiting.frame))
    }

    /// Whether the socket has to be closed now; frames that wait go first unless they were dropped.
    pub fn closing(&self) -> Option<CloseCode> {
        let queue = self.queue.lock();
        queue.close.filter(|_| queue.frames.is_empty())
    }

    pub fn take_ended(&self) -> Vec<RoomId> {
        std::mem::take(&mut self.queue.lock().ended)
    }

    /// Wakes this task when something is pushed.
    pub fn wake_reader(&self, waker: &Waker) {
        self.reader.register(waker);
    }

    /// Waits until little enough is queued for another catch-up frame.
    pub async fn room_for_catch_up(&self) {
        std::future::poll_fn(|cx: &mut Context<'_>| {
            self.maker.register(cx.waker());
            let queue = self.queue.lock();
            if queue.bytes < CATCH_UP_BYTES || queue.close.is_some() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

/// Bytes that may wait before the next `joined` is made.
const CATCH_UP_BYTES: usize = 64 * 1024;

impl Listener for std::sync::Arc<Outbox> {
    fn event(&self, frame: &Encoded) {
        self.push(frame.0.clone(), true);
    }

    fn answer(&self, frame: ServerFrame) {
        Outbox::answer(self, &frame);
    }

    fn ended(&self, room: RoomId) {
        self.queue.lock().ended.push(room);
        self.reader.wake();
    }

    fn history_changed(&self) {
        self.close(CloseCode::GoingAway);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_too_slow_is_closed_and_its_queue_dropped() {
        let outbox = Outbox::default();
        let frame = Utf8Bytes::from("x".repeat(1024 * 1024));
        for _ in 0..4 {
            outbox.push(frame.clone(), true);
        }
        assert_eq!(outbox.closing(), None);
        outbox.push("x".into(), true);
        assert_eq!(outbox.closing(), Some(CloseCode::TooSlow));
        assert!(outbox.pop().is_none());
    }

    #[test]
    fn catching_up_does_not_count() {
        let outbox = Outbox::default();
        let frame = Utf8Bytes::from("x".repeat(1024 * 1024));
        (0..10).for_each(|_| outbox.push(frame.clone(), false));
        assert_eq!(outbox.closing(), None);
        assert!(outbox.pop().is_some());
    }

    #[test]
    fn a_close_comes_behind_what_waits() {
        let outbox = Outbox::default();
        outbox.push("last words".into(), true);
        outbox.close(CloseCode::TokenEnded);
        assert_eq!(outbox.closing(), None);
        assert_eq!(outbox.pop(), Some(Outgoing::Frame("last words".into())));
        assert_eq!(outbox.closing(), Some(CloseCode::TokenEnded));
    }
}
