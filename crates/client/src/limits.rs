//! Every bound of the client, by name.

use std::time::Duration;

/// Full jitter: the longest possible wait before the first try to come back, doubled with each, up to the last.
pub const FIRST_WAIT: Duration = Duration::from_millis(250);
pub const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// For the answer to a request: longer than a server hashes a password.
pub const ANSWER: Duration = Duration::from_secs(35);
pub const ANSWER_BYTES: usize = 4 * 1024 * 1024;
pub const CONNECT: Duration = Duration::from_secs(5);
/// Of one request. A longer `Retry-After` than [`LONGEST_WAIT`] is left to who asks.
pub const TRIES: u32 = 6;

/// For a socket's handshake and its `welcome`, and for a frame to be taken.
pub const SOCKET_PATIENCE: Duration = Duration::from_secs(10);
/// A silent line is asked, and given up when it does not answer.
pub const PING: Duration = Duration::from_secs(15);
pub const SILENCE: Duration = Duration::from_secs(25);

/// Messages of a room that may wait for their answer.
pub const OUTBOX_MESSAGES: usize = 1_000;
/// Places above a gap that are kept; what is beyond is fetched again.
pub const HELD_PLACES: usize = 2_000;
/// An own `ack` may overtake what is before it for so long; then what is missing is fetched.
pub const GAP_PATIENCE: Duration = Duration::from_millis(500);
/// The failures that a refused join, and a page that did not come, count for: they are tried again within a second.
pub const FAILURES_OF_A_READ: u32 = 3;
/// Those that a renewal counts for that was not answered.
pub const FAILURES_OF_A_RENEWAL: u32 = 5;
/// What is heard and not taken; above it the socket is not read, and the gateway at last gives the client up.
pub const HEARD: usize = 1_024;
