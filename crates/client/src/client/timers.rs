//! What is to be done, and when.

use std::{collections::BTreeMap, time::Duration};

use common::RoomId;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Connect,
    Join(RoomId),
    Again(RoomId),
    Fetch(RoomId),
    /// There is room under the rate for another send.
    Flush,
    /// The line has been silent.
    Ping,
    /// And does not answer.
    Silence,
    /// The access token runs out.
    Renew,
}

#[derive(Debug, Default)]
pub struct Timers(BTreeMap<Due, Instant>);

impl Timers {
    /// Instead of what was planned before.
    pub fn set(&mut self, due: Due, after: Duration) {
        self.0.insert(due, Instant::now() + after);
    }

    /// Unless it is planned already.
    pub fn set_if_none(&mut self, due: Due, after: Duration) {
        self.0.entry(due).or_insert_with(|| Instant::now() + after);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// A room is heard no more; what is sent to it goes on.
    pub fn drop_of(&mut self, room: RoomId) {
        self.0
            .retain(|due, _| !matches!(due, Due::Join(of) | Due::Fetch(of) if *of == room));
    }

    /// Sleeps until something is due, for ever if nothing is planned.
    pub async fn wait(&self) {
        match self.0.values().min() {
            Some(at) => tokio::time::sleep_until(*at).await,
            None => std::future::pending().await,
        }
    }

    /// What is due now.
    pub fn take(&mut self) -> Vec<Due> {
        let now = Instant::now();
        let due: Vec<Due> = self
            .0
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(due, _)| *due)
            .collect();
        self.0.retain(|_, at| *at > now);
        due
    }
}
