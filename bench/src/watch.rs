//! What one connection has heard of one room: every message once, each sender's in order, and where the server numbers
//! them, by rising number without gaps (contract, section 5, "Delivery").

use std::collections::BTreeSet;

use crate::stamp::Stamp;

/// What was wrong with deliveries; all zero in a sound run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    pub lost: u64,
    pub repeated: u64,
    /// Heard before one that was sent, or numbered, earlier.
    pub reordered: u64,
    /// Error frames, and frames of rooms that nobody asked for.
    pub errors: u64,
    /// Connections that the server ended.
    pub ended: u64,
}

pub struct Watch {
    pub room: u32,
    /// The next number of each sender.
    next: Vec<u32>,
    /// The next `seq`, once one is known.
    next_seq: Option<u64>,
    /// Numbers whose ack overtook smaller ones.
    acked: BTreeSet<u64>,
}

impl Watch {
    pub fn new(room: u32, senders: usize) -> Self {
        Self {
            room,
            next: vec![0; senders],
            next_seq: None,
            acked: BTreeSet::new(),
        }
    }

    pub fn message(&mut self, stamp: &Stamp, seq: Option<u64>, faults: &mut Faults) {
        self.count(stamp, faults);
        let Some(seq) = seq else { return };
        if let Some(mut next) = self.next_seq {
            while self.acked.remove(&next) {
                next += 1;
            }
            if seq != next {
                faults.reordered += 1;
            }
        }
        self.acked = self.acked.split_off(&(seq + 1));
        self.next_seq = Some(seq + 1);
    }

    /// An ack may overtake smaller numbers but never follows a greater one.
    pub fn ack(&mut self, stamp: &Stamp, seq: Option<u64>, faults: &mut Faults) {
        self.count(stamp, faults);
        let Some(seq) = seq else { return };
        if self.next_seq.is_some_and(|next| seq < next) {
            faults.reordered += 1;
        } else {
            self.acked.insert(seq);
        }
    }

    fn count(&mut self, stamp: &Stamp, faults: &mut Faults) {
        let Some(next) = self.next.get_mut(stamp.sender as usize) else {
            faults.errors += 1;
            return;
        };
        if stamp.number < *next {
            faults.repeated += 1;
            return;
        }
        // What was skipped is lost, or comes later and then counts as repeated: a fault either way.
        faults.reordered += u64::from(stamp.number - *next);
        *next = stamp.number + 1;
    }

    /// How many of a sender's messages were not heard.
    pub fn missing(&self, sender: usize, sent: u32) -> u32 {
        sent - self.next[sender].min(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(number: u32) -> Stamp {
        Stamp {
            room: 0,
            sender: 0,
            number,
            sent_us: 0,
        }
    }

    fn faults(hear: impl FnOnce(&mut Watch, &mut Faults)) -> Faults {
        let (mut watch, mut faults) = (Watch::new(0, 2), Faults::default());
        hear(&mut watch, &mut faults);
        faults
    }

    #[test]
    fn acks_may_overtake() {
        let found = faults(|watch, faults| {
            watch.message(&stamp(0), Some(5), faults);
            let other = Stamp { sender: 1, ..stamp(0) };
            watch.ack(&other, Some(7), faults);
            watch.message(&stamp(1), Some(6), faults);
            watch.message(&stamp(2), Some(8), faults);
            assert_eq!((watch.missing(0, 4), watch.missing(1, 1)), (1, 0));
        });
        assert_eq!(found, Faults::default());
    }

    #[test]
    fn gaps_repeats_and_late_acks_are_found() {
        let gap = faults(|watch, faults| {
            watch.message(&stamp(0), Some(5), faults);
            watch.message(&stamp(1), Some(7), faults);
        });
        assert_eq!(gap.reordered, 1);
        let repeat = faults(|watch, faults| {
            watch.message(&stamp(0), None, faults);
            watch.message(&stamp(0), None, faults);
        });
        assert_eq!(repeat.repeated, 1);
        let late = faults(|watch, faults| {
            watch.message(&stamp(0), Some(5), faults);
            watch.ack(&Stamp { sender: 1, ..stamp(0) }, Some(4), faults);
        });
        assert_eq!(late.reordered, 1);
    }
}
