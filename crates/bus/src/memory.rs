//! The bus of a single process: the embedded default.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use common::{GatewayId, UserId, limits};
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    Bus, BusError, Delivery, Subscription, Topic, Whereabouts,
    contract::{Topics, together},
};

type Ear = u64;

struct Listener {
    queue: mpsc::Sender<(Topic, Bytes)>,
    overflowed: Arc<AtomicBool>,
}

#[derive(Default)]
struct Ears {
    next: Ear,
    listeners: HashMap<Ear, Listener>,
    /// The ears in an order, so that a seeded simulation replays.
    by_topic: HashMap<Topic, BTreeSet<Ear>>,
}

struct Lease {
    until: Instant,
    users: Whereabouts,
}

#[derive(Default)]
struct Shared {
    ears: Mutex<Ears>,
    leases: Mutex<HashMap<GatewayId, Lease>>,
}

/// A clone is the same bus.
#[derive(Clone, Default)]
pub struct MemoryBus(Arc<Shared>);

impl MemoryBus {
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, batch: Vec<(Topic, Bytes)>) -> Result<(), BusError> {
        let ears = self.0.ears.lock();
        for (topic, payload) in batch {
            for ear in ears.by_topic.get(&topic).into_iter().flatten() {
                if let Some(listener) = ears.listeners.get(ear)
                    && listener.queue.try_send((topic, payload.clone())).is_err()
                {
                    listener.overflowed.store(true, Ordering::Release);
                }
            }
        }
        Ok(())
    }

    fn subscription(&self) -> Box<dyn Subscription> {
        let (sender, queue) = mpsc::channel(limits::BUS_QUEUE);
        let overflowed = Arc::new(AtomicBool::new(false));
        let mut ears = self.0.ears.lock();
        let ear = ears.next;
        ears.next += 1;
        ears.listeners.insert(
            ear,
            Listener {
                queue: sender,
                overflowed: overflowed.clone(),
            },
        );
        let topics = Arc::new(MemoryTopics {
            ear,
            shared: self.0.clone(),
        });
        Box::new(MemorySubscription {
            queue,
            overflowed,
            topics,
        })
    }

    async fn renew_presence(&self, gateway: GatewayId, users: &Whereabouts, lease: Duration) -> Result<(), BusError> {
        let lease = Lease {
            until: Instant::now() + lease,
            users: users.clone(),
        };
        self.0.leases.lock().insert(gateway, lease);
        Ok(())
    }

    async fn take_expired_presence(&self) -> Result<Vec<(GatewayId, Whereabouts)>, BusError> {
        let now = Instant::now();
        let expired = self
            .0
            .leases
            .lock()
            .extract_if(|_, lease| lease.until <= now)
            .collect::<Vec<_>>();
        Ok(expired
            .into_iter()
            .map(|(gateway, lease)| (gateway, lease.users))
            .collect())
    }

    async fn present(&self, users: &[UserId]) -> Result<Whereabouts, BusError> {
        let now = Instant::now();
        let leases = self.0.leases.lock();
        let living: Vec<&Lease> = leases.values().filter(|lease| lease.until > now).collect();
        let at = |user: &UserId| {
            let statuses = living.iter().filter_map(|lease| lease.users.get(user).copied());
            Some((*user, statuses.reduce(together)?))
        };
        Ok(users.iter().filter_map(at).collect())
    }
}

struct MemorySubscription {
    queue: mpsc::Receiver<(Topic, Bytes)>,
    overflowed: Arc<AtomicBool>,
    topics: Arc<MemoryTopics>,
}

#[async_trait]
impl Subscription for MemorySubscription {
    async fn next(&mut self) -> Delivery {
        if self.overflowed.swap(false, Ordering::AcqRel) {
            return Delivery::ContinuityLost;
        }
        match self.queue.recv().await {
            Some((topic, payload)) => Delivery::Message { topic, payload },
            // The sender lives in the bus that `topics` holds; there is nothing to hear but silence.
            None => std::future::pending().await,
        }
    }

    fn topics(&self) -> Arc<dyn Topics> {
        self.topics.clone()
    }
}

impl Drop for MemorySubscription {
    fn drop(&mut self) {
        let mut ears = self.topics.shared.ears.lock();
        ears.listeners.remove(&self.topics.ear);
        ears.by_topic.retain(|_, listening| {
            listening.remove(&self.topics.ear);
            !listening.is_empty()
        });
    }
}

struct MemoryTopics {
    ear: Ear,
    shared: Arc<Shared>,
}

#[async_trait]
impl Topics for MemoryTopics {
    async fn subscribe(&self, topics: &[Topic]) {
        let mut ears = self.shared.ears.lock();
        if !ears.listeners.contains_key(&self.ear) {
            return;
        }
        for topic in topics {
            ears.by_topic.entry(*topic).or_default().insert(self.ear);
        }
    }

    async fn unsubscribe(&self, topics: &[Topic]) {
        let mut ears = self.shared.ears.lock();
        for topic in topics {
            if let Some(listening) = ears.by_topic.get_mut(topic) {
                listening.remove(&self.ear);
                if listening.is_empty() {
                    ears.by_topic.remove(topic);
                }
            }
        }
    }
}
