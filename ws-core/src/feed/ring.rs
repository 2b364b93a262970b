//! The newest events of a room, encoded once: for the sockets that are joining, and for gaps that another gateway's
//! socket doesn't have to be asked about.

use std::collections::VecDeque;

use common::{Seq, event::Event, frame::ServerFrame, limits};
use db_api::types::OpenedRoom;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Ended;

/// An event's frame as every member receives it; a clone shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded(pub Utf8Bytes);

impl Encoded {
    pub fn of(event: &Event) -> Self {
        Self::exactly(event)
    }

    pub fn of_frame(frame: &ServerFrame) -> Self {
        Self::exactly(frame)
    }

    /// Without the room that its making took beyond it: it may wait for a slow reader, and its bytes are what is counted.
    fn exactly(frame: &impl Serialize) -> Self {
        // Events and frames are plain structs: they always serialise.
        let mut text = serde_json::to_string(frame).unwrap_or_default();
        text.shrink_to_fit();
        Self(text.into())
    }
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub frame: Encoded,
    /// For whom this event is the last of the room.
    pub ends: Option<Ended>,
}

/// Consecutive entries that end at the feed's position.
#[derive(Debug, Default)]
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Ring {
    pub fn push(&mut self, entry: Entry) {
        self.bytes += entry.frame.0.len();
        self.entries.push_back(entry);
        while self.entries.len() > limits::RING_EVENTS || self.bytes > limits::RING_BYTES {
            match self.entries.pop_front() {
                Some(oldest) => self.bytes -= oldest.frame.0.len(),
                None => break,
            }
        }
    }

    /// The entries after `after` up to `position`, or `None` when the ring no longer holds them all.
    pub fn after(&self, after: Seq, position: Seq) -> Option<Vec<Entry>> {
        let wanted = position.get().saturating_sub(after.get()) as usize;
        let from = self.entries.len().checked_sub(wanted)?;
        Some(self.entries.range(from..).cloned().collect())
    }
}

/// The events of a `joined`: what db-core read, then what the ring has since, as much as fits one frame. The newest win;
/// what had to go makes it truncated.
pub(super) fn catch_up(opened: &OpenedRoom, newer: &[Entry], wanted: bool) -> (Vec<Box<RawValue>>, bool) {
    if !wanted {
        return (Vec::new(), false);
    }
    if opened.truncated && opened.events.is_empty() {
        // The client's place is not in this log: it forgets the room.
        return (Vec::new(), true);
    }
    let read = opened
        .events
        .iter()
        .filter_map(|event| serde_json::value::to_raw_value(event).ok());
    let since = newer
        .iter()
        .filter_map(|entry| RawValue::from_string(entry.frame.0.to_string()).ok());
    let mut events: Vec<Box<RawValue>> = read.chain(since).collect();
    let (mut bytes, mut kept) = (JOINED_OVERHEAD, 0);
    for event in events.iter().rev() {
        bytes += event.get().len() + 1;
        if bytes > limits::SERVER_FRAME_BYTES || kept == limits::JOIN_EVENTS as usize {
            break;
        }
        kept += 1;
    }
    let dropped = events.len() - kept;
    events.drain(..dropped);
    (events, opened.truncated || dropped > 0)
}

/// Bytes of a `joined` without its events, generously.
const JOINED_OVERHEAD: usize = 1024;
