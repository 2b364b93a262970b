//! The sockets of this gateway by user: for notices, and for the bound on one user's sockets.

use std::{collections::BTreeMap, sync::Arc};

use common::{SessionId, UserId, WsId, limits, token::Actor};
use parking_lot::Mutex;

use crate::outbox::Outbox;

#[derive(Default)]
pub struct Users {
    sockets: Mutex<BTreeMap<UserId, Sockets>>,
}

/// The sockets of one user.
type Sockets = BTreeMap<WsId, (Actor, Arc<Outbox>)>;

impl Users {
    /// Takes a socket in, unless its user has as many as allowed. Says whether it is the user's first.
    pub fn enter(&self, ws: WsId, actor: &Actor, outbox: &Arc<Outbox>) -> Option<bool> {
        let mut sockets = self.sockets.lock();
        let of_user = sockets.entry(actor.user_id).or_default();
        if of_user.len() >= limits::SOCKETS_PER_USER {
            return None;
        }
        of_user.insert(ws, (actor.clone(), outbox.clone()));
        Some(of_user.len() == 1)
    }

    /// Says whether it was the user's last.
    pub fn exit(&self, ws: WsId, user: UserId) -> bool {
        let mut sockets = self.sockets.lock();
        let Some(of_user) = sockets.get_mut(&user) else {
            return false;
        };
        of_user.remove(&ws);
        let last = of_user.is_empty();
        if last {
            sockets.remove(&user);
        }
        last
    }

    pub fn of(&self, user: UserId) -> Vec<(Actor, Arc<Outbox>)> {
        self.sockets
            .lock()
            .get(&user)
            .map(|of_user| of_user.values().cloned().collect())
            .unwrap_or_default()
    }

    pub fn socket(&self, user: UserId, ws: WsId) -> Option<Arc<Outbox>> {
        let sockets = self.sockets.lock();
        sockets.get(&user)?.get(&ws).map(|(_, outbox)| outbox.clone())
    }

    pub fn all(&self) -> Vec<Arc<Outbox>> {
        self.sockets
            .lock()
            .values()
            .flat_map(|of_user| of_user.values().map(|(_, outbox)| outbox.clone()))
            .collect()
    }

    /// Of each session with a socket here that fits, one of its actors.
    pub fn actors_that(&self, fits: impl Fn(&Actor) -> bool) -> BTreeMap<SessionId, Actor> {
        let sockets = self.sockets.lock();
        let actors = sockets.values().flat_map(BTreeMap::values).map(|(actor, _)| actor);
        let fitting = actors.filter(|actor| fits(actor));
        fitting.map(|actor| (actor.session_id, actor.clone())).collect()
    }

    pub fn has(&self, user: UserId) -> bool {
        self.sockets.lock().contains_key(&user)
    }
}
