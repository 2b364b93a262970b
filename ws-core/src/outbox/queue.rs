//! The frames in their order, and the arithmetic of what may wait.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    time::Instant,
};

use common::{RoomId, frame::CloseCode, limits};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::signal::{SignalFrame, SignalKey};

/// How a frame counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Bounded,
    /// Answers to `join` are made as the reader takes them and don't count in the bound.
    CatchUp,
}

enum Waiting {
    Frame(Utf8Bytes, Count),
    /// The place of a signal, which may have been replaced or shed since.
    Signal(SignalKey),
}

#[derive(Default)]
pub struct Queue {
    pub ping: bool,
    pub close: Option<CloseCode>,
    pub ended: Vec<RoomId>,
    /// The socket's task has nothing to write.
    pub is_resting: bool,
    /// When a frame passed by last.
    passed: Option<Instant>,
    /// The rooms of which nothing more goes out until they are joined again: those that ended for the socket, and the ones
    /// that it left.
    over: VecDeque<RoomId>,
    frames: VecDeque<Waiting>,
    typing: HashMap<SignalKey, Utf8Bytes>,
    others: HashMap<SignalKey, Utf8Bytes>,
    bounded_bytes: usize,
    catch_up_bytes: usize,
}

impl Queue {
    pub fn push(&mut self, frame: Utf8Bytes, count: Count) {
        if self.close.is_some() {
            return;
        }
        *self.bytes_of(count) += frame.len();
        self.frames.push_back(Waiting::Frame(frame, count));
        if self.bounded_bytes > limits::SHED_TYPING_BYTES {
            self.bounded_bytes -= shed(&mut self.typing);
        }
        if self.bounded_bytes > limits::SHED_SIGNALS_BYTES {
            self.bounded_bytes -= shed(&mut self.others);
        }
        if self.bounded_bytes > limits::SOCKET_QUEUE_BYTES {
            self.close_without_the_rest(CloseCode::TooSlow);
        }
    }

    /// What waits is dropped but for these last words: the session has ended.
    pub fn end(&mut self, last: Utf8Bytes, code: CloseCode) {
        if self.close.is_none() {
            self.close_without_the_rest(code);
            self.bounded_bytes = last.len();
            self.frames.push_back(Waiting::Frame(last, Count::Bounded));
        }
    }

    pub fn abandon(&mut self) {
        self.close_without_the_rest(self.close.unwrap_or(CloseCode::GoingAway));
    }

    /// The client resumes from where it was, if it may.
    fn close_without_the_rest(&mut self, code: CloseCode) {
        *self = Self {
            close: Some(code),
            ended: std::mem::take(&mut self.ended),
            ..Self::default()
        };
    }

    /// Queues a signal, or puts it in the place of an older one; with too much waiting it is dropped.
    pub fn signal(&mut self, signal: &SignalFrame) {
        let (key, frame) = (signal.key, signal.frame.0.clone());
        let is_over = key.room().is_some_and(|room| self.over.contains(&room));
        if is_over || self.close.is_some() || self.bounded_bytes > key.shed_above() {
            return;
        }
        self.bounded_bytes += frame.len();
        match self.signals(key).entry(key) {
            Entry::Occupied(mut older) => {
                let older = older.insert(frame);
                self.bounded_bytes -= older.len();
            }
            Entry::Vacant(place) => {
                place.insert(frame);
                self.frames.push_back(Waiting::Signal(key));
            }
        }
    }

    /// The room is joined.
    pub fn hears(&mut self, room: RoomId) {
        self.over.retain(|over| *over != room);
    }

    /// No signal of the room goes out any more.
    pub fn hears_no_more(&mut self, room: RoomId) {
        self.hears(room);
        if self.over.len() == limits::ROOMS_PER_SOCKET {
            self.over.pop_front();
        }
        self.over.push_back(room);
    }

    pub fn pop(&mut self) -> Option<Utf8Bytes> {
        loop {
            match self.frames.pop_front()? {
                Waiting::Frame(frame, count) => {
                    *self.bytes_of(count) -= frame.len();
                    return Some(frame);
                }
                Waiting::Signal(key) => {
                    if let Some(frame) = self.signals(key).remove(&key) {
                        self.bounded_bytes -= frame.len();
                        return Some(frame);
                    }
                }
            }
        }
    }

    /// Whether a frame may be written now, past this queue. In a busy time it may not: several are then written in one go.
    pub fn may_be_passed(&mut self) -> bool {
        if !self.is_resting || !self.is_empty() || self.ping || self.close.is_some() {
            return false;
        }
        let now = Instant::now();
        let is_busy = self.passed.is_some_and(|passed| now - passed < limits::BUSY_SOCKET);
        self.passed = Some(now);
        !is_busy
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// All that waits.
    pub fn bytes(&self) -> usize {
        self.bounded_bytes + self.catch_up_bytes
    }

    fn bytes_of(&mut self, count: Count) -> &mut usize {
        match count {
            Count::Bounded => &mut self.bounded_bytes,
            Count::CatchUp => &mut self.catch_up_bytes,
        }
    }

    fn signals(&mut self, key: SignalKey) -> &mut HashMap<SignalKey, Utf8Bytes> {
        match key {
            SignalKey::Typing(..) => &mut self.typing,
            SignalKey::Read(..) | SignalKey::Presence(_) => &mut self.others,
        }
    }
}

/// Drops the signals and says how many bytes that were.
fn shed(signals: &mut HashMap<SignalKey, Utf8Bytes>) -> usize {
    signals.drain().map(|(_, frame)| frame.len()).sum()
}
