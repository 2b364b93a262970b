//! Announces what commits cause, after them and without delaying their acks. What can't be told in time is dropped: the
//! log has it, and gateways compare heads (consistency rules 8, 9).

use std::sync::Arc;

use bus::{Announcement, Bus, Payload};
use common::{
    RoomId, UserId,
    frame::{Notice, NoticeKind},
    limits,
};
use tokio::sync::mpsc;

use crate::search::Indexer;

#[derive(Clone)]
pub struct Announcer {
    queue: mpsc::Sender<Announcement>,
    indexer: Indexer,
}

/// Announcements of one publication.
const BATCH: usize = 256;

impl Announcer {
    /// Needs a Tokio runtime.
    pub fn start(bus: Arc<dyn Bus>, indexer: Indexer) -> Self {
        let (sender, mut waiting) = mpsc::channel(limits::ANNOUNCEMENTS_WAITING);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, BATCH).await > 0 {
                let encoded = batch
                    .drain(..)
                    .map(|announcement: Announcement| announcement.encoded())
                    .collect();
                if let Err(error) = bus.publish(encoded).await {
                    tracing::warn!(%error, "announcements were lost; gateways will find the heads");
                }
            }
        });
        Self { queue: sender, indexer }
    }

    /// Tells a user something about one of their rooms.
    pub fn notify(&self, user: UserId, kind: NoticeKind, room: RoomId) {
        let notice = Notice {
            kind,
            room_id: Some(room),
            session_id: None,
        };
        self.offer(Announcement::notice(user, notice));
    }

    pub fn offer(&self, announcement: Announcement) {
        if let Payload::Event(event) = &announcement.payload {
            self.indexer.committed(event);
        }
        if self.queue.try_send(announcement).is_err() {
            tracing::warn!("too many announcements wait: one is dropped");
        }
    }
}
