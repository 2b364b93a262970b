//! db-core's contract, the seam that all else hangs on. Each public operation is one call, which authorises and acts; it
//! carries the actor, a deadline, the trace and what the caller has already seen. Served by db-core directly or over HTTP;
//! one suite runs on both.
//!
//! The contract only grows (consistency rule 17): new operations, new optional fields. Readers ignore what they don't know.

pub mod call;
pub mod contract;
pub mod refusal;
pub mod types;

pub use call::{Answer, Call, Once, Seen};
pub use contract::DbApi;
pub use refusal::Refusal;

/// What every operation answers.
pub type Reply<T> = Result<Answer<T>, Refusal>;

/// Version of the contract, in the path of its HTTP form.
pub const VERSION: &str = "v1";
