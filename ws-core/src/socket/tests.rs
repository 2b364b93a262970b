//! The socket against vectors of what clients write, with a clock that only the tests move.

use std::time::Duration;

use common::{Code, SessionId, Timestamp, UserId, frame::ErrorFrame, room::AccountRole, token::Scope};
use uuid::Uuid;

use super::*;

const ROOM: &str = "0198c0de-7a2b-7c3d-8e4f-0123456789ab";

fn at(milliseconds: u64) -> Now {
    Now {
        ticks_ms: milliseconds,
        wall: Timestamp(1_700_000_000_000 + milliseconds as i64),
    }
}

fn actor() -> Actor {
    Actor {
        user_id: UserId(Uuid::from_u128(1)),
        session_id: SessionId(Uuid::from_u128(2)),
        role: AccountRole::User,
        scopes: vec![Scope::Read, Scope::Write],
        expires_at: at(600_000).wall,
    }
}

fn socket_of(actor: Actor) -> Socket {
    Socket::open(WsId(Uuid::from_u128(3)), actor, Settings::default(), at(0)).0
}

fn socket() -> Socket {
    socket_of(actor())
}

/// The codes of the errors among the actions.
fn codes(actions: &[Action]) -> Vec<Code> {
    let code = |action: &Action| match action {
        Action::Reply(reply) => match &reply.0 {
            ServerFrame::Error(ErrorFrame { code, .. }) => Some(*code),
            _ => None,
        },
        _ => None,
    };
    actions.iter().filter_map(code).collect()
}

fn send_frame() -> String {
    format!(r#"{{"type":"send","ref":"1","roomId":"{ROOM}","messageId":"{ROOM}","message":"hi"}}"#)
}

#[test]
fn what_clients_write_becomes_actions() {
    type Expected = fn(&[Action]) -> bool;
    let vectors: [(&str, Expected); 7] = [
        (r#"{"type":"ping","ref":"a"}"#, |actions| {
            matches!(actions, [Action::Reply(_)])
        }),
        (
            &format!(r#"{{"type":"join","rooms":[{{"roomId":"{ROOM}"}}]}}"#),
            |actions| matches!(actions, [Action::Join { .. }]),
        ),
        (&format!(r#"{{"type":"leave","roomId":"{ROOM}"}}"#), |actions| {
            matches!(actions, [Action::Leave { .. }])
        }),
        (&send_frame(), |actions| matches!(actions, [Action::Send { .. }])),
        (r#"{"type":"auth","accessToken":"t"}"#, |actions| {
            matches!(actions, [Action::Verify { .. }])
        }),
        (r#"{"type":"hologram"}"#, |actions| {
            codes(actions) == [Code::InvalidRequest]
        }),
        ("nonsense", |actions| {
            actions == [Action::Close(CloseCode::MalformedFrame)]
        }),
    ];
    for (text, expected) in vectors {
        let actions = socket().text(text, at(0));
        assert!(expected(&actions), "{text} became {actions:?}");
    }
    assert_eq!(socket().binary(), [Action::Close(CloseCode::MalformedFrame)]);
}

#[test]
fn a_send_above_its_rate_is_refused_and_a_frame_above_theirs_closes() {
    let mut socket = socket();
    let burst = socket.settings.limits.send_burst;
    for _ in 0..burst {
        assert_eq!(codes(&socket.text(&send_frame(), at(0))), []);
    }
    assert_eq!(codes(&socket.text(&send_frame(), at(0))), [Code::RateLimited]);
    assert_eq!(codes(&socket.text(&send_frame(), at(1_000))), []);
    let frames = socket.settings.limits.frame_burst * 2;
    let last = (0..frames)
        .flat_map(|_| socket.text(r#"{"type":"ping"}"#, at(1_000)))
        .last();
    assert_eq!(
        last,
        Some(Action::Close(CloseCode::TooManyFrames)),
        "and nothing after the close"
    );
}

#[test]
fn scopes_are_looked_at() {
    let mut reader = socket_of(Actor {
        scopes: vec![Scope::Read],
        ..actor()
    });
    assert_eq!(codes(&reader.text(&send_frame(), at(0))), [Code::Forbidden]);
}

#[test]
fn two_pings_without_a_pong_end_a_socket() {
    let mut socket = socket();
    let beat = limits::HEARTBEAT.as_millis() as u64;
    assert_eq!(socket.wakes_at(at(0)), limits::HEARTBEAT);
    assert_eq!(socket.tick(at(beat - 1)), []);
    assert_eq!(socket.tick(at(beat)), [Action::Ping]);
    socket.pong();
    assert_eq!(socket.tick(at(beat * 2)), [Action::Ping]);
    assert_eq!(socket.tick(at(beat * 3)), [Action::Ping]);
    assert_eq!(socket.tick(at(beat * 4)), [Action::Close(CloseCode::GoingAway)]);
}

fn join(number: u128) -> common::frame::JoinRoom {
    common::frame::JoinRoom {
        room_id: RoomId(Uuid::from_u128(number)),
        after_seq: None,
        log_id: None,
    }
}

#[test]
fn a_token_ends_the_socket_unless_it_is_renewed_by_the_same_session() {
    let mut socket = socket();
    assert_eq!(socket.tick(at(599_999)).len(), 1, "a ping");
    let renewed = Actor {
        expires_at: at(1_200_000).wall,
        ..actor()
    };
    assert!(matches!(
        socket.verified(None, Ok(renewed)).as_slice(),
        [Action::Reply(_)]
    ));
    socket.pong();
    assert_eq!(
        socket.wakes_at(at(1_199_000)).min(Duration::from_secs(1)),
        Duration::ZERO,
        "a ping is due"
    );
    assert_eq!(
        codes(&socket.verified(None, Err(Problem::token_expired()))),
        [Code::TokenExpired]
    );
    let blind = Actor {
        scopes: vec![Scope::Write],
        expires_at: at(1_200_000).wall,
        ..actor()
    };
    socket.join(None, vec![join(1)]);
    assert!(matches!(
        socket.verified(None, Ok(blind)).as_slice(),
        [Action::Reply(_), Action::Leave { room, .. }] if *room == join(1).room_id
    ));
    assert_eq!(socket.tick(at(1_200_000)), [Action::Close(CloseCode::TokenEnded)]);
    let mut other = socket_of(actor());
    let stranger = Actor {
        session_id: SessionId(Uuid::from_u128(9)),
        ..actor()
    };
    assert_eq!(
        other.verified(None, Ok(stranger)),
        [Action::Close(CloseCode::Forbidden)]
    );
}

#[test]
fn a_socket_joins_only_so_many_rooms() {
    let mut socket = socket();
    let most = socket.settings.limits.rooms_per_socket as u128;
    socket.join(None, (0..most).map(join).collect());
    assert_eq!(codes(&socket.join(None, vec![join(most)])), [Code::Forbidden]);
    assert_eq!(
        codes(&socket.join(None, vec![join(0)])),
        [],
        "joining again starts over"
    );
    socket.room_ended(RoomId(Uuid::from_u128(0)));
    assert_eq!(codes(&socket.join(None, vec![join(most)])), []);
}

fn joined() -> Socket {
    let mut socket = socket();
    socket.text(&format!(r#"{{"type":"join","rooms":[{{"roomId":"{ROOM}"}}]}}"#), at(0));
    socket
}

fn typing() -> String {
    format!(r#"{{"type":"typing","roomId":"{ROOM}","typing":true}}"#)
}

#[test]
fn typing_reaches_only_a_room_that_was_joined_and_no_faster_than_people_type() {
    let room = ROOM.parse().unwrap();
    assert_eq!(socket().text(&typing(), at(0)), []);
    let mut socket = joined();
    for _ in 0..limits::TYPING_BURST {
        assert_eq!(socket.text(&typing(), at(0)), [Action::Typing { room }]);
    }
    assert_eq!(socket.text(&typing(), at(0)), [], "no error either");
    let silent = typing().replace("true", "false");
    assert_eq!(socket.text(&silent, at(1_000)), [Action::Silent { room }]);
    socket.room_ended(room);
    assert_eq!(socket.text(&typing(), at(2_000)), []);
}

#[test]
fn who_may_only_read_is_refused_the_rest() {
    let reader = || Actor {
        scopes: vec![Scope::Read],
        ..actor()
    };
    let read = format!(r#"{{"type":"read","roomId":"{ROOM}","seq":3}}"#);
    for text in [&read, r#"{"type":"presence","status":"away"}"#, &send_frame()] {
        assert_eq!(
            codes(&socket_of(reader()).text(text, at(0))),
            [Code::Forbidden],
            "{text}"
        );
        assert_eq!(codes(&socket().text(text, at(0))), [], "{text}");
    }
    let mut socket = joined();
    socket.verified(None, Ok(reader()));
    assert_eq!(codes(&socket.text(&typing(), at(0))), [Code::Forbidden]);
}

#[test]
fn presence_is_online_or_away() {
    let say = |status: &str| socket().text(&format!(r#"{{"type":"presence","status":"{status}"}}"#), at(0));
    assert_eq!(say("away"), [Action::Presence(Presence::Away)]);
    assert_eq!(say("online"), [Action::Presence(Presence::Online)]);
    assert_eq!(codes(&say("offline")), [Code::InvalidRequest]);
}
