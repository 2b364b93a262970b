//! A circuit breaker around db-core: while nothing answers there, callers are told at once instead of waiting for their
//! deadlines, and db-core, when it comes back, is not met by all who waited.
//!
//! Only missing answers count. A refusal is an answer, also one that says that the database is away. Once open it closes by
//! itself: db-core is asked whether it is there, by one call at a time, and users' calls are never the trial.

use std::time::Duration;

use common::limits;
use tokio::time::Instant;

/// Without I/O; times are arguments.
pub struct Breaker {
    state: State,
    /// Calls in a row that got no answer.
    failures: u32,
    last_answer: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// Somebody asks whether db-core is there because a call waits suspiciously long.
    Doubted,
    Open,
}

/// What a report makes the caller do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Stay,
    /// Tell those who wait to give up, and ask db-core until it answers.
    Opened,
}

impl Breaker {
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Closed,
            failures: 0,
            last_answer: now,
        }
    }

    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// db-core answered, whatever it said.
    pub fn answered(&mut self, now: Instant) {
        self.failures = 0;
        self.last_answer = now;
    }

    /// A call got no answer: no connection, a broken one, or its deadline passed.
    pub fn unanswered(&mut self) -> Turn {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= limits::BREAKER_FAILURES {
            self.open()
        } else {
            Turn::Stay
        }
    }

    /// Whether somebody should ask if db-core is there: a call has waited since `began`, and nothing at all was answered
    /// for as long. One who asks is enough; it reports with [`Breaker::probed`].
    pub fn doubts(&mut self, began: Instant, now: Instant) -> bool {
        let silent_since = self.last_answer.max(began);
        let doubts = self.state == State::Closed && now >= silent_since + limits::BREAKER_PATIENCE;
        if doubts {
            self.state = State::Doubted;
        }
        doubts
    }

    /// The answer to the question whether db-core is there.
    pub fn probed(&mut self, answer: Probe, now: Instant) -> Turn {
        match answer {
            Probe::Answered => {
                self.state = State::Closed;
                self.answered(now);
                Turn::Stay
            }
            Probe::Silent => self.open(),
        }
    }

    fn open(&mut self) -> Turn {
        match std::mem::replace(&mut self.state, State::Open) {
            State::Open => Turn::Stay,
            State::Closed | State::Doubted => Turn::Opened,
        }
    }
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    Answered,
    Silent,
}

/// When a call that waits looks again.
pub const LOOK: Duration = limits::BREAKER_PATIENCE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_failures_in_a_row_and_closes_by_a_probe() {
        let now = Instant::now();
        let mut breaker = Breaker::new(now);
        for _ in 1..limits::BREAKER_FAILURES {
            assert_eq!(breaker.unanswered(), Turn::Stay);
        }
        breaker.answered(now);
        for _ in 1..limits::BREAKER_FAILURES {
            assert_eq!(breaker.unanswered(), Turn::Stay, "an answer starts the count anew");
        }
        assert!(!breaker.is_open());
        assert_eq!(breaker.unanswered(), Turn::Opened);
        assert!(breaker.is_open());
        assert_eq!(breaker.unanswered(), Turn::Stay, "open already");
        breaker.answered(now);
        assert!(breaker.is_open(), "a late answer of before is no proof");
        assert_eq!(breaker.probed(Probe::Silent, now), Turn::Stay);
        assert_eq!(breaker.probed(Probe::Answered, now), Turn::Stay);
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_slow_call_is_no_silence_while_others_are_answered() {
        let start = Instant::now();
        let mut breaker = Breaker::new(start);
        let later = start + limits::BREAKER_PATIENCE;
        breaker.answered(later);
        assert!(!breaker.doubts(start, later));
        assert!(breaker.doubts(start, later + limits::BREAKER_PATIENCE));
        assert!(
            !breaker.doubts(start, later + limits::BREAKER_PATIENCE),
            "one asks for all"
        );
        assert_eq!(breaker.probed(Probe::Answered, later), Turn::Stay);
        assert!(!breaker.is_open());
    }

    #[test]
    fn silence_opens_it() {
        let start = Instant::now();
        let mut breaker = Breaker::new(start);
        let later = start + limits::BREAKER_PATIENCE;
        assert!(!breaker.doubts(later, later), "the call has just begun");
        assert!(breaker.doubts(start, later));
        assert_eq!(breaker.probed(Probe::Silent, later), Turn::Opened);
        assert!(breaker.is_open());
    }
}
