//! The bus as its users see it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use common::{GatewayId, RoomId, UserId, room::Presence};

/// What one publishes to and subscribes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    Room(RoomId),
    User(UserId),
    /// Heard by every gateway, for what is rare and has no other address.
    Gateways,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topic::Room(id) => write!(f, "room:{id}"),
            Topic::User(id) => write!(f, "user:{id}"),
            Topic::Gateways => f.write_str(GATEWAYS),
        }
    }
}

const GATEWAYS: &str = "gateways";

impl Topic {
    /// Of a channel's name without its prefix.
    pub fn parse(name: &str) -> Option<Self> {
        if name == GATEWAYS {
            return Some(Topic::Gateways);
        }
        match name.split_once(':')? {
            ("room", id) => id.parse().ok().map(Topic::Room),
            ("user", id) => id.parse().ok().map(Topic::User),
            _ => None,
        }
    }
}

/// The bus is away; nothing is known of what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the bus is away: {0}")]
pub struct BusError(pub String);

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Message {
        topic: Topic,
        payload: Bytes,
    },
    /// Something may have been missed on any topic: after a reconnect, a resubscription, silence or an overflow.
    ContinuityLost,
    /// The bus is away: nothing is heard until continuity is said to be lost, which it then is.
    Away,
}

/// Who has a socket, and how each of them is: `online` or `away`. In an order, so that a seeded simulation replays.
pub type Whereabouts = BTreeMap<UserId, Presence>;

/// Publish, subscribe, and leases that show which gateways are alive.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes a batch in order, in one round trip.
    async fn publish(&self, batch: Vec<(Topic, Bytes)>) -> Result<(), BusError>;

    /// A subscription of its own, with no topics yet.
    fn subscription(&self) -> Box<dyn Subscription>;

    /// Renews a gateway's lease for `lease` and states the whole set of its users.
    async fn renew_presence(&self, gateway: GatewayId, users: &Whereabouts, lease: Duration) -> Result<(), BusError>;

    /// Takes the users of every gateway whose lease has run out. Of several takers one gets each set.
    async fn take_expired_presence(&self) -> Result<Vec<(GatewayId, Whereabouts)>, BusError>;

    /// Those of the users that a living gateway has: `away` when all of theirs say so.
    async fn present(&self, users: &[UserId]) -> Result<Whereabouts, BusError>;
}

/// One subscriber's ear.
#[async_trait]
pub trait Subscription: Send {
    /// The next delivery, in the order published for each publisher and topic.
    async fn next(&mut self) -> Delivery;

    /// What this subscription listens to; usable while another task waits in [`Subscription::next`].
    fn topics(&self) -> Arc<dyn Topics>;
}

/// The topics of a [`Subscription`]. Subscribing never fails: while the bus is away the wish is kept, and continuity is
/// said to be lost when it is back.
#[async_trait]
pub trait Topics: Send + Sync {
    /// Returns when the bus has confirmed the topics, or when it is known to be away.
    async fn subscribe(&self, topics: &[Topic]);

    async fn unsubscribe(&self, topics: &[Topic]);
}

/// What somebody is who is `one` here and `other` there.
pub fn together(one: Presence, other: Presence) -> Presence {
    match (one, other) {
        (Presence::Online, _) | (_, Presence::Online) => Presence::Online,
        (Presence::Away, _) | (_, Presence::Away) => Presence::Away,
        (Presence::Offline, Presence::Offline) => Presence::Offline,
    }
}
