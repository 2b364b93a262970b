//! Two gateways on one bus, with a clock that only the tests move.

use std::{sync::Arc, time::Duration};

use bus::{Bus, MemoryBus};
use common::{
    RoomId, SessionId, Timestamp, UserId, WsId,
    frame::JoinRoom,
    limits,
    room::{
        AccountRole,
        Presence::{self, Away, Offline, Online},
    },
    token::{Actor, Scope},
};
use db_api::{Answer, Call, DbApi, Refusal, Reply, types::*, with_operations};
use serde_json::{Value, json};
use service::{CancellationToken, Metrics, Verifier};
use uuid::Uuid;

use crate::{
    Gateway,
    outbox::{Outbox, Outgoing},
    socket::Settings,
};

/// A db-core that lets everybody into a room of two and knows nothing else.
struct OneRoom;

impl OneRoom {
    fn answer(&self, operation: &str) -> Option<Value> {
        let opened = json!({"headSeq": 1, "logId": Uuid::nil(), "memberCount": 2, "events": [], "truncated": false});
        (operation == "open_rooms").then(|| json!({"rooms": [{"opened": opened}]}))
    }
}

macro_rules! fake {
    ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
        #[async_trait::async_trait]
        impl DbApi for OneRoom {
            $(async fn $name(&self, _: Call, _: $request) -> Reply<$answer> {
                let answer = self.answer(stringify!($name)).ok_or(Refusal::NotFound)?;
                Ok(Answer::read(serde_json::from_value(answer).unwrap()))
            })*
        }
    };
}

use common::room::{Invite, Member, Message, Page, ReadMarker, Room, User};
with_operations!(fake);

const ROOM: RoomId = RoomId(Uuid::from_u128(7));

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

struct House {
    gateway: Arc<Gateway>,
    stop: CancellationToken,
}

impl House {
    fn on(bus: &MemoryBus) -> Self {
        let stop = CancellationToken::new();
        let verifier = Verifier::start("nobody".into(), "http://127.0.0.1:1/".into());
        let gateway = Gateway::start(
            Arc::new(OneRoom),
            Arc::new(bus.clone()),
            verifier,
            Settings::default(),
            &Metrics::new("ws", "test"),
            stop.clone(),
        );
        Self { gateway, stop }
    }

    /// A socket of somebody, in the room.
    async fn enter(&self, user_id: UserId) -> Guest {
        let actor = Actor {
            user_id,
            session_id: SessionId(user_id.0),
            role: AccountRole::User,
            scopes: vec![Scope::Read, Scope::Write],
            expires_at: Timestamp(i64::MAX),
        };
        let (ws, outbox) = (WsId(service::minted::id()), Arc::new(Outbox::default()));
        self.gateway.users.enter(ws, &actor, &outbox);
        self.gateway.attendance.set(user_id, ws, Online);
        let join = JoinRoom {
            room_id: ROOM,
            after_seq: None,
            log_id: None,
        };
        self.gateway.rooms.join(ws, &actor, &outbox, None, join).await;
        seconds(1.5).await;
        Guest { user_id, ws, outbox }
    }

    fn leave(&self, guest: &Guest) {
        self.gateway.rooms.disconnect(guest.ws, [ROOM]);
        self.gateway.users.exit(guest.ws, guest.user_id);
        self.gateway.attendance.exited(guest.user_id, guest.ws);
    }
}

struct Guest {
    user_id: UserId,
    ws: WsId,
    outbox: Arc<Outbox>,
}

impl Guest {
    /// What it was told of others since it was last asked.
    fn told(&self) -> Vec<(UserId, Presence)> {
        let frames = std::iter::from_fn(|| self.outbox.pop()).filter_map(|outgoing| match outgoing {
            Outgoing::Frame(frame) => serde_json::from_str::<Value>(&frame).ok(),
            Outgoing::Ping => None,
        });
        frames
            .filter(|frame| frame["type"] == "presence")
            .map(|frame| {
                let word = |name: &str| frame[name].as_str().unwrap().to_owned();
                (
                    word("userId").parse().unwrap(),
                    Presence::parse(&word("status")).unwrap(),
                )
            })
            .collect()
    }
}

async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn who_joins_is_shown_and_sees_who_is_there() {
    let bus = MemoryBus::new();
    let (one, two) = (House::on(&bus), House::on(&bus));
    let (ada, bob) = (one.enter(user(1)).await, two.enter(user(2)).await);
    assert_eq!(ada.told(), [(user(2), Online)]);
    assert_eq!(bob.told(), [(user(1), Online)], "by the roll call");
    let eve = one.enter(user(3)).await;
    let mut told = eve.told();
    told.sort_by_key(|(user, _)| *user);
    assert_eq!(told, [(user(1), Online), (user(2), Online)], "what its gateway knows");
    two.leave(&bob);
    seconds(limits::PRESENCE_LINGER.as_secs_f64() - 0.5).await;
    assert_eq!(ada.told(), [(user(3), Online)], "it may come back");
    seconds(2.0).await;
    assert_eq!(ada.told(), [(user(2), Offline)]);
}

#[tokio::test(start_paused = true)]
async fn a_survivor_says_who_went_with_a_gateway_that_died() {
    let bus = MemoryBus::new();
    let (one, two, three) = (House::on(&bus), House::on(&bus), House::on(&bus));
    let (ada, eve) = (one.enter(user(1)).await, three.enter(user(3)).await);
    two.enter(user(2)).await;
    two.enter(user(4)).await;
    one.enter(user(4)).await;
    (ada.told(), eve.told());
    two.stop.cancel();
    seconds(15.0).await;
    assert_eq!(
        ada.told(),
        [(user(2), Offline)],
        "the other one is on a gateway that lives"
    );
    assert_eq!(
        eve.told(),
        [(user(2), Offline)],
        "every gateway knows where it showed them"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_loss_of_continuity_nobody_is_declared_offline_for_one_lease() {
    let bus = MemoryBus::new();
    let (one, two) = (House::on(&bus), House::on(&bus));
    let ada = one.enter(user(1)).await;
    two.enter(user(2)).await;
    ada.told();
    two.stop.cancel();
    seconds(7.0).await;
    one.gateway.attendance.continuity_lost(&one.gateway.rooms);
    seconds(limits::PRESENCE_LEASE.as_secs_f64() - 0.5).await;
    assert_eq!(bus.present(&[user(2)]).await.unwrap().len(), 0, "the lease is over");
    assert_eq!(ada.told(), []);
    seconds(3.0).await;
    assert_eq!(ada.told(), [(user(2), Offline)]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_word_is_made_good_by_the_leases() {
    let bus = MemoryBus::new();
    let one = House::on(&bus);
    let ada = one.enter(user(1)).await;
    let attendance = &one.gateway.attendance;
    attendance.heard(&one.gateway.rooms, ROOM, user(9), Online);
    assert_eq!(ada.told(), [(user(9), Online)]);
    seconds((limits::PRESENCE_COMPARISON + limits::PRESENCE_LEASE).as_secs_f64() + 5.0).await;
    assert_eq!(ada.told(), [(user(9), Offline)], "no lease has it");
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_told_of_somebody_once_a_second_and_never_misses_the_last() {
    let bus = MemoryBus::new();
    let (one, two) = (House::on(&bus), House::on(&bus));
    let (ada, bob) = (one.enter(user(1)).await, two.enter(user(2)).await);
    (ada.told(), bob.told());
    for turn in 0..20 {
        let status = if turn % 2 == 0 { Away } else { Online };
        two.gateway.attendance.set(user(2), bob.ws, status);
        seconds(0.15).await;
    }
    two.gateway.attendance.set(user(2), bob.ws, Away);
    seconds(3.0).await;
    let told = ada.told();
    assert!(told.len() <= 5, "told {} times in four seconds", told.len());
    assert_eq!(told.last(), Some(&(user(2), Away)));
    assert_eq!(bob.told(), [], "nobody is told of oneself");
}
