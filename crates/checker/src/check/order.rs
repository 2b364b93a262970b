//! One socket's sends to a room are committed in the order written, and what lets one pass another by contract.

use std::collections::{BTreeMap, BTreeSet};

use chat_client::core::is_passing;
use common::{
    MessageId, RoomId, Seq, UserId,
    event::{Event, MemberChange},
};

use super::{Rule, Violation};
use crate::history::{DeviceHistory, Ended, Entry, Got, History, RoomLog, SocketHistory, Wrote};

/// One socket's sends to a room stand in the order written. Left out is what stood in the log before (a repeat), what
/// others of its sender wrote too, and what was refused for good: another try of those may have had its own place.
pub fn check(history: &History, device: &DeviceHistory, socket: &SocketHistory) -> Vec<Violation> {
    let others = written_by_others(history, device);
    let refused = refused_for_good(device);
    let mut found = Vec::new();
    for (room, messages) in first_written(device, socket) {
        let Some(log) = history.room(room) else { continue };
        let stand: BTreeMap<MessageId, Seq> = log.events.iter().filter_map(message_of(device.user)).collect();
        let places = messages
            .iter()
            .filter(|message| !others.contains(&(room, **message)) && !refused.contains(&(room, **message)))
            .filter_map(|message| Some((*message, *stand.get(message)?)));
        let places: Vec<(MessageId, Seq)> = places.collect();
        for pair in places.windows(2).filter(|pair| pair[0].1 > pair[1].1) {
            let ((first, at), (second, before)) = (pair[0], pair[1]);
            let refused_unheard = admitted_before(log, device.user, before)
                && device.sockets.iter().any(|on| died_unanswered(on, room, first));
            if refused_unheard || device.sockets.iter().any(|on| joined_anew(on, room, first, second)) {
                continue;
            }
            let what = format!(
                "{}: {first} was written before {second}, stands at {at} behind {before}",
                socket.name
            );
            found.push(Violation::new(Rule::SendOrder, what));
        }
    }
    found
}

/// Somebody who was out came in before this place: a try before it may have been refused for good.
fn admitted_before(log: &RoomLog, user: UserId, place: Seq) -> bool {
    let before = log.events.iter().take_while(|event| event.seq() < place);
    before.into_iter().any(|event| {
        matches!(event, Event::Member(member)
            if member.user_id == user && matches!(member.change, MemberChange::Added | MemberChange::Joined))
    })
}

/// The socket ended before it heard what became of a try.
fn died_unanswered(socket: &SocketHistory, room: RoomId, message: MessageId) -> bool {
    let mut open = BTreeSet::new();
    for (_, entry) in &socket.entries {
        match entry {
            Entry::Wrote(Wrote::Send {
                reference,
                room: to,
                message: sent,
            }) if (*to, *sent) == (room, message) => drop(open.insert(reference)),
            Entry::Got(Got::Ack { reference, .. } | Got::Refused { reference, .. }) => drop(open.remove(reference)),
            _ => {}
        }
    }
    socket.ended == Ended::Closed && !open.is_empty()
}

/// The first was not acknowledged on this socket, maybe `unavailable`, and the room was joined anew before the second was
/// written: that lets it pass, and what comes on later sockets can't change it.
fn joined_anew(socket: &SocketHistory, room: RoomId, first: MessageId, second: MessageId) -> bool {
    let (mut tries, mut joined) = (BTreeSet::new(), false);
    for (_, entry) in &socket.entries {
        match entry {
            Entry::Wrote(Wrote::Send {
                reference,
                room: to,
                message,
            }) if *to == room => match *message {
                id if id == first => drop(tries.insert(reference.as_str())),
                id if id == second => break,
                _ => {}
            },
            Entry::Wrote(Wrote::Join { room: again, .. }) => joined |= *again == room && !tries.is_empty(),
            _ => {}
        }
    }
    let was_acked = socket.entries.iter().any(
        |(_, entry)| matches!(entry, Entry::Got(Got::Ack { reference, .. }) if tries.contains(reference.as_str())),
    );
    joined && !was_acked
}

/// By room, what a socket wrote that its device did not know to stand in the log, in the order of the first tries.
fn first_written(device: &DeviceHistory, socket: &SocketHistory) -> BTreeMap<RoomId, Vec<MessageId>> {
    let (mut known, mut written) = (BTreeSet::new(), BTreeMap::<RoomId, Vec<MessageId>>::new());
    let sockets = device.sockets.iter().take_while(|before| before.name != socket.name);
    for of in sockets.chain([socket]) {
        for (_, entry) in &of.entries {
            match entry {
                Entry::Wrote(Wrote::Send { room, message, .. }) if of.name == socket.name => {
                    let of_room = written.entry(*room).or_default();
                    if !of_room.contains(message) && !known.contains(&(*room, *message)) {
                        of_room.push(*message);
                    }
                }
                Entry::Got(Got::Ack { room, message, .. }) => drop(known.insert((*room, *message))),
                Entry::Got(Got::Event(event)) => known.extend(own(event, device.user)),
                Entry::Got(Got::Joined(joined)) => {
                    known.extend(joined.events.iter().filter_map(|event| own(event, device.user)));
                }
                _ => {}
            }
        }
    }
    written
}

fn own(event: &Event, user: UserId) -> Option<(RoomId, MessageId)> {
    message_of(user)(event).map(|(message, _)| (event.room_id(), message))
}

fn message_of(user: UserId) -> impl Fn(&Event) -> Option<(MessageId, Seq)> {
    move |event| match event {
        Event::Message(message) if message.sender_id == user => Some((message.message_id, message.seq)),
        _ => None,
    }
}

fn written_by_others(history: &History, device: &DeviceHistory) -> BTreeSet<(RoomId, MessageId)> {
    let others = history.devices.iter().filter(|other| other.name != device.name);
    let entries = others.flat_map(|other| other.sockets.iter().flat_map(|socket| &socket.entries));
    let sent = entries.filter_map(|(_, entry)| match entry {
        Entry::Wrote(Wrote::Send { room, message, .. }) => Some((*room, *message)),
        _ => None,
    });
    let posted = history.posted.iter().map(|post| (post.room, post.message));
    sent.chain(posted).collect()
}

/// Messages of which some try was refused with something else than `unavailable`.
fn refused_for_good(device: &DeviceHistory) -> BTreeSet<(RoomId, MessageId)> {
    let mut refused = BTreeSet::new();
    for socket in &device.sockets {
        let mut sends: BTreeMap<&str, (RoomId, MessageId)> = BTreeMap::new();
        for (_, entry) in &socket.entries {
            match entry {
                Entry::Wrote(Wrote::Send {
                    reference,
                    room,
                    message,
                }) => {
                    sends.insert(reference, (*room, *message));
                }
                Entry::Got(Got::Refused { reference, code, .. }) if !is_passing(*code) => {
                    refused.extend(sends.get(reference.as_str()));
                }
                _ => {}
            }
        }
    }
    refused
}
