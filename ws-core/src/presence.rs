//! Presence (consistency rule 10). A gateway states its users in its lease, and remembers whom it has shown where. How a
//! user is, is said on the topics of the rooms that it joins; that this changed, to all gateways, as any of them may show
//! it: also in rooms that it joined by another. So a survivor need only name the users of a gateway that died. Gateways
//! that begin to hear a room call the roll there.
//!
//! All of it goes through the bus, also what this gateway says to its own sockets.

mod local;
mod shown;
mod watch;

use std::sync::Arc;

use bus::{Announcement, Bus, Publisher, Topic, Whereabouts, announcement::Signal};
use common::{GatewayId, RoomId, UserId, WsId, limits, room::Presence};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{
    feed::Listener,
    rooms::{Ear, Rooms},
    signal::SignalFrame,
    throttle::Paced,
    users::Users,
};
use local::Local;
use shown::Shown;

pub struct Attendance {
    gateway: GatewayId,
    bus: Arc<dyn Bus>,
    publisher: Publisher,
    users: Arc<Users>,
    local: Mutex<Local>,
    shown: Mutex<Shown>,
    /// What a socket was told of somebody: by whose socket it is, the socket, and whom it is about.
    told: Paced<(UserId, WsId, UserId), Presence>,
    /// Answers to roll calls, numbered so that each is answered.
    answers: Paced<RoomId, u64>,
    calls: std::sync::atomic::AtomicU64,
    changed: Notify,
    /// Until when nobody is declared offline.
    quiet_until: Mutex<Instant>,
}

impl Attendance {
    pub fn new(gateway: GatewayId, bus: Arc<dyn Bus>, publisher: Publisher, users: Arc<Users>) -> Arc<Self> {
        Arc::new(Self {
            gateway,
            bus,
            publisher,
            users,
            local: Mutex::default(),
            shown: Mutex::default(),
            told: Paced::new(limits::SIGNAL_INTERVAL, |_, new| new),
            answers: Paced::new(limits::SIGNAL_INTERVAL, |_, new| new),
            calls: std::sync::atomic::AtomicU64::default(),
            changed: Notify::new(),
            quiet_until: Mutex::new(Instant::now()),
        })
    }

    /// A socket opened, or says how its user is.
    pub fn set(&self, user: UserId, ws: WsId, status: Presence) {
        if self.local.lock().set(user, ws, status) {
            self.changed.notify_one();
        }
    }

    /// A socket ended.
    pub fn exited(&self, user: UserId, ws: WsId) {
        if self.local.lock().exited(user, ws, Instant::now()) {
            self.changed.notify_one();
        }
    }

    /// A socket has joined a room: others there hear of its user, and it hears of them.
    pub fn arrived(&self, rooms: &Rooms, room: RoomId, ws: WsId, user: UserId) {
        let Some(ears) = rooms.lively(room) else { return };
        let said = self.local.lock().arrived(user, room);
        let (is_new, there) = {
            let mut shown = self.shown.lock();
            (shown.open(room), shown.in_room(room))
        };
        if is_new {
            self.call_the_roll(rooms, room);
        } else if let Some(status) = said {
            self.state(room, user, status);
        }
        let own: Vec<Ear> = ears.into_iter().filter(|(ear, ..)| *ear == ws).collect();
        for (other, status) in there {
            self.tell(&own, other, status);
        }
    }

    /// Somebody is no longer a member of the room.
    pub fn departed(&self, room: RoomId, user: UserId) {
        self.local.lock().departed(user, room);
    }

    /// The room's topic was given up.
    pub fn unheard(&self, room: RoomId) {
        self.shown.lock().close(room);
    }

    /// The bus says how somebody is, to those in a room.
    pub fn heard(&self, rooms: &Rooms, room: RoomId, user: UserId, status: Presence) {
        self.contradict(user, status);
        let Some(ears) = rooms.lively(room) else { return };
        if self.shown.lock().heard(room, user, status) {
            self.tell(&ears, user, status);
        }
    }

    /// Who is here is known better here.
    fn contradict(&self, user: UserId, status: Presence) {
        if self.local.lock().heard(user, status) {
            self.changed.notify_one();
        }
    }

    /// The bus says whom a gateway has in a room.
    pub fn heard_roster(&self, rooms: &Rooms, room: RoomId, users: Whereabouts) {
        for (user, status) in users {
            self.heard(rooms, room, user, status);
        }
    }

    /// A gateway that begins to hear a room wants to know who is there.
    pub fn called(&self, rooms: &Rooms, room: RoomId, by: GatewayId) {
        let number = self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if by != self.gateway && self.answers.offer(room, number).is_some() {
            self.answer(rooms, room);
        }
    }

    /// The bus says how users are, wherever they are shown.
    pub fn heard_everywhere(&self, rooms: &Rooms, users: Whereabouts) {
        for (user, status) in users {
            self.contradict(user, status);
            let shown_in = self.shown.lock().rooms_of(user);
            for room in shown_in {
                self.heard(rooms, room, user, status);
            }
        }
    }

    /// Something may have been missed on the bus: nobody is declared offline for one lease, and all rooms are told anew.
    pub fn continuity_lost(&self, rooms: &Rooms) {
        *self.quiet_until.lock() = Instant::now() + limits::PRESENCE_LEASE;
        self.local.lock().unsettle();
        let followed = self.shown.lock().rooms();
        for room in followed {
            self.call_the_roll(rooms, room);
        }
        self.changed.notify_one();
    }

    fn call_the_roll(&self, rooms: &Rooms, room_id: RoomId) {
        let signal = Signal::RollCall {
            room_id,
            gateway_id: self.gateway,
            users: self.roster(rooms, room_id),
        };
        self.publisher.offer(Announcement::signal(Topic::Room(room_id), signal));
    }

    fn answer(&self, rooms: &Rooms, room_id: RoomId) {
        let users = self.roster(rooms, room_id);
        if !users.is_empty() {
            let signal = Signal::Roster { room_id, users };
            self.publisher.offer(Announcement::signal(Topic::Room(room_id), signal));
        }
    }

    /// Who has joined a room here, as far as it was said how they are.
    fn roster(&self, rooms: &Rooms, room: RoomId) -> Whereabouts {
        let ears = rooms.lively(room).unwrap_or_default();
        let local = self.local.lock();
        ears.iter()
            .filter_map(|(_, user, _)| Some((*user, local.said(*user)?)))
            .collect()
    }

    fn state(&self, room: RoomId, user_id: UserId, status: Presence) {
        let signal = Signal::Presence { user_id, status };
        self.publisher.offer(Announcement::signal(Topic::Room(room), signal));
    }

    /// Tells sockets how somebody else is.
    fn tell(&self, ears: &[Ear], about: UserId, status: Presence) {
        let signal = SignalFrame::presence(about, status);
        for (ws, user, outbox) in ears.iter().filter(|(_, user, _)| *user != about) {
            if self.told.offer((*user, *ws, about), status).is_some() {
                outbox.signal(&signal);
            }
        }
    }

    /// Renews, watches, and says what had to wait, for ever.
    pub async fn run(&self, rooms: &Rooms) {
        let late = |(user, ws, about): (UserId, WsId, UserId), status| {
            if let Some(outbox) = self.users.socket(user, ws) {
                outbox.signal(&SignalFrame::presence(about, status));
            }
        };
        tokio::join!(
            watch::run(self, rooms),
            self.told.run(late),
            self.answers.run(|room, _| self.answer(rooms, room)),
        );
    }
}
