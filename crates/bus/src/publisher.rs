//! Publishing in batches, without anybody waiting for it: what is offered while a publication is under way is the next
//! batch. A PUBLISH of its own for each would cost twenty times as much.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{Announcement, Bus};

/// A clone feeds the same queue.
#[derive(Clone)]
pub struct Publisher(mpsc::Sender<Announcement>);

/// Announcements of one publication.
const BATCH: usize = 256;

impl Publisher {
    /// Needs a Tokio runtime. At most `waiting` announcements wait while the bus is slow or away.
    pub fn start(bus: Arc<dyn Bus>, waiting: usize) -> Self {
        let (sender, mut queue) = mpsc::channel(waiting);
        tokio::spawn(async move {
            let mut batch: Vec<Announcement> = Vec::new();
            while queue.recv_many(&mut batch, BATCH).await > 0 {
                let encoded = batch.drain(..).map(|announcement| announcement.encoded()).collect();
                if let Err(error) = bus.publish(encoded).await {
                    tracing::debug!(%error, "what was to be published is lost");
                }
            }
        });
        Self(sender)
    }

    /// Publishes it as soon as possible, or drops it when too much waits.
    pub fn offer(&self, announcement: Announcement) {
        if self.0.try_send(announcement).is_err() {
            tracing::debug!("too much waits for the bus: an announcement is dropped");
        }
    }
}
