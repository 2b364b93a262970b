//! What waits to be written to one socket: bounded in bytes, so that a slow reader costs nobody else anything. Under
//! pressure typing goes first, then presence and read markers, then the socket.

mod pipe;
mod queue;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

use common::{RoomId, frame::CloseCode, frame::ServerFrame};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{
    feed::{Encoded, Listener},
    signal::SignalFrame,
};
use queue::{Count, Queue};

pub use pipe::{Pipe, Sent, Shared};

/// What is to be written next.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    Frame(Utf8Bytes),
    Ping,
}

/// The outgoing queue of a socket, and what else its task must hear of.
#[derive(Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    reader: AtomicWaker,
    /// Wakes who makes catch-up frames as there is room for them.
    maker: AtomicWaker,
    pipe: OnceLock<Arc<Pipe>>,
}

impl Outbox {
    pub fn answer(&self, frame: &ServerFrame) {
        let text = Encoded::of_frame(frame).0;
        let mut queue = self.queue.lock();
        match frame {
            ServerFrame::Joined { room_id, .. } => {
                queue.push(text, Count::CatchUp);
                queue.hears(*room_id);
            }
            ServerFrame::Left { room_id, .. } => {
                queue.push(text, Count::Bounded);
                queue.hears_no_more(*room_id);
            }
            _ => {
                drop(queue);
                return self.tell(&text);
            }
        }
        drop(queue);
        self.reader.wake();
    }

    /// Writes it now if nothing waits before it, else puts it behind what waits.
    fn tell(&self, frame: &Utf8Bytes) {
        let mut queue = self.queue.lock();
        let pipe = self.pipe.get().filter(|_| queue.may_be_passed());
        match pipe.map_or(Sent::Nothing, |pipe| pipe.send(frame)) {
            Sent::Whole => return,
            Sent::Begun => {}
            Sent::Nothing => queue.push(frame.clone(), Count::Bounded),
        }
        queue.is_resting = false;
        drop(queue);
        self.reader.wake();
    }

    /// From now on an event may be written by who has it, while the socket's task rests.
    pub fn write_by(&self, pipe: Arc<Pipe>) {
        let _ = self.pipe.set(pipe);
    }

    /// The socket's task has written everything, and waits.
    pub fn rest(&self) {
        self.queue.lock().is_resting = true;
    }

    /// The socket's task is at work.
    pub fn stir(&self) {
        self.queue.lock().is_resting = false;
    }

    /// Closes the socket once what waits is written. The first reason stays.
    pub fn close(&self, code: CloseCode) {
        self.queue.lock().close.get_or_insert(code);
        self.reader.wake();
        self.maker.wake();
    }

    /// Closes the socket after these last words, before what waits.
    pub fn end(&self, last: &ServerFrame, code: CloseCode) {
        self.queue.lock().end(Encoded::of_frame(last).0, code);
        self.reader.wake();
        self.maker.wake();
    }

    /// The socket is gone: what waits is dropped, and nothing more is made for it.
    pub fn abandon(&self) {
        self.queue.lock().abandon();
        self.maker.wake();
    }

    /// A ping goes before the frames that wait.
    pub fn ping(&self) {
        self.queue.lock().ping = true;
        self.reader.wake();
    }

    /// What is to be written next, for the socket's task.
    pub fn pop(&self) -> Option<Outgoing> {
        let mut queue = self.queue.lock();
        queue.is_resting = false;
        if std::mem::take(&mut queue.ping) {
            return Some(Outgoing::Ping);
        }
        let frame = queue.pop();
        let drained = queue.bytes() < CATCH_UP_BYTES;
        drop(queue);
        if drained {
            self.maker.wake();
        }
        frame.map(Outgoing::Frame)
    }

    /// Whether the socket has to be closed now; frames that wait go first unless they were dropped.
    pub fn closing(&self) -> Option<CloseCode> {
        let queue = self.queue.lock();
        queue.close.filter(|_| queue.is_empty())
    }

    /// Why the socket is to be closed, also while something waits to be written before.
    pub fn reason(&self) -> Option<CloseCode> {
        self.queue.lock().close
    }

    pub fn take_ended(&self) -> Vec<RoomId> {
        std::mem::take(&mut self.queue.lock().ended)
    }

    /// Wakes this task when something is pushed.
    pub fn wake_reader(&self, waker: &Waker) {
        self.reader.register(waker);
    }

    /// Waits until little enough is queued for another catch-up frame; says whether one is still wanted.
    pub async fn room_for_catch_up(&self) -> bool {
        std::future::poll_fn(|cx: &mut Context<'_>| {
            self.maker.register(cx.waker());
            let queue = self.queue.lock();
            match queue.close {
                Some(_) => Poll::Ready(false),
                None if queue.bytes() < CATCH_UP_BYTES => Poll::Ready(true),
                None => Poll::Pending,
            }
        })
        .await
    }
}

/// Bytes that may wait before the next `joined` is made.
const CATCH_UP_BYTES: usize = 64 * 1024;

impl Listener for std::sync::Arc<Outbox> {
    fn event(&self, frame: &Encoded) {
        self.tell(&frame.0);
    }

    fn signal(&self, signal: &SignalFrame) {
        self.queue.lock().signal(signal);
        self.reader.wake();
    }

    fn answer(&self, frame: ServerFrame) {
        Outbox::answer(self, &frame);
    }

    fn ended(&self, room: RoomId) {
        let mut queue = self.queue.lock();
        queue.ended.push(room);
        queue.hears_no_more(room);
        drop(queue);
        self.reader.wake();
    }

    fn history_changed(&self) {
        self.close(CloseCode::GoingAway);
    }
}
