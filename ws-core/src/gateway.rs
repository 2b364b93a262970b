//! One gateway: its rooms, its users, and the tasks that listen to the bus and compare heads.

mod listen;
mod revocations;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use admission::Admission;
use bus::{Bus, Publisher, Topic, contract::Topics};
use common::{
    GatewayId, Problem, UserId, WsId,
    frame::{CloseCode, ServerFrame},
    limits,
    token::Actor,
};
use db_api::DbApi;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use service::{CancellationToken, Metrics, Verifier, minted};
use tokio::sync::Notify;

use crate::{
    connection::Connection, outbox::Outbox, presence::Attendance, reads::Reads, rooms::Rooms, socket::Settings,
    typing::Typists, users::Users,
};

/// The seed's figures of a gateway, as far as they exist.
#[derive(Clone)]
pub(crate) struct Figures {
    pub active: Gauge,
    pub received: Counter,
    pub sent: Counter,
    pub backpressure: Counter,
}

pub struct Gateway {
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) users: Arc<Users>,
    pub(crate) attendance: Arc<Attendance>,
    pub(crate) typists: Arc<Typists>,
    reads: Reads,
    verifier: Verifier,
    pub(crate) admission: Admission,
    pub(crate) settings: Settings,
    pub(crate) figures: Figures,
    topics: Arc<dyn Topics>,
    draining: AtomicBool,
    compare_now: Notify,
    /// Nothing is heard of other gateways.
    alone: AtomicBool,
}

impl Gateway {
    /// Needs a Tokio runtime. Listens and compares until `stop`.
    pub fn start(
        db: Arc<dyn DbApi>,
        bus: Arc<dyn Bus>,
        verifier: Verifier,
        settings: Settings,
        metrics: &Metrics,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let subscription = bus.subscription();
        let topics = subscription.topics();
        let figures = Figures {
            active: metrics.register("ws_active_connections", "Open sockets", Gauge::default()),
            received: metrics.register("ws_messages_received", "Frames from clients", Counter::default()),
            sent: metrics.register("ws_messages_sent", "Frames to clients", Counter::default()),
            backpressure: metrics.register(
                "ws_backpressure_events",
                "Sockets closed as too slow",
                Counter::default(),
            ),
        };
        let users = Arc::new(Users::default());
        let publisher = Publisher::start(bus.clone(), limits::SIGNALS_WAITING);
        let typists = Arc::new(Typists::new(publisher.clone()));
        let attendance = Attendance::new(GatewayId(minted::id()), bus, publisher, users.clone());
        let gateway = Arc::new(Self {
            admission: Admission::new(db.clone(), minted::now),
            rooms: Rooms::new(db.clone(), topics.clone(), attendance.clone(), typists.clone()),
            reads: Reads::new(users.clone()),
            users,
            attendance,
            typists,
            verifier,
            settings,
            figures,
            topics,
            draining: AtomicBool::new(false),
            compare_now: Notify::new(),
            alone: AtomicBool::new(false),
        });
        tokio::spawn(
            stop.clone()
                .run_until_cancelled_owned(gateway.clone().listen(subscription)),
        );
        tokio::spawn(stop.clone().run_until_cancelled_owned(gateway.clone().compare()));
        tokio::spawn(stop.clone().run_until_cancelled_owned(gateway.clone().hear_of_ends(db)));
        tokio::spawn(stop.run_until_cancelled_owned(gateway.clone().signal()));
        gateway
    }

    /// What has no place in the log, on its way out and in.
    async fn signal(self: Arc<Self>) {
        tokio::join!(
            self.typists.run(&self.rooms),
            self.reads.run(&self.rooms),
            self.attendance.run(&self.rooms)
        );
    }

    /// Every [`limits::HEADS_INTERVAL`], more often while the bus is away, and at once when announcements may have been missed (consistency rule 9).
    async fn compare(self: Arc<Self>) {
        loop {
            let interval = match self.alone.load(Ordering::Acquire) {
                true => limits::HEADS_INTERVAL_ALONE,
                false => limits::HEADS_INTERVAL,
            };
            let _ = tokio::time::timeout(interval, self.compare_now.notified()).await;
            if let Err(refusal) = self.rooms.compare_heads().await {
                tracing::warn!(error = %refusal, "the heads could not be compared");
            }
        }
    }

    /// Takes in a socket of a verified caller, whose `ws` is new; [`Connection::run`] then serves it.
    ///
    /// # Errors
    /// `rate-limited` when the caller has as many sockets here as allowed.
    pub async fn enter(self: &Arc<Self>, ws: WsId, actor: Actor) -> Result<Connection, Problem> {
        let outbox = Arc::new(Outbox::default());
        let first = self.users.enter(ws, &actor, &outbox);
        let first = first.ok_or_else(|| Problem::rate_limited(1_000))?;
        if first {
            self.follow_user(actor.user_id).await;
        }
        if self.is_draining() {
            send_away(&outbox);
        }
        Ok(Connection::new(self.clone(), ws, actor, outbox))
    }

    /// Who a token names, if its session goes on.
    ///
    /// # Errors
    /// `unauthenticated` or `token-expired`; `unavailable` while keys or the list of ended sessions are missing.
    pub(crate) async fn admit(&self, token: &str) -> Result<Actor, Problem> {
        let actor = self.verifier.verify(token).await?;
        self.admission.admit(&actor).await?;
        Ok(actor)
    }

    /// The user's topic is heard while one of its sockets is here.
    pub(crate) async fn follow_user(&self, user: UserId) {
        self.topics.subscribe(&[Topic::User(user)]).await;
    }

    pub(crate) async fn unfollow_user(&self, user: UserId) {
        if !self.users.has(user) {
            self.topics.unsubscribe(&[Topic::User(user)]).await;
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Takes no new sockets and sends the open ones away.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.users.all().iter().for_each(|outbox| send_away(outbox));
    }

    /// Returns when the last socket is gone, or after [`limits::DRAIN_DEADLINE`].
    pub(crate) async fn emptied(&self) {
        let gone = async {
            while !self.users.all().is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(limits::DRAIN_DEADLINE, gone).await;
    }
}

fn send_away(outbox: &Outbox) {
    outbox.answer(&ServerFrame::Draining {
        reconnect_after_ms: RECONNECT_AFTER_MS,
    });
    outbox.close(CloseCode::ShuttingDown);
}

/// What a client waits before it comes to another gateway, jittered by itself.
const RECONNECT_AFTER_MS: u64 = 1_000;
