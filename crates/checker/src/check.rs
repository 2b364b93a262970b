//! The promise over a history. Pure: the same history has the same violations.

mod logs;
mod order;
mod rooms;
mod sockets;
#[cfg(test)]
mod tests;
mod views;

use std::fmt;

use common::{MessageId, RoomId, UserId};

use crate::history::{Entry, History, Wrote};

/// What of the promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A log's places are 1, 2, 3, …
    LogHasGap,
    /// A message stands twice.
    LogRepeats,
    /// `sentAt` falls.
    TimeFalls,
    /// A message of somebody who was not in the room at its place.
    Outsider,
    /// What was acknowledged does not stand where the ack said.
    AckedLost,
    /// One socket's sends do not stand in the order written.
    SendOrder,
    /// An answer to what was not asked, or a second one.
    AnsweredTwice,
    /// Asked on a socket that lived on, and never answered.
    Unanswered,
    /// A frame of a room before its `joined`, or after its end.
    NotJoined,
    /// A seq that this socket had already.
    Repeated,
    /// A place was left out.
    Gap,
    /// A frame behind a greater one.
    Inversion,
    /// An ack behind a greater seq.
    LateAck,
    /// A frame that says something else than the log.
    Altered,
    /// A `joined` whose events don't lead from the place asked to its head.
    CatchUp,
    /// A `joined` that does not know what was acknowledged before.
    OldHead,
    /// A read that does not know what was acknowledged before it.
    OldRead,
    /// A client that does not have, at the end, what the log has.
    NotConverged,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub what: String,
}

impl Violation {
    fn new(rule: Rule, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { rule, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// Everything that is wrong with a history.
pub fn check(history: &History) -> Vec<Violation> {
    let mut found = logs::check(history);
    for device in &history.devices {
        for socket in &device.sockets {
            found.extend(sockets::check(history, device, socket));
        }
        found.extend(views::check(history, device));
    }
    found
}

/// How often a message was sent by its sender, from whichever device, over a socket or HTTP.
fn times_sent(history: &History, user: UserId, room: RoomId, message: MessageId) -> usize {
    let devices = history.devices.iter().filter(|device| device.user == user);
    let entries = devices.flat_map(|device| device.sockets.iter().flat_map(|socket| &socket.entries));
    let wrote = entries.filter(|(_, entry)| {
        matches!(entry, Entry::Wrote(Wrote::Send { room: r, message: m, .. }) if (*r, *m) == (room, message))
    });
    let posted = history.posted.iter();
    let posted = posted.filter(|post| (post.user, post.room, post.message) == (user, room, message));
    wrote.count() + posted.count()
}
