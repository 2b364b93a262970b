//! Where time and randomness come in: everything else takes them as arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use common::Timestamp;
use uuid::Uuid;

/// The wall clock, rounded down to the millisecond.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as i64)
}

/// 122 random bits (UUIDv4, RFC 9562), for what must not tell when it was made.
pub fn random() -> Uuid {
    Uuid::new_v4()
}

/// 32 bytes for a key.
pub fn secret() -> [u8; 32] {
    let mut secret = [0; 32];
    rand::fill(&mut secret);
    secret
}

/// A fresh id (UUIDv7, RFC 9562): unguessable enough for a name, sorted by time for an index.
pub fn id() -> Uuid {
    Uuid::now_v7()
}
