//! What goes along with every call and every answer.

use std::time::Duration;

use common::{text::IdempotencyKey, token::Actor};
use serde::{Deserialize, Serialize};

/// What a client has seen, as db-core told it: opaque, at most [`common::limits::SEEN_CHARS`] characters. A request that
/// sends it back is answered from nothing older.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen(pub String);

/// The circumstances of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Who asks, verified at the door; absent for what anyone may ask, such as a login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Milliseconds that the caller goes on waiting. db-core begins no write after them.
    pub deadline_ms: u64,
    /// W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
    /// While the leader of the database can't be reached, a read may be answered from what is left, and says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_stale: bool,
}

/// A request that its client wants done once, however often it comes: within 24 h a repeat does nothing and is answered
/// as the first was, with the object as it then stands. Another body under the same key is a `Conflict`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Once {
    pub key: IdempotencyKey,
    /// Method and path: a key counts for them, and for the actor.
    pub scope: String,
    /// SHA-256 of the body, base64url.
    pub body: String,
}

impl Call {
    /// A call of nobody in particular, with the deadline of a public operation.
    pub fn anonymous() -> Self {
        let deadline_ms = common::limits::CALL_DEADLINE.as_millis() as u64;
        Self {
            actor: None,
            deadline_ms,
            traceparent: None,
            seen: None,
            once: None,
            may_be_stale: false,
        }
    }

    pub fn of(actor: Actor) -> Self {
        Self {
            actor: Some(actor),
            ..Self::anonymous()
        }
    }

    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline_ms = deadline.as_millis() as u64;
        self
    }

    pub fn traced(mut self, traceparent: Option<String>) -> Self {
        self.traceparent = traceparent;
        self
    }

    pub fn having_seen(mut self, seen: Option<Seen>) -> Self {
        self.seen = seen;
        self
    }

    pub fn done_once(mut self, once: Option<Once>) -> Self {
        self.once = once;
        self
    }

    pub fn maybe_stale(mut self, may_be_stale: bool) -> Self {
        self.may_be_stale = may_be_stale;
        self
    }

    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

/// A value, and what its receiver has then seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer<T> {
    pub value: T,
    /// Present on the answer of a write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Read while no leader could be reached: it may lack what was acknowledged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

impl<T> Answer<T> {
    pub fn read(value: T) -> Self {
        let (seen, stale) = (None, false);
        Self { value, seen, stale }
    }

    pub fn left(value: T) -> Self {
        let (seen, stale) = (None, true);
        Self { value, seen, stale }
    }

    pub fn written(value: T, seen: Seen) -> Self {
        Self {
            value,
            seen: Some(seen),
            stale: false,
        }
    }

    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: into(self.value),
            seen: self.seen,
            stale: self.stale,
        }
    }
}
