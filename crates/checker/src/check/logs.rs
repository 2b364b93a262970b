//! The logs as they stood at the end: gap-free, each message once, and what was acknowledged in its place.

use std::collections::BTreeSet;

use common::{MessageId, RoomId, Seq, UserId, event::Event};

use super::{Rule, Violation};
use crate::history::{DeviceHistory, Entry, Got, History, RoomLog, SocketHistory};

pub fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    for log in &history.rooms {
        found.extend(places(log));
        found.extend(outsiders(log));
    }
    for device in &history.devices {
        for socket in &device.sockets {
            found.extend(acks(history, device, socket));
            found.extend(super::order::check(history, device, socket));
        }
    }
    for post in &history.posted {
        if let Some(seq) = post.seq {
            found.extend(kept(history, post.user, post.room, post.message, seq, "HTTP"));
        }
    }
    for read in history.reads.iter().filter(|read| read.newest < Some(read.acked)) {
        let what = format!(
            "room {}: {:?} was read after {} was acked",
            read.room, read.newest, read.acked
        );
        found.push(Violation::new(Rule::OldRead, what));
    }
    found
}

fn places(log: &RoomLog) -> Vec<Violation> {
    let mut found = Vec::new();
    let (mut last, mut sent_at, mut ids) = (Seq::ZERO, common::Timestamp(0), BTreeSet::new());
    for event in &log.events {
        if event.seq() != last.next() {
            let what = format!("room {}: {} comes after {last}", log.room, event.seq());
            found.push(Violation::new(Rule::LogHasGap, what));
        }
        last = event.seq();
        let Event::Message(message) = event else { continue };
        if !ids.insert(message.message_id) {
            let what = format!("room {}: {} stands again at {last}", log.room, message.message_id);
            found.push(Violation::new(Rule::LogRepeats, what));
        }
        if message.sent_at < sent_at {
            let what = format!("room {}: {last} was sent before its predecessor", log.room);
            found.push(Violation::new(Rule::TimeFalls, what));
        }
        sent_at = message.sent_at;
    }
    found
}

fn outsiders(log: &RoomLog) -> Vec<Violation> {
    let memberships = log.memberships();
    let outside = log
        .events
        .iter()
        .zip(&memberships)
        .filter_map(|(event, members)| match event {
            Event::Message(message) if !members.contains(&message.sender_id) => Some(message),
            _ => None,
        });
    let what = |seq: Seq, user: UserId| format!("room {}: {seq} is of {user}, who is not in the room", log.room);
    outside
        .map(|message| Violation::new(Rule::Outsider, what(message.seq, message.sender_id)))
        .collect()
}

fn acks(history: &History, device: &DeviceHistory, socket: &SocketHistory) -> Vec<Violation> {
    let got = socket.entries.iter().filter_map(|(_, entry)| match entry {
        Entry::Got(Got::Ack { room, message, seq, .. }) => {
            kept(history, device.user, *room, *message, *seq, &socket.name)
        }
        _ => None,
    });
    got.collect()
}

/// An ack must name a place where that very message of that very sender stands.
fn kept(history: &History, user: UserId, room: RoomId, message: MessageId, seq: Seq, by: &str) -> Option<Violation> {
    let stands = history.room(room).and_then(|log| log.at(seq));
    let right = matches!(stands, Some(Event::Message(event))
        if event.message_id == message && event.sender_id == user);
    let what = || format!("room {room}: {message} of {user} was acked to {by} at {seq}; there stands {stands:?}");
    (!right).then(|| Violation::new(Rule::AckedLost, what()))
}
