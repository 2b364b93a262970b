//! One subscriber's connection: kept alive, watched, and told apart from a hanging one.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use common::limits;
use futures_util::StreamExt;
use parking_lot::Mutex;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use super::ANSWER;
use crate::{Delivery, Subscription, Topic, contract::Topics};

/// Between two pings; a Redis that hangs is noticed after this and [`ANSWER`] at the latest.
const PING: Duration = Duration::from_millis(500);
/// Between two tries to connect.
const RETRY: Duration = Duration::from_millis(200);
/// Channels of one SUBSCRIBE.
const CHUNK: usize = 500;

pub struct RedisSubscription {
    queue: mpsc::Receiver<Delivery>,
    topics: Arc<RedisTopics>,
    task: AbortHandle,
}

/// What is wished for, and the living connection to ask for it.
pub struct RedisTopics {
    prefix: String,
    wanted: Mutex<HashSet<Topic>>,
    link: watch::Receiver<Link>,
}

/// The state of the connection.
#[derive(Clone)]
enum Link {
    Connecting,
    Up(PubSubSink),
    Away,
}

impl RedisSubscription {
    pub fn start(client: redis::Client, prefix: String) -> Self {
        let (sender, queue) = mpsc::channel(limits::BUS_QUEUE);
        let (link_sender, link) = watch::channel(Link::Connecting);
        let topics = Arc::new(RedisTopics {
            prefix,
            wanted: Mutex::default(),
            link,
        });
        let ear = Ear {
            client,
            topics: topics.clone(),
            link: link_sender,
            queue: sender,
        };
        let task = tokio::spawn(ear.run()).abort_handle();
        Self { queue, topics, task }
    }
}

#[async_trait]
impl Subscription for RedisSubscription {
    async fn next(&mut self) -> Delivery {
        match self.queue.recv().await {
            Some(delivery) => delivery,
            // The task lives as long as this; there is nothing to hear but silence.
            None => std::future::pending().await,
        }
    }

    fn topics(&self) -> Arc<dyn Topics> {
        self.topics.clone()
    }
}

impl Drop for RedisSubscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RedisTopics {
    fn channels<'a>(&self, topics: impl IntoIterator<Item = &'a Topic>) -> Vec<String> {
        topics
            .into_iter()
            .map(|topic| format!("{}{topic}", self.prefix))
            .collect()
    }

    /// The living connection; waits for the first try to connect.
    async fn sink(&self) -> Option<PubSubSink> {
        let mut link = self.link.clone();
        match link.wait_for(|link| !matches!(link, Link::Connecting)).await.as_deref() {
            Ok(Link::Up(sink)) => Some(sink.clone()),
            _ => None,
        }
    }
}

#[async_trait]
impl Topics for RedisTopics {
    async fn subscribe(&self, topics: &[Topic]) {
        self.wanted.lock().extend(topics);
        if let Some(mut sink) = self.sink().await {
            // When this fails the connection is about to be replaced, and the new one takes all that is wanted.
            let _ = tokio::time::timeout(ANSWER, sink.subscribe(self.channels(topics))).await;
        }
    }

    async fn unsubscribe(&self, topics: &[Topic]) {
        {
            let mut wanted = self.wanted.lock();
            wanted.retain(|topic| !topics.contains(topic));
        }
        if let Some(mut sink) = self.sink().await {
            let _ = tokio::time::timeout(ANSWER, sink.unsubscribe(self.channels(topics))).await;
        }
    }
}

struct Ear {
    client: redis::Client,
    topics: Arc<RedisTopics>,
    link: watch::Sender<Link>,
    queue: mpsc::Sender<Delivery>,
}

impl Ear {
    /// Connects, listens until the connection is lost or hangs, and again.
    async fn run(self) {
        let (mut first, mut heard) = (true, true);
        loop {
            match tokio::time::timeout(ANSWER, self.client.get_async_pubsub()).await {
                Ok(Ok(connection)) => {
                    let (sink, stream) = connection.split();
                    let why = self.listen(sink, stream, std::mem::take(&mut first)).await;
                    heard = true;
                    tracing::warn!(reason = why, "the bus is away: lost the subscription");
                }
                Ok(Err(error)) => tracing::debug!(%error, "the bus is away: cannot connect"),
                Err(_) => tracing::debug!("the bus is away: connecting takes too long"),
            }
            if std::mem::replace(&mut heard, false) && self.queue.send(Delivery::Away).await.is_err() {
                return;
            }
            first = false;
            self.link.send_replace(Link::Away);
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn listen(&self, mut sink: PubSubSink, mut stream: PubSubStream, first: bool) -> &'static str {
        // From here on a new wish asks this connection itself; whatever was wished before is asked now.
        self.link.send_replace(Link::Up(sink.clone()));
        let wanted: Vec<Topic> = self.topics.wanted.lock().iter().copied().collect();
        for topics in wanted.chunks(CHUNK) {
            let subscribed = tokio::time::timeout(ANSWER, sink.subscribe(self.topics.channels(topics))).await;
            if !matches!(subscribed, Ok(Ok(()))) {
                return "resubscribing failed";
            }
        }
        if !(first && wanted.is_empty()) && self.queue.send(Delivery::ContinuityLost).await.is_err() {
            return "nobody listens";
        }
        let pings = async {
            loop {
                tokio::time::sleep(PING).await;
                if !matches!(
                    tokio::time::timeout(ANSWER, sink.ping::<redis::Value>()).await,
                    Ok(Ok(_))
                ) {
                    return "no answer to a ping";
                }
            }
        };
        tokio::select! {
            why = pings => why,
            why = self.forward(&mut stream) => why,
        }
    }

    async fn forward(&self, stream: &mut PubSubStream) -> &'static str {
        while let Some(message) = stream.next().await {
            let name = message.get_channel_name().strip_prefix(self.topics.prefix.as_str());
            let Some(topic) = name.and_then(Topic::parse) else {
                continue;
            };
            let payload = Bytes::copy_from_slice(message.get_payload_bytes());
            match self.queue.try_send(Delivery::Message { topic, payload }) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Closed(_)) => return "nobody listens",
                // What doesn't fit is lost, and the reader is told once it has room again.
                Err(mpsc::error::TrySendError::Full(_)) => {
                    if self.queue.send(Delivery::ContinuityLost).await.is_err() {
                        return "nobody listens";
                    }
                }
            }
        }
        "the connection was closed"
    }
}
