//! Typing and the other signals of a room.

use common::{limits, room::Presence};
use tokio::time::Instant;

use super::*;

/// A feed with sockets of two people, 50 and 60.
fn two() -> (Feed<Heard>, Heard, Heard) {
    let (mut feed, _, ada) = joined();
    let (ws, bob) = (WsId(id(6)), Heard::default());
    feed.join(ws, UserId(id(60)), bob.clone(), None, false);
    feed.opened(ws, Ok(opened(3, Vec::new())));
    bob.take();
    (feed, ada, bob)
}

fn ada() -> UserId {
    UserId(id(50))
}

fn waits(wishes: &[Wish]) -> Vec<Duration> {
    let wait = |wish: &Wish| match wish {
        Wish::WatchTyping(wait) => Some(*wait),
        _ => None,
    };
    wishes.iter().filter_map(wait).collect()
}

#[test]
fn typing_goes_to_others_and_ends_by_itself() {
    let (mut feed, of_ada, of_bob) = two();
    let start = Instant::now();
    assert_eq!(waits(&feed.types(ada(), start)), [limits::TYPING_LIFE]);
    assert_eq!(of_bob.take(), ["typing true"]);
    let half = limits::TYPING_LIFE / 2;
    assert!(feed.types(ada(), start + half).is_empty(), "one watch is enough");
    of_bob.take();
    assert_eq!(waits(&feed.typing_due(start + limits::TYPING_LIFE)), [half]);
    assert!(of_bob.take().is_empty(), "it was said anew");
    assert!(feed.typing_due(start + limits::TYPING_LIFE + half).is_empty());
    assert_eq!(of_bob.take(), ["typing false"]);
    assert!(of_ada.take().is_empty(), "not to the one who types");
    feed.stops_typing(ada());
    assert!(of_bob.take().is_empty(), "and once");
    assert_eq!(waits(&feed.types(ada(), start)), [limits::TYPING_LIFE], "watched again");
}

#[test]
fn the_message_ends_the_typing_and_so_does_leaving() {
    let (mut feed, _, of_bob) = two();
    feed.types(ada(), Instant::now());
    feed.announced(Event::Message(message(4, 100, 50)));
    assert_eq!(of_bob.take(), ["typing true", "message 4", "typing false"]);
    feed.types(ada(), Instant::now());
    let wishes = feed.announced(Event::Member(MemberEvent {
        room_id: room(),
        seq: seq(5),
        user_id: ada(),
        change: MemberChange::Left,
        role: None,
        by: ada(),
    }));
    assert_eq!(of_bob.take(), ["typing true", "member 5", "typing false"]);
    assert!(matches!(wishes[..], [Wish::Departed(user)] if user == ada()));
}

#[test]
fn a_room_is_lively_by_its_members_now() {
    let (mut feed, ws) = (Feed::new(room()), WsId(id(5)));
    feed.join(ws, ada(), Heard::default(), None, false);
    let full = OpenedRoom {
        member_count: limits::LIVELY_MEMBERS,
        ..opened(3, Vec::new())
    };
    feed.opened(ws, Ok(full));
    assert!(feed.is_lively());
    let change = |at: u64, change: MemberChange| {
        Event::Member(MemberEvent {
            room_id: room(),
            seq: seq(at),
            user_id: UserId(id(70)),
            change,
            role: None,
            by: ada(),
        })
    };
    feed.announced(change(4, MemberChange::Added));
    assert!(!feed.is_lively());
    feed.announced(change(4, MemberChange::Added));
    feed.announced(change(5, MemberChange::Removed));
    assert!(feed.is_lively(), "a repeat counts once");
}

#[test]
fn signals_reach_only_sockets_that_have_joined() {
    let (mut feed, of_ada, of_bob) = two();
    let waiting = Heard::default();
    feed.join(WsId(id(7)), UserId(id(70)), waiting.clone(), None, false);
    feed.tell_others(ada(), &SignalFrame::presence(ada(), Presence::Away));
    assert_eq!(
        (of_ada.take().len(), of_bob.take().len(), waiting.take().len()),
        (0, 1, 0)
    );
    assert!(!feed.has_joined(WsId(id(7))));
    feed.leave(WsId(id(6)));
    feed.tell_others(ada(), &SignalFrame::presence(ada(), Presence::Online));
    assert!(of_bob.take().is_empty());
}
