//! The feed by its rules (consistency 5, 6, 9, 13): each test is an interleaving that breaks the obvious way.

mod signals;

use std::{cell::RefCell, rc::Rc};

use common::{
    Code, MessageId, SessionId, Timestamp,
    event::{Content, MemberChange, MemberEvent, MessageEvent, RoomEvent, RoomEventChange},
    room::{AccountRole, RoomChange},
    text::Body,
    token::Actor,
};
use db_api::{
    Refusal,
    types::{Appended, OpenedRoom, Outcome},
};
use serde_json::Value;
use uuid::Uuid;

use super::*;

/// What a socket heard, shortened: `joined 3`, `message 4`, `ack 4`, `error unavailable`.
#[derive(Clone, Default)]
struct Heard(Rc<RefCell<Vec<String>>>);

impl Heard {
    fn push(&self, frame: Value) {
        let text = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
        let seq = frame["seq"]
            .as_u64()
            .or(frame["headSeq"].as_u64())
            .map(|seq| seq.to_string())
            .or(frame["typing"].as_bool().map(|typing| typing.to_string()));
        self.0
            .borrow_mut()
            .push(format!("{} {}", text("type"), seq.unwrap_or_else(|| text("code"))));
    }

    fn take(&self) -> Vec<String> {
        self.0.borrow_mut().drain(..).collect()
    }
}

impl Listener for Heard {
    fn event(&self, frame: &Encoded) {
        self.push(serde_json::from_str(&frame.0).unwrap());
    }

    fn signal(&self, signal: &SignalFrame) {
        self.push(serde_json::from_str(&signal.frame.0).unwrap());
    }

    fn answer(&self, frame: ServerFrame) {
        self.push(serde_json::to_value(frame).unwrap());
    }

    fn ended(&self, _: RoomId) {
        self.0.borrow_mut().push("ended".into());
    }

    fn history_changed(&self) {
        self.0.borrow_mut().push("history changed".into());
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn seq(number: u64) -> Seq {
    Seq::try_from(number).unwrap()
}

fn room() -> RoomId {
    RoomId(id(1))
}

fn message(at: u64, message: u128, sender: u128) -> MessageEvent {
    MessageEvent {
        room_id: room(),
        seq: seq(at),
        message_id: MessageId(id(message)),
        sender_id: UserId(id(sender)),
        sender_name: "Ada".into(),
        content: Content::Message(Body::parse("hi").unwrap()),
        reply_to: None,
        mentions: Vec::new(),
        sent_at: Timestamp(0),
        ws_id: None,
        traceparent: None,
    }
}

fn event(at: u64) -> Event {
    Event::Message(message(at, 1_000 + u128::from(at), 77))
}

fn opened(head: u64, events: Vec<Event>) -> OpenedRoom {
    OpenedRoom {
        head_seq: seq(head),
        log_id: LogId(id(9)),
        member_count: 2,
        is_direct: false,
        events,
        truncated: false,
    }
}

/// A feed at head 3, and a socket in it.
fn joined() -> (Feed<Heard>, WsId, Heard) {
    let (mut feed, ws, heard) = (Feed::new(room()), WsId(id(5)), Heard::default());
    feed.join(ws, UserId(id(50)), heard.clone(), None, false);
    assert!(matches!(
        feed.opened(ws, Ok(opened(3, Vec::new())))[..],
        [Wish::Arrived { .. }]
    ));
    assert_eq!(heard.take(), ["joined 3"]);
    (feed, ws, heard)
}

fn send(ws: WsId, heard: &Heard, number: u128) -> Send<Heard> {
    let actor = Actor {
        user_id: UserId(id(50)),
        session_id: SessionId(id(51)),
        role: AccountRole::User,
        scopes: Vec::new(),
        expires_at: Timestamp(0),
    };
    let draft = Draft {
        actor,
        room_id: room(),
        message_id: MessageId(id(number)),
        content: Content::Message(Body::parse("hi").unwrap()),
        reply_to: None,
        mentions: Vec::new(),
        ws_id: Some(ws),
        traceparent: None,
    };
    Send {
        ws,
        listener: heard.clone(),
        reference: None,
        draft,
    }
}

fn appended(at: u64, number: u128) -> Outcome {
    Outcome::Appended(Box::new(Appended {
        event: message(at, number, 50),
        repeated: false,
        current: None,
    }))
}

fn ids(wishes: &[Wish]) -> Vec<Vec<u128>> {
    let batch = |wish: &Wish| match wish {
        Wish::Append(drafts) => Some(drafts.iter().map(|draft| draft.message_id.0.as_u128()).collect()),
        _ => None,
    };
    wishes.iter().filter_map(batch).collect()
}

#[test]
fn early_and_repeated_events_come_once_and_in_order() {
    let (mut feed, _, heard) = joined();
    assert!(matches!(feed.announced(event(6)).as_slice(), [Wish::WatchGap]));
    feed.announced(event(2));
    feed.announced(event(4));
    feed.announced(event(4));
    assert_eq!(heard.take(), ["message 4"]);
    feed.announced(event(5));
    assert_eq!(heard.take(), ["message 5", "message 6"]);
}

#[test]
fn a_gap_that_stays_is_fetched_once() {
    let (mut feed, _, heard) = joined();
    feed.announced(event(6));
    assert!(matches!(feed.gap_due().as_slice(), [Wish::Fetch(after)] if *after == seq(3)));
    assert!(feed.gap_due().is_empty(), "one is under way");
    feed.fetched(Some((vec![event(4), event(5)], seq(6))));
    assert_eq!(heard.take(), ["message 4", "message 5", "message 6"]);
}

#[test]
fn a_lost_last_announcement_is_found_by_the_heads() {
    let (mut feed, _, heard) = joined();
    assert!(feed.compared(seq(3), LogId(id(9))).is_empty());
    assert!(matches!(
        feed.compared(seq(4), LogId(id(9))).as_slice(),
        [Wish::Fetch(_)]
    ));
    assert!(feed.fetched(None).is_empty(), "db-core was away");
    assert!(matches!(
        feed.compared(seq(4), LogId(id(9))).as_slice(),
        [Wish::Fetch(_)]
    ));
    feed.fetched(Some((vec![event(4)], seq(4))));
    assert_eq!(heard.take(), ["message 4"]);
}

#[test]
fn one_append_is_in_flight_and_what_waits_is_the_next_batch() {
    let (mut feed, ws, heard) = joined();
    assert_eq!(ids(&feed.send(send(ws, &heard, 100))), [[100]]);
    assert!(feed.send(send(ws, &heard, 101)).is_empty());
    assert!(feed.send(send(ws, &heard, 102)).is_empty());
    assert_eq!(ids(&feed.appended(Some(vec![appended(4, 100)]))), [[101, 102]]);
    feed.appended(Some(vec![appended(5, 101), appended(6, 102)]));
    assert_eq!(
        heard.take(),
        ["ack 4", "ack 5", "ack 6"],
        "its own sends come as acks alone"
    );
}

#[test]
fn an_ack_may_overtake_smaller_frames_and_is_not_followed_by_its_own() {
    let (mut feed, ws, heard) = joined();
    feed.send(send(ws, &heard, 100));
    feed.appended(Some(vec![appended(5, 100)]));
    assert_eq!(heard.take(), ["ack 5"]);
    feed.announced(event(4));
    feed.announced(event(6));
    assert_eq!(heard.take(), ["message 4", "message 6"]);
}

#[test]
fn the_event_at_its_turn_acks_a_pending_send_and_the_answer_adds_nothing() {
    let (mut feed, ws, heard) = joined();
    feed.send(send(ws, &heard, 100));
    feed.announced(Event::Message(message(4, 100, 50)));
    feed.announced(event(5));
    assert_eq!(heard.take(), ["ack 4", "message 5"]);
    feed.appended(None);
    assert!(heard.take().is_empty());
}

#[test]
fn anothers_message_under_the_same_id_is_not_ones_own() {
    let (mut feed, ws, heard) = joined();
    feed.send(send(ws, &heard, 100));
    feed.announced(Event::Message(message(4, 100, 77)));
    assert_eq!(heard.take(), ["message 4"]);
    feed.appended(Some(vec![Outcome::Refused(Refusal::conflict("taken"))]));
    assert_eq!(heard.take(), ["error conflict"]);
}

#[test]
fn after_unavailable_later_sends_wait_for_the_first_to_come_again() {
    let (mut feed, ws, heard) = joined();
    feed.send(send(ws, &heard, 100));
    feed.send(send(ws, &heard, 101));
    assert!(feed.appended(None).is_empty(), "those that waited are not tried");
    assert_eq!(heard.take(), ["error unavailable", "error unavailable"]);
    assert!(
        feed.send(send(ws, &heard, 102)).is_empty(),
        "the next was on its way up already"
    );
    assert_eq!(heard.take(), ["error unavailable"]);
    // It was committed after all, and comes as a frame.
    feed.announced(Event::Message(message(4, 100, 50)));
    assert_eq!(heard.take(), ["message 4"]);
    assert_eq!(ids(&feed.send(send(ws, &heard, 100))), [[100]]);
    assert!(feed.send(send(ws, &heard, 101)).is_empty());
    let again = Appended {
        event: message(4, 100, 50),
        repeated: true,
        current: None,
    };
    assert_eq!(
        ids(&feed.appended(Some(vec![Outcome::Appended(Box::new(again))]))),
        [[101]]
    );
    assert_eq!(heard.take(), ["ack 4"]);
}

#[test]
fn a_join_that_was_written_before_does_not_let_later_sends_pass() {
    let (mut feed, ws, heard) = joined();
    feed.joins_anew(ws);
    feed.send(send(ws, &heard, 100));
    feed.appended(None);
    // Its turn comes only now: others of the same frame were opened before it.
    feed.join(ws, UserId(id(50)), heard.clone(), None, false);
    assert!(feed.send(send(ws, &heard, 101)).is_empty());
    feed.opened(ws, Ok(opened(3, Vec::new())));
    assert_eq!(heard.take(), ["error unavailable", "error unavailable", "joined 3"]);
    feed.joins_anew(ws);
    assert_eq!(ids(&feed.send(send(ws, &heard, 101))), [[101]], "joined anew");
}

#[test]
fn a_batch_with_an_open_outcome_takes_that_sockets_later_ones_along() {
    let (mut feed, ws, heard) = joined();
    let (other, other_heard) = (WsId(id(6)), Heard::default());
    feed.send(send(ws, &heard, 99));
    for number in [100, 101] {
        feed.send(send(ws, &heard, number));
    }
    feed.send(send(other, &other_heard, 200));
    feed.appended(Some(vec![appended(4, 99)]));
    heard.take();
    let unavailable = Outcome::Refused(Refusal::unavailable("away"));
    feed.appended(Some(vec![unavailable, appended(5, 101), appended(6, 200)]));
    assert_eq!(heard.take(), ["error unavailable", "error unavailable"]);
    assert_eq!(other_heard.take(), ["ack 6"]);
}

#[test]
fn a_join_waits_for_its_head_and_gets_what_came_since() {
    let (mut feed, _, _) = joined();
    let (ws, heard) = (WsId(id(6)), Heard::default());
    feed.join(ws, UserId(id(60)), heard.clone(), None, true);
    // The head of its call is ahead of what this gateway has applied: the events of the call close the gap.
    let wishes = feed.opened(ws, Ok(opened(5, vec![event(4), event(5)])));
    assert!(matches!(wishes[..], [Wish::Arrived { .. }]), "nothing else to do");
    assert_eq!(heard.take(), ["joined 5"]);
    let late = (WsId(id(7)), Heard::default());
    feed.join(late.0, UserId(id(61)), late.1.clone(), None, true);
    feed.announced(event(6));
    feed.opened(late.0, Ok(opened(5, Vec::new())));
    assert_eq!(late.1.take(), ["joined 6"], "with 6 from the ring");
    assert_eq!(heard.take(), ["message 6"]);
    let behind = (WsId(id(8)), Heard::default());
    feed.join(behind.0, UserId(id(62)), behind.1.clone(), None, false);
    assert!(matches!(
        feed.opened(behind.0, Ok(opened(8, Vec::new()))).as_slice(),
        [Wish::Fetch(_)]
    ));
    assert!(behind.1.take().is_empty(), "not before the feed is there");
    feed.fetched(Some((vec![event(7), event(8)], seq(8))));
    assert_eq!(behind.1.take(), ["joined 8"]);
}

#[test]
fn joining_again_starts_over_with_what_was_acked_before() {
    let (mut feed, ws, heard) = joined();
    feed.send(send(ws, &heard, 100));
    feed.appended(Some(vec![appended(5, 100)]));
    feed.join(ws, UserId(id(50)), heard.clone(), None, false);
    feed.opened(ws, Ok(opened(3, Vec::new())));
    feed.announced(event(4));
    assert_eq!(heard.take(), ["ack 5", "joined 3", "message 4", "message 5"]);
}

#[test]
fn the_removal_is_the_last_that_its_user_hears() {
    let (mut feed, _, heard) = joined();
    let user_id = UserId(id(50));
    let change = MemberChange::Removed;
    let removal = Event::Member(MemberEvent {
        room_id: room(),
        seq: seq(4),
        user_id,
        change,
        role: None,
        by: UserId(id(2)),
    });
    let (ws, late) = (WsId(id(6)), Heard::default());
    feed.join(ws, user_id, late.clone(), None, false);
    feed.announced(removal);
    feed.announced(event(5));
    assert_eq!(heard.take(), ["ended", "member 4"]);
    // This join was allowed before the removal, and answered after it.
    feed.opened(ws, Ok(opened(3, Vec::new())));
    assert_eq!(late.take(), ["ended", "error unavailable"]);
}

fn deletion(at: u64) -> Event {
    Event::Room(RoomEvent {
        room_id: room(),
        seq: seq(at),
        change: RoomEventChange::Deleted,
        by: UserId(id(2)),
        room: RoomChange::new(),
    })
}

#[test]
fn the_rooms_end_is_the_last_that_everybody_hears() {
    let (mut feed, _, heard) = joined();
    let other = Heard::default();
    feed.join(WsId(id(6)), UserId(id(60)), other.clone(), None, false);
    feed.opened(WsId(id(6)), Ok(opened(3, Vec::new())));
    let (late_ws, late) = (WsId(id(7)), Heard::default());
    feed.join(late_ws, UserId(id(61)), late.clone(), None, false);
    // The end comes early, and waits for what stands before it.
    feed.announced(deletion(5));
    assert!(heard.take().is_empty());
    feed.announced(event(4));
    feed.announced(event(6));
    assert_eq!(heard.take(), ["message 4", "ended", "room 5"]);
    assert_eq!(other.take(), ["joined 3", "message 4", "ended", "room 5"]);
    // This join was allowed before the end, and answered after it.
    feed.opened(late_ws, Ok(opened(4, Vec::new())));
    assert_eq!(late.take(), ["ended", "error unavailable"]);
    assert!(feed.is_idle() && !feed.follows(), "nothing of it is compared any more");
}

#[test]
fn an_end_whose_announcement_was_lost_is_found_by_the_heads() {
    let (mut feed, _, heard) = joined();
    assert!(matches!(
        feed.compared(seq(4), LogId(id(9))).as_slice(),
        [Wish::Fetch(_)]
    ));
    feed.fetched(Some((vec![deletion(4)], seq(4))));
    assert_eq!(heard.take(), ["ended", "room 4"]);
    assert!(!feed.follows());
}

#[test]
fn another_history_sends_everybody_away() {
    let (mut feed, _, heard) = joined();
    feed.compared(seq(1), LogId(id(10)));
    assert_eq!(heard.take(), ["history changed"]);
}

#[test]
fn refusals_are_told_and_nothing_is_kept() {
    let (mut feed, ws, heard) = (Feed::new(room()), WsId(id(5)), Heard::default());
    feed.join(ws, UserId(id(50)), heard.clone(), None, false);
    feed.opened(ws, Err(Problem::new(Code::NotFound, "gone")));
    assert_eq!(heard.take(), ["ended", "error not-found"]);
    assert!(feed.is_idle());
}
