//! Who is on this gateway, without I/O: what its sockets say, what was last said of their users, and who has just left.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bus::{Whereabouts, contract::together};
use common::{RoomId, UserId, WsId, limits, room::Presence};
use tokio::time::Instant;

/// All in an order, so that a seeded simulation replays.
#[derive(Default)]
pub struct Local {
    users: BTreeMap<UserId, Here>,
    /// Users of whom something may have to be said.
    unsettled: BTreeSet<UserId>,
    /// Users whose last socket ended, and when that may be said, in this order.
    leaving: VecDeque<(Instant, UserId)>,
}

#[derive(Default)]
struct Here {
    sockets: BTreeMap<WsId, Presence>,
    /// Where it is said how the user is: the rooms that a socket here has joined.
    rooms: BTreeSet<RoomId>,
    said: Option<Presence>,
    /// Since when there is no socket, and until when the user may come back unnoticed.
    away_until: Option<Instant>,
}

impl Here {
    /// How the user's sockets here say it is.
    fn status(&self) -> Option<Presence> {
        self.sockets.values().copied().reduce(together)
    }

    fn lingers(&self, now: Instant) -> bool {
        self.away_until.is_some_and(|until| now < until)
    }
}

/// What is to be said of a user: to all gateways, for the rooms in which they show it, and in the rooms it has joined here,
/// as a word that was wrong may have made others forget those.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    pub status: Presence,
    pub rooms: BTreeSet<RoomId>,
}

impl Local {
    /// A socket opened, or says how its user is. Says whether that is news.
    pub fn set(&mut self, user: UserId, ws: WsId, status: Presence) -> bool {
        let here = self.users.entry(user).or_default();
        let before = here.status();
        here.sockets.insert(ws, status);
        here.away_until = None;
        here.status() != before && self.unsettled.insert(user)
    }

    /// A socket ended. Says whether something may have to be said at once.
    pub fn exited(&mut self, user: UserId, ws: WsId, now: Instant) -> bool {
        let Some(here) = self.users.get_mut(&user) else {
            return false;
        };
        let before = here.status();
        if here.sockets.remove(&ws).is_some() && here.sockets.is_empty() {
            let until = now + limits::PRESENCE_LINGER;
            here.away_until = Some(until);
            self.leaving.push_back((until, user));
            return false;
        }
        here.status() != before && self.unsettled.insert(user)
    }

    /// A socket of the user has joined the room. Answers what is to be said there, when it wasn't yet.
    pub fn arrived(&mut self, user: UserId, room: RoomId) -> Option<Presence> {
        let here = self.users.get_mut(&user)?;
        here.rooms.insert(room).then_some(here.said)?
    }

    /// The user is no member any more.
    pub fn departed(&mut self, user: UserId, room: RoomId) {
        if let Some(here) = self.users.get_mut(&user) {
            here.rooms.remove(&room);
        }
    }

    /// What was last said of a user who is here.
    pub fn said(&self, user: UserId) -> Option<Presence> {
        self.users.get(&user)?.said
    }

    /// Another gateway says how a user is. Who is here knows better: says whether something has to be said again.
    pub fn heard(&mut self, user: UserId, status: Presence) -> bool {
        match self.users.get_mut(&user) {
            Some(here) if here.said.is_some_and(|said| said != status) && !here.sockets.is_empty() => {
                here.said = Some(status);
                self.unsettled.insert(user)
            }
            _ => false,
        }
    }

    /// What this gateway's lease says: who lingers is still here.
    pub fn whereabouts(&self, now: Instant) -> Whereabouts {
        let status = |here: &Here| {
            let lingering = here
                .lingers(now)
                .then(|| here.said.filter(|said| *said != Presence::Offline));
            here.status()
                .or_else(|| lingering.map(|said| said.unwrap_or(Presence::Online)))
        };
        self.users
            .iter()
            .filter_map(|(user, here)| Some((*user, status(here)?)))
            .collect()
    }

    /// Takes those of whom something may have to be said by now; each goes to [`Local::settle`] or [`Local::again`].
    pub fn unsettled(&mut self, now: Instant) -> Vec<UserId> {
        while let Some((_, user)) = self.leaving.pop_front_if(|(until, _)| *until <= now) {
            self.unsettled.insert(user);
        }
        std::mem::take(&mut self.unsettled).into_iter().collect()
    }

    /// Looks at everybody anew.
    pub fn unsettle(&mut self) {
        self.unsettled.extend(self.users.keys());
    }

    pub fn again(&mut self, users: impl IntoIterator<Item = UserId>) {
        self.unsettled.extend(users);
    }

    /// Whether the user has no socket here.
    pub fn is_gone(&self, user: UserId) -> bool {
        self.users.get(&user).is_none_or(|here| here.sockets.is_empty())
    }

    /// What is to be said of a user, who is `elsewhere` by the leases of all gateways. Whose last socket ended a while ago
    /// is forgotten.
    pub fn settle(&mut self, user: UserId, elsewhere: Option<Presence>, now: Instant) -> Option<Statement> {
        let here = self.users.get_mut(&user)?;
        let status = match (here.status(), elsewhere) {
            (None, _) if here.lingers(now) => return None,
            (Some(here), Some(elsewhere)) => together(here, elsewhere),
            (Some(status), None) | (None, Some(status)) => status,
            (None, None) => Presence::Offline,
        };
        let news = here.said != Some(status);
        here.said = Some(status);
        let rooms = match here.sockets.is_empty() {
            true => {
                self.users.remove(&user);
                BTreeSet::new()
            }
            false if news => here.rooms.clone(),
            false => BTreeSet::new(),
        };
        news.then_some(Statement { status, rooms })
    }
}

#[cfg(test)]
mod tests {
    use common::room::Presence::{Away, Offline, Online};
    use uuid::Uuid;

    use super::*;

    fn user() -> UserId {
        UserId(Uuid::from_u128(1))
    }

    fn ws(number: u128) -> WsId {
        WsId(Uuid::from_u128(number))
    }

    fn room(number: u128) -> RoomId {
        RoomId(Uuid::from_u128(number))
    }

    fn statement(status: Presence, rooms: &[u128]) -> Option<Statement> {
        let rooms = rooms.iter().map(|number| room(*number)).collect();
        Some(Statement { status, rooms })
    }

    /// A user with one socket, online in two rooms.
    fn online(now: Instant) -> Local {
        let mut local = Local::default();
        assert!(local.set(user(), ws(1), Online));
        assert_eq!(local.unsettled(now), [user()]);
        assert_eq!(local.settle(user(), Some(Online), now), statement(Online, &[]));
        assert_eq!(local.arrived(user(), room(1)), Some(Online));
        assert_eq!(local.arrived(user(), room(1)), None, "said already");
        local.arrived(user(), room(2));
        local
    }

    #[test]
    fn away_is_said_when_all_sockets_are_everywhere() {
        let now = Instant::now();
        let mut local = online(now);
        assert!(!local.set(user(), ws(2), Online), "a second one is no news");
        assert!(!local.set(user(), ws(1), Away));
        assert!(local.set(user(), ws(2), Away));
        assert_eq!(local.settle(user(), Some(Online), now), None, "another gateway has one");
        assert_eq!(local.settle(user(), Some(Away), now), statement(Away, &[1, 2]));
        local.unsettled(now);
        assert!(local.set(user(), ws(2), Online));
        assert_eq!(local.settle(user(), None, now), statement(Online, &[1, 2]));
        local.set(user(), ws(1), Away);
        local.unsettled(now);
        assert!(local.exited(user(), ws(2), now), "the one that is left is away");
        assert_eq!(local.settle(user(), Some(Away), now), statement(Away, &[1, 2]));
    }

    #[test]
    fn the_last_socket_lingers_before_it_is_missed() {
        let now = Instant::now();
        let mut local = online(now);
        local.exited(user(), ws(1), now);
        assert!(local.unsettled(now).is_empty());
        assert_eq!(local.whereabouts(now), Whereabouts::from([(user(), Online)]));
        let later = now + limits::PRESENCE_LINGER;
        assert!(local.whereabouts(later).is_empty());
        assert_eq!(local.unsettled(later), [user()]);
        assert_eq!(local.settle(user(), None, later), statement(Offline, &[]));
        assert!(local.users.is_empty());
    }

    #[test]
    fn who_comes_back_in_time_was_never_away() {
        let now = Instant::now();
        let mut local = online(now);
        local.exited(user(), ws(1), now);
        local.set(user(), ws(2), Online);
        let later = now + limits::PRESENCE_LINGER;
        assert_eq!(local.unsettled(later), [user()]);
        assert_eq!(local.settle(user(), Some(Online), later), None);
        assert_eq!(local.arrived(user(), room(1)), None, "the room knows");
        local.exited(user(), ws(2), later);
        assert!(local.unsettled(later).is_empty(), "and lingers anew");
    }

    #[test]
    fn who_moved_to_another_gateway_is_not_called_offline() {
        let now = Instant::now();
        let mut local = online(now);
        local.exited(user(), ws(1), now);
        let later = now + limits::PRESENCE_LINGER;
        local.unsettled(later);
        assert_eq!(local.settle(user(), Some(Online), later), None);
        assert!(local.is_gone(user()));
    }

    #[test]
    fn a_wrong_word_of_another_gateway_is_contradicted() {
        let now = Instant::now();
        let mut local = online(now);
        assert!(!local.heard(user(), Online));
        assert!(local.heard(user(), Offline));
        assert_eq!(local.unsettled(now), [user()]);
        assert_eq!(local.settle(user(), Some(Online), now), statement(Online, &[1, 2]));
    }

    #[test]
    fn a_room_that_was_left_for_good_hears_nothing_more() {
        let now = Instant::now();
        let mut local = online(now);
        local.departed(user(), room(1));
        local.set(user(), ws(1), Away);
        assert_eq!(local.settle(user(), Some(Away), now), statement(Away, &[2]));
    }
}
