//! A socket with a way of its own: frames take time up and down, in order, and the client may stop reading.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_tungstenite::tungstenite::Message;

use super::Socket;
use crate::chance::Chance;

pub struct Wire {
    up: mpsc::UnboundedSender<(Instant, String)>,
    down: mpsc::Receiver<String>,
    last_up: Instant,
    chance: Chance,
    tasks: [JoinHandle<()>; 2],
}

/// Frames that wait between network and client. Few, so that a client which stops reading is felt by its gateway.
const UNREAD: usize = 4;
/// How long what is under way still arrives from a client that went away without a word.
const LINGER: Duration = Duration::from_secs(2);

impl Wire {
    pub fn over(socket: Socket, mut chance: Chance) -> Self {
        let (mut sink, mut stream) = socket.split();
        let (up, mut writing) = mpsc::unbounded_channel::<(Instant, String)>();
        let (reading, down) = mpsc::channel(UNREAD);
        let mut slowness = Chance::of(chance.within(0..u64::MAX), "down");
        let writer = tokio::spawn(async move {
            while let Some((due, text)) = writing.recv().await {
                tokio::time::sleep_until(due).await;
                if sink.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
        });
        let reader = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Message::Text(text) = message else { continue };
                if slowness.happens(0.15) {
                    tokio::time::sleep(slowness.latency()).await;
                }
                if reading.send(text.to_string()).await.is_err() {
                    return;
                }
            }
        });
        Self {
            up,
            down,
            last_up: Instant::now(),
            chance,
            tasks: [writer, reader],
        }
    }

    /// Writes a frame; it arrives behind those before it, some time later.
    pub fn write(&mut self, text: String) {
        self.last_up = self.last_up.max(Instant::now() + self.chance.latency());
        // A closed socket is seen by who reads.
        let _ = self.up.send((self.last_up, text));
    }

    /// The next frame, or `None` when the socket is closed.
    pub async fn read(&mut self) -> Option<String> {
        self.down.recv().await
    }

    /// Goes away: at once, or so that what is under way still arrives.
    pub fn leave(mut self) {
        if self.chance.happens(0.5) {
            return;
        }
        tokio::spawn(async move {
            tokio::time::sleep(LINGER).await;
            drop(self);
        });
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
