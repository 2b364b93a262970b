//! The bus as one gateway hears it: announcements that are dropped, doubled, late or out of order, silence, and signals
//! that continuity may be lost, rightly or not.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusError, Delivery, Subscription, Topic, Whereabouts, contract::Topics};
use bytes::Bytes;
use common::{GatewayId, UserId};
use parking_lot::Mutex;
use service::CancellationToken;
use tokio::time::Instant;

use super::Weather;
use crate::chance::Chance;

pub struct UnsteadyBus {
    inner: Arc<dyn Bus>,
    weather: Arc<Weather>,
    /// For the streams of its subscriptions.
    chance: Mutex<Chance>,
    severed: CancellationToken,
}

impl UnsteadyBus {
    pub fn new(inner: Arc<dyn Bus>, weather: Arc<Weather>, chance: Chance, severed: CancellationToken) -> Self {
        Self {
            inner,
            weather,
            chance: Mutex::new(chance),
            severed,
        }
    }
}

#[async_trait]
impl Bus for UnsteadyBus {
    async fn publish(&self, batch: Vec<(Topic, Bytes)>) -> Result<(), BusError> {
        if self.severed.is_cancelled() || self.weather.bus_is_silent() {
            return Err(BusError("it is away".to_owned()));
        }
        self.inner.publish(batch).await
    }

    fn subscription(&self) -> Box<dyn Subscription> {
        let seed = self.chance.lock().within(0..u64::MAX);
        Box::new(Ear {
            inner: self.inner.subscription(),
            weather: self.weather.clone(),
            chance: Chance::of(seed, "ear"),
            severed: self.severed.clone(),
            late: BTreeMap::new(),
            counter: 0,
            was_silent: false,
        })
    }

    async fn renew_presence(&self, gateway: GatewayId, users: &Whereabouts, lease: Duration) -> Result<(), BusError> {
        if self.severed.is_cancelled() {
            return std::future::pending().await;
        }
        self.inner.renew_presence(gateway, users, lease).await
    }

    async fn take_expired_presence(&self) -> Result<Vec<(GatewayId, Whereabouts)>, BusError> {
        if self.severed.is_cancelled() {
            return std::future::pending().await;
        }
        self.inner.take_expired_presence().await
    }

    async fn present(&self, users: &[UserId]) -> Result<Whereabouts, BusError> {
        self.inner.present(users).await
    }
}

struct Ear {
    inner: Box<dyn Subscription>,
    weather: Arc<Weather>,
    chance: Chance,
    severed: CancellationToken,
    /// What comes later than it should.
    late: BTreeMap<(Instant, u64), Delivery>,
    counter: u64,
    was_silent: bool,
}

impl Ear {
    fn delay(&mut self, delivery: Delivery) {
        self.counter += 1;
        let due = Instant::now() + self.chance.latency();
        self.late.insert((due, self.counter), delivery);
    }

    /// What the gateway hears of a delivery now, if anything.
    fn heard(&mut self, delivery: Delivery) -> Option<Delivery> {
        if self.weather.is_calm() {
            return Some(delivery);
        }
        if self.weather.bus_is_silent() {
            self.was_silent = true;
            return None;
        }
        let climate = self.weather.climate.clone();
        if std::mem::take(&mut self.was_silent) && self.chance.happens(0.5) {
            self.delay(delivery);
            return Some(Delivery::ContinuityLost);
        }
        if self.chance.happens(climate.doubled) {
            self.delay(delivery.clone());
        }
        if self.chance.happens(climate.dropped) {
            return None;
        }
        if self.chance.happens(climate.delayed) {
            self.delay(delivery);
            return None;
        }
        Some(delivery)
    }
}

#[async_trait]
impl Subscription for Ear {
    async fn next(&mut self) -> Delivery {
        loop {
            if self.severed.is_cancelled() {
                return std::future::pending().await;
            }
            let due = self.late.first_key_value().map(|((due, _), _)| *due);
            let late = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let delivery = tokio::select! {
                biased;
                () = late => None,
                delivery = self.inner.next() => Some(delivery),
            };
            let heard = match delivery {
                Some(delivery) => self.heard(delivery),
                None => self.late.pop_first().map(|(_, delivery)| delivery),
            };
            if let Some(delivery) = heard {
                return delivery;
            }
        }
    }

    fn topics(&self) -> Arc<dyn Topics> {
        self.inner.topics()
    }
}
