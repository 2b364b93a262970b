//! Sockets whose clients read nothing for a while.

use bus::{Announcement, Bus};
use common::frame::{CloseCode, Notice, NoticeKind};
use futures_util::{Sink, SinkExt, StreamExt};
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, protocol::Role},
};

use super::*;
use crate::feed::{Encoded, Listener};

type Client = WebSocketStream<DuplexStream>;

/// A client over a line that holds little.
async fn dial(house: &House, user_id: UserId) -> Client {
    let ws = WsId(service::minted::id());
    let connection = house.gateway.enter(ws, actor(user_id)).await.unwrap();
    let (near, far) = duplex(4 * 1024);
    tokio::spawn(connection.run(near));
    WebSocketStream::from_raw_socket(far, Role::Client, None).await
}

async fn say(client: &mut Client, frame: Value) {
    client.send(Message::text(frame.to_string())).await.unwrap();
}

/// Reads what came up to the end: the types of the frames, and the code.
async fn read_to_the_end(client: &mut Client) -> (Vec<String>, u16) {
    let mut kinds = Vec::new();
    while let Some(message) = client.next().await {
        match message.unwrap() {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).unwrap_or_default();
                kinds.extend(frame["type"].as_str().map(str::to_owned));
            }
            Message::Close(Some(frame)) => return (kinds, frame.code.into()),
            _ => {}
        }
    }
    panic!("no close: {kinds:?}");
}

/// Asks for 100 rooms in each of so many frames, and for a thousand different ones at most.
async fn ask_for_rooms(client: &mut (impl Sink<Message, Error = Error> + Unpin), frames: u128) {
    for frame in 0..frames {
        let hundred = (0..100).map(|n| json!({"roomId": Uuid::from_u128(frame % 10 * 100 + n + 1)}));
        let join = json!({"type": "join", "rooms": hundred.collect::<Vec<_>>()});
        client.send(Message::text(join.to_string())).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn rooms_that_are_asked_for_faster_than_the_answers_are_read_are_bounded() {
    let house = House::on(&MemoryBus::new());
    let (mut writer, mut reader) = dial(&house, user(1)).await.split();
    let late = async {
        seconds(1.0).await;
        let (mut joined, mut refused) = (0, 0);
        while joined + refused < 4_000 {
            let message = reader.next().await.unwrap().unwrap();
            match serde_json::from_str::<Value>(message.to_text().unwrap()).unwrap() {
                frame if frame["type"] == "joined" => joined += 1,
                frame if frame["code"] == "rate-limited" => refused += 1,
                frame => assert_eq!(frame["type"], "welcome"),
            }
        }
        (joined, refused)
    };
    let ((), (joined, refused)) = tokio::join!(ask_for_rooms(&mut writer, 40), late);
    assert!(joined >= limits::JOINS_WAITING, "{joined} joined");
    assert!(refused > 1_000, "{refused} refused");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_socket_that_ends_while_answers_wait_for_it() {
    let house = House::on(&MemoryBus::new());
    for ending in ["gone", "closed", "stalled"] {
        let mut client = dial(&house, user(1)).await;
        ask_for_rooms(&mut client, 10).await;
        seconds(1.0).await;
        let (_, outbox) = house.gateway.users.of(user(1)).remove(0);
        let left = Arc::downgrade(&outbox);
        drop(outbox);
        assert!(left.upgrade().is_some());
        match ending {
            "gone" => drop(client),
            "closed" => {
                client.send(Message::Close(None)).await.unwrap();
                while client.next().await.is_some() {}
                drop(client);
            }
            _ => {
                seconds((limits::SOCKET_STALL + limits::CLOSE_DEADLINE).as_secs_f64() + 1.0).await;
                // What came before its end is there, and then the end.
                while let Some(Ok(_)) = client.next().await {}
            }
        }
        seconds(1.0).await;
        assert!(left.upgrade().is_none(), "{ending}");
    }
}

/// The next frame.
async fn heard(client: &mut Client) -> Value {
    loop {
        let message = client.next().await.unwrap().unwrap();
        if !message.is_ping() {
            return serde_json::from_str(message.to_text().unwrap()).unwrap();
        }
    }
}

/// Sends to one room after the other until it is too fast; how many were not.
async fn sends_to_ever_other_rooms(db: OneRoom) -> usize {
    let house = House::with(db, &MemoryBus::new());
    let mut client = dial(&house, user(1)).await;
    assert_eq!(heard(&mut client).await["type"], "welcome");
    for sent in 0..limits::ROOMS_CONCERNED + 100 {
        let room = Uuid::from_u128(sent as u128 + 1);
        let send = json!({"type": "send", "roomId": room, "messageId": room, "message": "anybody?"});
        say(&mut client, send).await;
        if heard(&mut client).await["code"] == "rate-limited" {
            return sent;
        }
        // Within the rate.
        seconds(0.2).await;
    }
    limits::ROOMS_CONCERNED + 100
}

#[tokio::test(start_paused = true)]
async fn the_rooms_that_know_of_a_socket_are_bounded() {
    let away = sends_to_ever_other_rooms(OneRoom::default()).await;
    assert_eq!(away, limits::ROOMS_CONCERNED, "each waits for its send to come again");
    let refuses = OneRoom {
        refuses: true,
        ..OneRoom::default()
    };
    assert!(
        sends_to_ever_other_rooms(refuses).await > limits::ROOMS_CONCERNED,
        "none knows of it any more"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_ended_does_nothing_more_though_frames_wait_for_it() {
    let bus = MemoryBus::new();
    let house = House::on(&bus);
    let mut client = dial(&house, user(1)).await;
    say(&mut client, json!({"type": "join", "rooms": [{"roomId": ROOM}]})).await;
    seconds(1.0).await;
    let (_, outbox) = house.gateway.users.of(user(1)).remove(0);
    outbox.event(&Encoded("x".repeat(1024 * 1024).into()));
    outbox.event(&Encoded(r#"{"type":"message"}"#.into()));
    let revoked = Notice {
        kind: NoticeKind::SessionRevoked,
        room_id: None,
        session_id: Some(actor(user(1)).session_id),
    };
    bus.publish(vec![Announcement::notice(user(1), revoked).encoded()])
        .await
        .unwrap();
    seconds(1.0).await;
    let message = json!({"type": "send", "roomId": ROOM, "messageId": Uuid::from_u128(9), "message": "still here"});
    say(&mut client, message).await;
    seconds(1.0).await;
    let (kinds, code) = read_to_the_end(&mut client).await;
    assert_eq!(code, CloseCode::TokenEnded.number());
    assert_eq!(kinds, ["welcome", "joined", "notice"]);
    assert_eq!(house.db.appends.load(Relaxed), 0);
}

/// No notice comes: the list of ended sessions says it, once it is sure whom it means.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_listed_as_ended_is_asked_about_and_ends() {
    let house = House::on(&MemoryBus::new());
    let mut client = dial(&house, user(1)).await;
    let mut other = dial(&house, user(2)).await;
    seconds(1.0).await;
    *house.db.listed.lock() = vec![actor(user(1)).session_id];
    seconds(3.0).await;
    assert!(
        house.gateway.users.has(user(1)),
        "db-core could not be asked: nobody is logged out"
    );
    *house.db.said.lock() = Some(true);
    let (kinds, code) = read_to_the_end(&mut client).await;
    assert_eq!(code, CloseCode::TokenEnded.number());
    assert_eq!(kinds, ["welcome", "notice"]);
    say(&mut other, json!({"type": "ping"})).await;
    heard(&mut other).await;
    assert_eq!(heard(&mut other).await["type"], "pong");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_only_looks_like_an_ended_one_goes_on() {
    let house = House::on(&MemoryBus::new());
    *house.db.said.lock() = Some(false);
    let mut client = dial(&house, user(1)).await;
    *house.db.listed.lock() = vec![actor(user(1)).session_id];
    seconds(3.0).await;
    say(&mut client, json!({"type": "ping"})).await;
    heard(&mut client).await;
    assert_eq!(heard(&mut client).await["type"], "pong");
}
