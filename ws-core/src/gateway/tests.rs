//! Gateways on one bus, with a clock that only the tests move.

mod presence;
mod reads;
mod sockets;
mod typing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bus::MemoryBus;
use common::{
    RoomId, SessionId, Timestamp, UserId, WsId,
    frame::JoinRoom,
    limits,
    room::{AccountRole, Presence},
    token::{Actor, Scope},
};
use db_api::{Answer, Call, DbApi, Refusal, Reply, types::*, with_operations};
use parking_lot::Mutex;
use serde_json::{Value, json};
use service::{CancellationToken, Metrics, Verifier};
use uuid::Uuid;

use super::Gateway;
use crate::{
    outbox::{Outbox, Outgoing},
    socket::Settings,
};

/// A db-core that lets everybody into a room of two and knows little else.
#[derive(Default)]
struct OneRoom {
    is_direct: bool,
    is_blocked: AtomicBool,
    /// Answers a send, with a refusal.
    refuses: bool,
    appends: AtomicUsize,
    /// Who is in the list of ended sessions, and what is said of them when it is asked about: nothing unless given.
    listed: Mutex<Vec<SessionId>>,
    said: Mutex<Option<bool>>,
    lists: AtomicUsize,
}

impl OneRoom {
    fn answer(&self, operation: &str) -> Option<Value> {
        let opened = json!({"headSeq": 1, "logId": Uuid::nil(), "memberCount": 2, "isDirect": self.is_direct, "events": [],
                            "truncated": false});
        match operation {
            "open_rooms" => Some(json!({"rooms": [{"opened": opened}]})),
            "may_type" => Some(json!({"allowed": !self.is_blocked.load(Relaxed)})),
            "revocations" => {
                // Each is later than the one before, also while the time stands still.
                let lists = self.lists.fetch_add(1, Relaxed) as u64;
                let as_of = service::minted::now().plus(Duration::from_millis(lists));
                Some(json!(RevocationList::new(1, as_of, &self.listed.lock())))
            }
            "is_revoked" => self
                .said
                .lock()
                .map(|revoked| json!({ "revoked": revoked, "timeline": 1 })),
            "append" => {
                self.appends.fetch_add(1, Relaxed);
                self.refuses
                    .then(|| json!({"outcomes": [Outcome::Refused(Refusal::NotFound)]}))
            }
            _ => None,
        }
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

use common::{
    revocation::RevocationList,
    room::{Account, Invite, Member, Message, Page, ReadMarker, Room, User},
};
with_operations!(fake);

const ROOM: RoomId = RoomId(Uuid::from_u128(7));

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn actor(user_id: UserId) -> Actor {
    Actor {
        user_id,
        session_id: SessionId(user_id.0),
        role: AccountRole::User,
        scopes: vec![Scope::Read, Scope::Write],
        expires_at: Timestamp(i64::MAX),
    }
}

struct House {
    db: Arc<OneRoom>,
    gateway: Arc<Gateway>,
    stop: CancellationToken,
}

impl House {
    fn on(bus: &MemoryBus) -> Self {
        Self::with(OneRoom::default(), bus)
    }

    fn with(db: OneRoom, bus: &MemoryBus) -> Self {
        let db = Arc::new(db);
        let stop = CancellationToken::new();
        let verifier = Verifier::start("nobody".into(), "http://127.0.0.1:1/".into());
        let gateway = Gateway::start(
            db.clone(),
            Arc::new(bus.clone()),
            verifier,
            Settings::default(),
            &Metrics::new("ws", "test"),
            stop.clone(),
        );
        Self { db, gateway, stop }
    }

    /// A socket of somebody, in the room.
    async fn enter(&self, user_id: UserId) -> Guest {
        let guest = self.open(user_id);
        self.join(&guest).await;
        guest
    }

    /// A socket of somebody, in no room yet.
    fn open(&self, user_id: UserId) -> Guest {
        let actor = actor(user_id);
        let (ws, outbox) = (WsId(service::minted::id()), Arc::new(Outbox::default()));
        self.gateway.users.enter(ws, &actor, &outbox);
        self.gateway.attendance.set(user_id, ws, Presence::Online);
        Guest {
            user_id,
            actor,
            ws,
            outbox,
        }
    }

    async fn join(&self, guest: &Guest) {
        let join = JoinRoom {
            room_id: ROOM,
            after_seq: None,
            log_id: None,
        };
        let rooms = &self.gateway.rooms;
        rooms
            .join(guest.ws, guest.actor.clone(), &guest.outbox, None, join)
            .await;
        seconds(1.5).await;
    }

    fn leave(&self, guest: &Guest) {
        self.gateway.rooms.disconnect(guest.ws, [ROOM]);
        self.gateway.users.exit(guest.ws, guest.user_id);
        self.gateway.attendance.exited(guest.user_id, guest.ws);
    }
}

struct Guest {
    user_id: UserId,
    actor: Actor,
    ws: WsId,
    outbox: Arc<Outbox>,
}

impl Guest {
    /// The frames of one type that it got since it was last asked for any.
    fn told(&self, kind: &str) -> Vec<Value> {
        let frames = std::iter::from_fn(|| self.outbox.pop()).filter_map(|outgoing| match outgoing {
            Outgoing::Frame(frame) => serde_json::from_str::<Value>(&frame).ok(),
            Outgoing::Ping => None,
        });
        frames.filter(|frame| frame["type"] == kind).collect()
    }
}

async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}
