//! Seeded randomness. Each part of a run draws from a stream of its own, so that one part's draws don't depend on when the
//! others were scheduled.

use std::{ops::Range, time::Duration};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use uuid::Uuid;

pub struct Chance(SmallRng);

impl Chance {
    /// The stream of a part, by its name (FNV-1a over it, mixed with the seed).
    pub fn of(seed: u64, part: &str) -> Self {
        let hash = part.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(SmallRng::seed_from_u64(hash ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    pub fn happens(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability.clamp(0.0, 1.0))
    }

    pub fn within(&mut self, range: Range<u64>) -> u64 {
        self.0.random_range(range)
    }

    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// One of a slice that is not empty.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.0.random_range(0..of.len())]
    }

    /// A way through a network or a queue: mostly quick, sometimes long.
    pub fn latency(&mut self) -> Duration {
        match self.within(0..10) {
            0..7 => self.millis(0..6),
            7..9 => self.millis(5..100),
            _ => self.millis(100..800),
        }
    }

    pub fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.random()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_seed_and_its_part() {
        let draw = |seed, part| Chance::of(seed, part).within(0..u64::MAX);
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
    }
}
