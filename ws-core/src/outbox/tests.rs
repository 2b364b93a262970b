//! What a slow reader loses, and in which order.

use common::{UserId, limits, room::Presence};
use uuid::Uuid;

use super::*;

fn outbox() -> std::sync::Arc<Outbox> {
    std::sync::Arc::default()
}

fn bytes(count: usize) -> Encoded {
    Encoded("x".repeat(count).into())
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn room() -> RoomId {
    RoomId(Uuid::from_u128(1))
}

/// The types of the frames that are not filling.
fn written(outbox: &Outbox) -> Vec<String> {
    let frames = std::iter::from_fn(|| outbox.pop()).filter_map(|outgoing| match outgoing {
        Outgoing::Frame(frame) => serde_json::from_str::<serde_json::Value>(&frame).ok(),
        Outgoing::Ping => None,
    });
    let text = |frame: serde_json::Value| {
        let status = frame["status"].as_str().map(|status| format!(" {status}"));
        format!(
            "{}{}",
            frame["type"].as_str().unwrap_or_default(),
            status.unwrap_or_default()
        )
    };
    frames.map(text).collect()
}

#[test]
fn a_reader_too_slow_is_closed_and_its_queue_dropped() {
    let outbox = outbox();
    (0..4).for_each(|_| outbox.event(&bytes(1024 * 1024)));
    assert_eq!(outbox.closing(), None);
    outbox.event(&bytes(1));
    assert_eq!(outbox.closing(), Some(CloseCode::TooSlow));
    assert!(outbox.pop().is_none());
}

#[test]
fn catching_up_does_not_count() {
    let outbox = outbox();
    let frame = Utf8Bytes::from("x".repeat(1024 * 1024));
    (0..10).for_each(|_| outbox.queue.lock().push(frame.clone(), Count::CatchUp));
    assert_eq!(outbox.closing(), None);
    assert!(outbox.pop().is_some());
}

#[test]
fn a_close_comes_behind_what_waits() {
    let outbox = outbox();
    outbox.event(&Encoded("last words".into()));
    outbox.signal(&SignalFrame::typing(room(), user(1)));
    outbox.close(CloseCode::TokenEnded);
    assert_eq!(outbox.closing(), None);
    assert_eq!(outbox.pop(), Some(Outgoing::Frame("last words".into())));
    assert!(outbox.pop().is_some());
    assert_eq!(outbox.closing(), Some(CloseCode::TokenEnded));
}

#[test]
fn the_newest_signal_takes_the_place_of_one_that_waits() {
    let outbox = outbox();
    outbox.signal(&SignalFrame::presence(user(1), Presence::Online));
    outbox.signal(&SignalFrame::presence(user(2), Presence::Online));
    outbox.signal(&SignalFrame::presence(user(1), Presence::Away));
    assert_eq!(written(&outbox), ["presence away", "presence online"]);
    assert_eq!(outbox.queue.lock().bytes(), 0);
}

#[test]
fn typing_goes_first_then_presence_and_reads_then_the_socket() {
    let fill = |count: usize| {
        let outbox = outbox();
        outbox.signal(&SignalFrame::typing(room(), user(1)));
        outbox.signal(&SignalFrame::presence(user(1), Presence::Online));
        outbox.signal(&SignalFrame::read(room(), user(1), common::Seq::ZERO));
        outbox.event(&bytes(count));
        // What comes under pressure meets the same.
        outbox.signal(&SignalFrame::typing(room(), user(2)));
        outbox
    };
    let all = fill(limits::SHED_TYPING_BYTES / 2);
    assert_eq!(written(&all), ["typing", "presence online", "read", "typing"]);
    let some = fill(limits::SHED_TYPING_BYTES + 1);
    assert_eq!(written(&some), ["presence online", "read"]);
    assert_eq!(some.queue.lock().bytes(), 0);
    let none = fill(limits::SHED_SIGNALS_BYTES + 1);
    assert_eq!(none.closing(), None);
    assert!(written(&none).is_empty());
    assert_eq!(fill(limits::SOCKET_QUEUE_BYTES + 1).closing(), Some(CloseCode::TooSlow));
}

#[test]
fn signals_alone_never_close_a_socket() {
    let outbox = outbox();
    for number in 0..100_000 {
        outbox.signal(&SignalFrame::presence(user(number), Presence::Online));
        outbox.signal(&SignalFrame::typing(room(), user(number)));
    }
    assert_eq!(outbox.closing(), None);
    assert!(outbox.queue.lock().bytes() < limits::SHED_SIGNALS_BYTES + 1024);
}
