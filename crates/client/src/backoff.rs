//! Full jitter: anything between nothing and a bound that doubles, so that many clients don't come back at once
//! (Brooker, "Exponential Backoff And Jitter", 2015).

use std::time::Duration;

use crate::limits::{FIRST_WAIT, LONGEST_WAIT};

/// The wait before the next try after so many failures.
pub fn jittered(failures: u32) -> Duration {
    up_to(
        FIRST_WAIT
            .saturating_mul(1 << failures.saturating_sub(1).min(10))
            .min(LONGEST_WAIT),
    )
}

/// Anything up to that.
pub fn up_to(longest: Duration) -> Duration {
    longest.mul_f64(rand::random())
}
