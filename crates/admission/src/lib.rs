//! Whether a session that a good access token names was ended since (contract, section 2; consistency rule 15). A door
//! decides from the list that it holds, without a call; only a session that looks like one of the list is asked about,
//! once.

mod asked;
mod received;

use std::sync::Arc;

use asked::{Answered, Asked};
use common::{Problem, SessionId, Timestamp, limits, revocation::RevocationList, token::Actor};
use db_api::{Call, DbApi, Refusal, types::NamedSession};
use parking_lot::{Mutex, RwLock};

pub use received::receiver;

/// What one door knows of ended sessions. A clone shares it.
#[derive(Clone)]
pub struct Admission(Arc<Shared>);

struct Shared {
    db: Arc<dyn DbApi>,
    now: fn() -> Timestamp,
    list: RwLock<Option<Arc<RevocationList>>>,
    asked: Mutex<Asked>,
}

/// What became of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It names other sessions than the one before.
    Changed,
    /// It names the same ones, at a later time.
    Same,
    /// It says less than what is known.
    Passed,
    /// It is of a time that is yet to come: one of the clocks is wrong.
    Ahead,
}

impl Admission {
    /// Lets nobody in before there is a list.
    pub fn new(db: Arc<dyn DbApi>, now: fn() -> Timestamp) -> Self {
        Self(Arc::new(Shared {
            db,
            now,
            list: RwLock::default(),
            asked: Mutex::default(),
        }))
    }

    /// Whether somebody can be let in.
    pub fn is_ready(&self) -> bool {
        self.list().is_ok()
    }

    /// What a door waits for that is told by db-core. It has to be reachable for that, and so is ready without it.
    pub fn missing(&self) -> Option<&'static str> {
        (!self.is_ready()).then_some("it is not known which sessions were ended")
    }

    /// Holds on to a list, unless a later one is known.
    pub fn take(&self, list: RevocationList) -> Taken {
        let soon = (self.0.now)().plus(limits::CLOCK_SKEW);
        if list.as_of() > soon {
            return Taken::Ahead;
        }
        let mut held = self.0.list.write();
        let before = held.as_deref();
        if before.is_some_and(|before| !list.is_later_than(before)) {
            return Taken::Passed;
        }
        let same = before.is_some_and(|before| list.same(before));
        let gap = before.map(|before| list.as_of().since(before.as_of()));
        self.0.asked.lock().listed(&list, gap.unwrap_or_default());
        *held = Some(Arc::new(list));
        if same { Taken::Same } else { Taken::Changed }
    }

    fn list(&self) -> Result<Arc<RevocationList>, Problem> {
        let held = self.0.list.read().clone();
        held.filter(|list| !list.is_too_old((self.0.now)()))
            .ok_or_else(Problem::unavailable)
    }

    /// Whether the session of a good access token goes on.
    ///
    /// # Errors
    /// `unauthenticated` for one that was ended; `unavailable` when that cannot be told, as the list is too old or db-core
    /// can't be asked about a session that looks like one of it.
    pub async fn admit(&self, actor: &Actor) -> Result<(), Problem> {
        let list = self.list()?;
        let entries = list.entries_like(actor.session_id);
        let known = self.0.asked.lock().answer(actor.session_id, entries, (self.0.now)());
        let answered = match known {
            Some(answered) => answered,
            None if entries == 0 => Answered::GoesOn,
            None => self.ask(actor, &list, entries).await?,
        };
        match answered {
            Answered::GoesOn => Ok(()),
            Answered::Ended => Err(Problem::unauthenticated()),
        }
    }

    /// Whether there is nothing against the session, without asking anybody.
    pub fn is_clear(&self, session: SessionId) -> bool {
        let entries = |list: Arc<RevocationList>| list.entries_like(session);
        let known = |entries| self.0.asked.lock().answer(session, entries, (self.0.now)());
        match self.list().map(entries) {
            Ok(0) => known(0) != Some(Answered::Ended),
            Ok(entries) => known(entries) == Some(Answered::GoesOn),
            Err(_) => false,
        }
    }

    async fn ask(&self, actor: &Actor, list: &RevocationList, entries: usize) -> Result<Answered, Problem> {
        let named = NamedSession {
            user_id: actor.user_id,
            session_id: actor.session_id,
        };
        let session = self.0.db.is_revoked(Call::anonymous(), named).await;
        let said = session.map_err(|refusal| unsure(&refusal))?.value;
        let until = actor.expires_at.plus(limits::CLOCK_SKEW);
        let now = (self.0.now)();
        let note = |answered| {
            self.0
                .asked
                .lock()
                .note(actor.session_id, answered, entries, until, now)
        };
        if said.revoked {
            note(Answered::Ended);
            return Ok(Answered::Ended);
        }
        if said.timeline < list.timeline() {
            // A leader that was left behind does not know.
            return Err(Problem::unavailable());
        }
        // Has the list changed meanwhile, its entries are not those that were asked about.
        if self.list().is_ok_and(|held| held.same(list)) {
            note(Answered::GoesOn);
        }
        Ok(Answered::GoesOn)
    }

    /// A session was certainly ended, as a notice of it says before any list does.
    pub fn ended(&self, session: SessionId) {
        let now = (self.0.now)();
        let until = now.plus(limits::REVOCATIONS_KEPT);
        self.0.asked.lock().note(session, Answered::Ended, 0, until, now);
    }
}

/// Nobody is logged out because db-core was not there to be asked.
fn unsure(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Internal => Problem::internal(),
        _ => Problem::unavailable(),
    }
}
