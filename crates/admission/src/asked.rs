//! What db-core said of sessions that looked like one of the list.

use std::{collections::HashMap, time::Duration};

use common::{SessionId, Timestamp, limits, revocation::RevocationList};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    GoesOn,
    Ended,
}

struct Answer {
    answered: Answered,
    /// Entries of the list that looked like the session at that time, as far as they still do: one more may be the
    /// session's own.
    entries: usize,
    /// The access token that was asked for is dead then.
    until: Timestamp,
}

#[derive(Default)]
pub struct Asked(HashMap<SessionId, Answer>);

impl Asked {
    /// What is known of a session that looks like so many entries.
    pub fn answer(&self, session: SessionId, entries: usize, now: Timestamp) -> Option<Answered> {
        let known = self.0.get(&session).filter(|known| now <= known.until)?;
        (known.answered == Answered::Ended || known.entries >= entries).then_some(known.answered)
    }

    pub fn note(&mut self, session: SessionId, answered: Answered, entries: usize, until: Timestamp, now: Timestamp) {
        if self.answer(session, entries, now) == Some(Answered::Ended) {
            return;
        }
        if self.0.len() >= limits::SESSIONS_ASKED {
            self.0.retain(|_, answer| answer.until > now);
        }
        if self.0.len() >= limits::SESSIONS_ASKED {
            // They are asked about again.
            self.0.clear();
        }
        let answer = Answer {
            answered,
            entries,
            until,
        };
        self.0.insert(session, answer);
    }

    /// There is another list, so much later: what looked like a session and is gone may come back as the session itself.
    /// Between two that lie far apart both may have happened.
    pub fn listed(&mut self, list: &RevocationList, gap: Duration) {
        if gap > 2 * limits::REVOCATIONS_INTERVAL {
            self.0.retain(|_, answer| answer.answered == Answered::Ended);
        }
        for (session, answer) in &mut self.0 {
            answer.entries = answer.entries.min(list.entries_like(*session));
        }
    }
}
