//! How bad it is: drawn once for a run, and changing in it until all faults are over.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::chance::Chance;

/// How often things go wrong in a run. Each run has a climate of its own, as what hides in many faults shows in few.
#[derive(Debug, Clone)]
pub struct Climate {
    /// Of calls: lost on their way, or without their answer.
    pub call_lost: f64,
    pub answer_lost: f64,
    /// Of announcements.
    pub dropped: f64,
    pub doubled: f64,
    pub delayed: f64,
    /// Of the director's turns: a gateway is killed.
    pub killed: f64,
    /// Of the director's turns: calls hang or are refused, or the bus is silent, for a while.
    pub outage: f64,
    /// Of a client's turns: it goes away, or stops reading.
    pub away: f64,
}

impl Climate {
    pub fn draw(chance: &mut Chance) -> Self {
        Self {
            call_lost: *chance.pick(&[0.0, 0.03, 0.12]),
            answer_lost: *chance.pick(&[0.0, 0.03, 0.12]),
            dropped: *chance.pick(&[0.0, 0.05, 0.3, 0.9]),
            doubled: *chance.pick(&[0.0, 0.05, 0.3]),
            delayed: *chance.pick(&[0.0, 0.1, 0.5]),
            killed: *chance.pick(&[0.0, 0.1, 0.4]),
            outage: *chance.pick(&[0.0, 0.2, 0.5]),
            away: *chance.pick(&[0.01, 0.05, 0.15]),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DbState {
    Fine = 0,
    Refusing = 1,
    Hanging = 2,
}

pub struct Weather {
    pub climate: Climate,
    calm: AtomicBool,
    db: AtomicU8,
    bus_silent: AtomicBool,
}

impl Weather {
    pub fn new(climate: Climate) -> Self {
        Self {
            climate,
            calm: AtomicBool::new(false),
            db: AtomicU8::new(DbState::Fine as u8),
            bus_silent: AtomicBool::new(false),
        }
    }

    /// All faults are over, for good.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Release);
    }

    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Acquire)
    }

    pub fn set_db(&self, state: DbState) {
        self.db.store(state as u8, Ordering::Release);
    }

    pub fn db(&self) -> DbState {
        match self.db.load(Ordering::Acquire) {
            _ if self.is_calm() => DbState::Fine,
            1 => DbState::Refusing,
            2 => DbState::Hanging,
            _ => DbState::Fine,
        }
    }

    pub fn silence_bus(&self, silent: bool) {
        self.bus_silent.store(silent, Ordering::Release);
    }

    pub fn bus_is_silent(&self) -> bool {
        self.bus_silent.load(Ordering::Acquire) && !self.is_calm()
    }
}
