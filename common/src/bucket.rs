//! Token buckets, with time as an argument: the one arithmetic of every rate limit.

/// How fast and how bursty something may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// A bucket that starts full. Times are milliseconds on any clock that doesn't go back.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    rate: Rate,
    /// Thousandths of a token.
    level: u64,
    at_ms: u64,
}

impl Bucket {
    pub fn full(rate: Rate, now_ms: u64) -> Self {
        Self {
            rate,
            level: u64::from(rate.burst) * 1000,
            at_ms: now_ms,
        }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// The milliseconds until there is one.
    pub fn take(&mut self, now_ms: u64) -> Result<(), u64> {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        let gained = passed.saturating_mul(u64::from(self.rate.per_second));
        self.level = self.level.saturating_add(gained).min(u64::from(self.rate.burst) * 1000);
        if self.level >= 1000 {
            self.level -= 1000;
            return Ok(());
        }
        Err((1000 - self.level).div_ceil(u64::from(self.rate.per_second.max(1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::full(
            Rate {
                per_second: 10,
                burst: 2,
            },
            0,
        );
        assert_eq!((bucket.take(0), bucket.take(0)), (Ok(()), Ok(())));
        assert_eq!(bucket.take(0), Err(100));
        assert_eq!(bucket.take(99), Err(1));
        assert_eq!(bucket.take(100), Ok(()));
        assert_eq!(bucket.take(60_000), Ok(()));
        assert_eq!(bucket.take(60_000), Ok(()));
        assert!(bucket.take(60_000).is_err(), "never more than the burst");
    }
}
