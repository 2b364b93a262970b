//! The bus over Redis pub/sub. Publications go out in pipelines over one connection; each subscription has a connection of
//! its own that is pinged, because a silent Redis and a hanging one look alike.

mod presence;
mod subscription;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use common::{GatewayId, UserId};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::{Bus, BusError, Subscription, Topic, Whereabouts};

/// A Redis that doesn't answer for so long is away.
pub(crate) const ANSWER: Duration = Duration::from_secs(1);

/// A clone shares the connection.
#[derive(Clone)]
pub struct RedisBus {
    client: redis::Client,
    connection: ConnectionManager,
    prefix: String,
}

impl From<redis::RedisError> for BusError {
    fn from(error: redis::RedisError) -> Self {
        BusError(error.to_string())
    }
}

impl RedisBus {
    /// Needs a Tokio runtime. Redis need not be there yet: it is connected to when it is first needed, and again.
    /// `prefix` stands before every channel and key.
    ///
    /// # Errors
    /// When the URL is no Redis URL.
    pub fn new(url: &str, prefix: &str) -> Result<Self, BusError> {
        let client = redis::Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(ANSWER))
            .set_connection_timeout(Some(ANSWER))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self {
            client,
            connection,
            prefix: prefix.to_owned(),
        })
    }

    fn channel(&self, topic: &Topic) -> String {
        format!("{}{topic}", self.prefix)
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, batch: Vec<(Topic, Bytes)>) -> Result<(), BusError> {
        let mut pipeline = redis::Pipeline::with_capacity(batch.len());
        for (topic, payload) in &batch {
            pipeline
                .cmd("PUBLISH")
                .arg(self.channel(topic))
                .arg(payload.as_ref())
                .ignore();
        }
        let mut connection = self.connection.clone();
        Ok(pipeline.query_async::<()>(&mut connection).await?)
    }

    fn subscription(&self) -> Box<dyn Subscription> {
        Box::new(subscription::RedisSubscription::start(
            self.client.clone(),
            self.prefix.clone(),
        ))
    }

    async fn renew_presence(&self, gateway: GatewayId, users: &Whereabouts, lease: Duration) -> Result<(), BusError> {
        presence::renew(self, gateway, users, lease).await
    }

    async fn take_expired_presence(&self) -> Result<Vec<(GatewayId, Whereabouts)>, BusError> {
        presence::take_expired(self).await
    }

    async fn present(&self, users: &[UserId]) -> Result<Whereabouts, BusError> {
        presence::present(self, users).await
    }
}
