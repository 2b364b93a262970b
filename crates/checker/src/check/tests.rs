//! A history without fault, and what is found when one thing of it is otherwise.

use std::collections::BTreeMap;

use common::{
    LogId, Seq, Timestamp,
    event::{Content, Event, MemberChange, MemberEvent, MessageEvent, RoomEvent, RoomEventChange},
    text::Body,
};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::history::{DeviceHistory, Ended, Got, Held, Joined, Posted, Read, RoomLog, SocketHistory, View};

const ROOM: RoomId = RoomId(Uuid::from_u128(1));
const LOG: LogId = LogId(Uuid::from_u128(2));
const ADA: UserId = UserId(Uuid::from_u128(3));
const BOB: UserId = UserId(Uuid::from_u128(4));

fn seq(number: u64) -> Seq {
    Seq::try_from(number).unwrap()
}

fn id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn message(at: u64, number: u128, sender_id: UserId) -> Event {
    Event::Message(MessageEvent {
        room_id: ROOM,
        seq: seq(at),
        message_id: id(number),
        sender_id,
        sender_name: "name".into(),
        content: Content::Message(Body::parse("hi").unwrap()),
        reply_to: None,
        mentions: Vec::new(),
        sent_at: Timestamp(at as i64),
        ws_id: None,
        traceparent: None,
    })
}

fn member(at: u64, user_id: UserId, change: MemberChange) -> Event {
    Event::Member(MemberEvent {
        room_id: ROOM,
        seq: seq(at),
        user_id,
        change,
        role: None,
        by: ADA,
    })
}

fn send(number: u128) -> Entry {
    Entry::Wrote(Wrote::Send {
        reference: number.to_string(),
        room: ROOM,
        message: id(number),
    })
}

fn ack(number: u128, at: u64) -> Entry {
    Entry::Got(Got::Ack {
        reference: number.to_string(),
        room: ROOM,
        message: id(number),
        seq: seq(at),
    })
}

fn frame(event: Event) -> Entry {
    Entry::Got(Got::Event(Box::new(event)))
}

fn joined(head: u64) -> [Entry; 2] {
    let join = Wrote::Join {
        reference: "join".into(),
        room: ROOM,
        after: None,
        log: None,
    };
    let joined = Got::Joined(Joined {
        reference: "join".into(),
        room_id: ROOM,
        head_seq: seq(head),
        log_id: LOG,
        events: Vec::new(),
        truncated: false,
    });
    [Entry::Wrote(join), Entry::Got(joined)]
}

/// Ada's room: created, Bob's 2, Ada's 3 and 4, Bob's 5. Ada has joined at 1, and hears the rest.
fn history() -> History {
    let first = json!([{"userId": ADA}, {"userId": BOB}]);
    let created = Event::Room(RoomEvent {
        room_id: ROOM,
        seq: seq(1),
        change: RoomEventChange::Created,
        by: ADA,
        room: [("members".to_owned(), first)].into_iter().collect(),
    });
    let events = vec![
        created,
        message(2, 20, BOB),
        message(3, 30, ADA),
        message(4, 40, ADA),
        message(5, 50, BOB),
    ];
    let heard = [
        send(30),
        send(40),
        frame(events[1].clone()),
        ack(30, 3),
        ack(40, 4),
        frame(events[4].clone()),
    ];
    let entries = joined(1).into_iter().chain(heard);
    let place = |event: &Event| (event.seq(), Held::Event(Box::new(event.clone())));
    let mut places: BTreeMap<Seq, Held> = events[1..].iter().map(place).collect();
    places.insert(seq(3), Held::Own(id(30)));
    History {
        seed: 0,
        devices: vec![DeviceHistory {
            name: "device".into(),
            user: ADA,
            sockets: vec![SocketHistory {
                name: "socket".into(),
                entries: entries.zip(1..).map(|(entry, at_ms)| (at_ms, entry)).collect(),
                ended: Ended::Open,
            }],
            views: vec![View {
                room: ROOM,
                base: seq(1),
                places,
                is_in: true,
                unacked: Vec::new(),
            }],
        }],
        rooms: vec![RoomLog {
            room: ROOM,
            log: LOG,
            events,
        }],
        posted: Vec::new(),
        reads: Vec::new(),
    }
}

/// What is found when the history is otherwise.
fn found(change: impl FnOnce(&mut History)) -> Vec<Rule> {
    let mut history = history();
    change(&mut history);
    let mut rules: Vec<Rule> = check(&history).into_iter().map(|violation| violation.rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

/// What is found when the socket wrote and heard something else; its first two entries are the join.
fn found_on(change: impl FnOnce(&mut Vec<(u64, Entry)>)) -> Vec<Rule> {
    found(|history| change(&mut history.devices[0].sockets[0].entries))
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn logs() {
    let log = |change: fn(&mut Vec<Event>)| found(|history| change(&mut history.rooms[0].events));
    assert!(log(|events| drop(events.remove(1))).contains(&Rule::LogHasGap));
    assert!(log(|events| events.push(message(6, 50, BOB))).contains(&Rule::LogRepeats));
    assert!(log(|events| events[4] = member(5, ADA, MemberChange::Removed)).contains(&Rule::Altered));
    let late = |events: &mut Vec<Event>| match &mut events[4] {
        Event::Message(message) => message.sent_at = Timestamp(0),
        _ => unreachable!(),
    };
    assert!(log(late).contains(&Rule::TimeFalls));
    let outside = |events: &mut Vec<Event>| {
        events.extend([member(6, BOB, MemberChange::Removed), message(7, 70, BOB)]);
    };
    assert!(log(outside).contains(&Rule::Outsider));
}

#[test]
fn what_was_acknowledged() {
    let lost = found(|history| history.rooms[0].events[2] = message(3, 31, ADA));
    assert!(lost.contains(&Rule::AckedLost), "{lost:?}");
    let posted = Posted {
        user: BOB,
        room: ROOM,
        message: id(60),
        seq: Some(seq(6)),
    };
    assert_eq!(found(|history| history.posted.push(posted)), [Rule::AckedLost]);
    let read = |newest| Read {
        room: ROOM,
        acked: seq(4),
        newest: Some(seq(newest)),
    };
    assert_eq!(found(|history| history.reads.extend([read(4), read(5)])), []);
    assert_eq!(found(|history| history.reads.push(read(3))), [Rule::OldRead]);
}

#[test]
fn answers() {
    assert_eq!(found_on(|entries| entries.push((9, ack(30, 3)))), [Rule::AnsweredTwice]);
    assert_eq!(found_on(|entries| entries.push((9, send(60)))), [Rule::Unanswered]);
}

#[test]
fn the_order_of_one_sockets_sends() {
    let swapped = |history: &mut History| {
        let entries = &mut history.devices[0].sockets[0].entries;
        entries.swap(2, 3);
    };
    assert_eq!(found(swapped), [Rule::SendOrder]);
}

#[test]
fn frames() {
    let early = found_on(|entries| entries.insert(0, (0, frame(message(2, 20, BOB)))));
    assert!(early.contains(&Rule::NotJoined), "{early:?}");
    let left = Entry::Got(Got::Left { room: ROOM });
    let signal = Entry::Got(Got::Ephemeral { room: ROOM });
    assert_eq!(
        found_on(|entries| entries.extend([(9, left), (9, signal)])),
        [Rule::NotJoined]
    );
    assert_eq!(
        found_on(|entries| entries.push((9, frame(message(5, 50, BOB))))),
        [Rule::Repeated]
    );
    assert_eq!(found_on(|entries| drop(entries.remove(4))), [Rule::Gap]);
    let late = found_on(|entries| entries.swap(5, 6));
    assert!(late.contains(&Rule::LateAck), "{late:?}");
    let inverted = found_on(|entries| {
        entries.remove(3);
        let ack_of_four = entries.remove(5);
        assert_eq!(ack_of_four.1, ack(40, 4));
        entries.push((9, frame(message(4, 40, ADA))));
    });
    assert!(inverted.contains(&Rule::Inversion), "{inverted:?}");
}

#[test]
fn joins() {
    let wrong = found_on(|entries| {
        if let Entry::Got(Got::Joined(joined)) = &mut entries[1].1 {
            joined.events.push(message(2, 20, BOB));
        }
    });
    assert!(wrong.contains(&Rule::CatchUp), "{wrong:?}");
    let old = found_on(|entries| entries.extend(joined(2).map(|entry| (20, entry))));
    assert!(old.contains(&Rule::OldHead), "{old:?}");
}

#[test]
fn views() {
    let missing = |history: &mut History| drop(history.devices[0].views[0].places.remove(&seq(4)));
    assert_eq!(found(missing), [Rule::NotConverged]);
    assert_eq!(
        found(|history| history.devices[0].views[0].is_in = false),
        [Rule::NotConverged]
    );
    assert_eq!(
        found(|history| history.devices[0].views[0].unacked.push(id(60))),
        [Rule::NotConverged]
    );
}
