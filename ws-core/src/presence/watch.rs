//! The lease of this gateway, and those of the others: renewed, watched, taken over when they run out, and compared with
//! what is shown here, which makes good whatever got lost on the way.

use std::collections::HashSet;

use bus::{Announcement, BusError, Topic, Whereabouts, announcement::Signal};
use common::{UserId, limits, room::Presence};
use tokio::time::Instant;

use super::{Attendance, local::Statement};
use crate::rooms::Rooms;

/// What is due when, and what is not done yet.
struct Watch<'a> {
    attendance: &'a Attendance,
    rooms: &'a Rooms,
    renew_at: Instant,
    take_at: Instant,
    compare_at: Instant,
    /// Users of gateways that are gone, of whom nothing was said yet.
    taken: Whereabouts,
    /// Users who are shown here and whom no lease had at the last comparison.
    missing: HashSet<UserId>,
}

/// For ever.
pub async fn run(attendance: &Attendance, rooms: &Rooms) {
    let now = Instant::now();
    let mut watch = Watch {
        attendance,
        rooms,
        renew_at: now,
        take_at: now,
        compare_at: now + limits::PRESENCE_COMPARISON,
        taken: Whereabouts::new(),
        missing: HashSet::new(),
    };
    loop {
        if let Err(error) = watch.look().await {
            tracing::debug!(%error, "presence waits for the bus");
        }
        let changed = tokio::time::timeout(limits::PRESENCE_WATCH, attendance.changed.notified()).await;
        if changed.is_ok() {
            tokio::time::sleep(limits::PRESENCE_GATHER).await;
        }
    }
}

impl Watch<'_> {
    async fn look(&mut self) -> Result<(), BusError> {
        let now = Instant::now();
        let quiet = now < *self.attendance.quiet_until.lock();
        self.settle(now, quiet).await?;
        if quiet {
            // Whoever is missing now has a lease to come back; only then is it time to look.
            self.compare_at = now;
            return Ok(());
        }
        if now >= self.take_at {
            self.take_at = now + limits::PRESENCE_WATCH;
            self.take().await?;
        }
        if now >= self.compare_at {
            self.compare(now).await?;
        }
        Ok(())
    }

    /// Renews the lease when it is time or somebody came or went, and says how those are.
    async fn settle(&mut self, now: Instant, quiet: bool) -> Result<(), BusError> {
        let unsettled = self.attendance.local.lock().unsettled(now);
        if unsettled.is_empty() && now < self.renew_at {
            return Ok(());
        }
        let present = match self.renew(now, &unsettled).await {
            Ok(present) => present,
            Err(error) => {
                self.attendance.local.lock().again(unsettled);
                return Err(error);
            }
        };
        self.renew_at = now + limits::PRESENCE_RENEWAL;
        let mut news = Whereabouts::new();
        for user in unsettled {
            let elsewhere = present.get(&user).copied();
            let statement = {
                let mut local = self.attendance.local.lock();
                if quiet && elsewhere.is_none() && local.is_gone(user) {
                    local.again([user]);
                    continue;
                }
                local.settle(user, elsewhere, now)
            };
            let Some(Statement { status, rooms }) = statement else {
                continue;
            };
            for room in rooms {
                self.attendance.state(room, user, status);
            }
            news.insert(user, status);
        }
        self.say(&news);
        Ok(())
    }

    /// Says to all gateways how users are: each knows where it shows them.
    fn say(&self, users: &Whereabouts) {
        let users: Vec<_> = users.iter().map(|(user, status)| (*user, *status)).collect();
        for users in users.chunks(limits::PRESENCE_PER_CALL) {
            let users = users.iter().copied().collect();
            let announcement = Announcement::signal(Topic::Gateways, Signal::Whereabouts { users });
            self.attendance.publisher.offer(announcement);
        }
    }

    async fn renew(&self, now: Instant, asked: &[UserId]) -> Result<Whereabouts, BusError> {
        let whereabouts = self.attendance.local.lock().whereabouts(now);
        let (bus, gateway) = (&self.attendance.bus, self.attendance.gateway);
        bus.renew_presence(gateway, &whereabouts, limits::PRESENCE_LEASE)
            .await?;
        self.present(asked).await
    }

    async fn present(&self, users: &[UserId]) -> Result<Whereabouts, BusError> {
        let mut present = Whereabouts::new();
        for users in users.chunks(limits::PRESENCE_PER_CALL) {
            present.extend(self.attendance.bus.present(users).await?);
        }
        Ok(present)
    }

    /// Takes over gateways that are gone: says of their users where else they are, or that they are offline.
    async fn take(&mut self) -> Result<(), BusError> {
        for (gateway, users) in self.attendance.bus.take_expired_presence().await? {
            tracing::info!(%gateway, users = users.len(), "a gateway is gone");
            self.taken.extend(users);
        }
        let users: Vec<UserId> = self.taken.keys().copied().collect();
        let present = self.present(&users).await?;
        self.taken.clear();
        let status = |user: UserId| (user, present.get(&user).copied().unwrap_or(Presence::Offline));
        self.say(&users.into_iter().map(status).collect());
        Ok(())
    }

    /// Corrects what is shown here by the leases. Who has none is missed twice, a lease apart, before that is said: a
    /// flushed Redis is not an empty house.
    async fn compare(&mut self, now: Instant) -> Result<(), BusError> {
        let shown = self.attendance.shown.lock().users();
        let present = self.present(&shown).await?;
        let missing: HashSet<UserId> = shown
            .iter()
            .filter(|user| !present.contains_key(user))
            .copied()
            .collect();
        for user in shown {
            let status = match present.get(&user) {
                Some(status) => *status,
                None if self.missing.contains(&user) => Presence::Offline,
                None => continue,
            };
            let wrong = self.attendance.shown.lock().differing(user, status);
            for room in wrong {
                self.attendance.heard(self.rooms, room, user, status);
            }
        }
        self.missing = missing;
        let next = if self.missing.is_empty() {
            limits::PRESENCE_COMPARISON
        } else {
            limits::PRESENCE_LEASE
        };
        self.compare_at = now + next;
        Ok(())
    }
}
