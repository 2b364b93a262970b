//! Requests that are done once, by their `Idempotency-Key`: under the lock of all, what was done and that it was done are
//! one step.

use common::UserId;
use db_api::{Call, Refusal};
use serde_json::Value;

use super::state::State;

/// What a request that is done once is remembered by.
pub struct Done {
    body: String,
    outcome: Value,
}

/// Whose key, under which method and path.
pub type Key = (UserId, String, String);

fn key(call: &Call, user: UserId) -> Option<Key> {
    let once = call.once.as_ref()?;
    Some((user, once.scope.clone(), once.key.as_str().to_owned()))
}

impl State {
    /// What the same request was answered with before.
    ///
    /// # Errors
    /// `Conflict` when the key came with another body.
    pub fn earlier(&self, call: &Call, user: UserId) -> Result<Option<Value>, Refusal> {
        let Some(done) = key(call, user).and_then(|key| self.done.get(&key)) else {
            return Ok(None);
        };
        if call.once.as_ref().is_some_and(|once| once.body != done.body) {
            return Err(Refusal::conflict("This Idempotency-Key came with another body."));
        }
        Ok(Some(done.outcome.clone()))
    }

    /// The request is done, with this outcome.
    pub fn remember(&mut self, call: &Call, user: UserId, outcome: Value) {
        if let (Some(key), Some(once)) = (key(call, user), &call.once) {
            let body = once.body.clone();
            self.done.entry(key).or_insert(Done { body, outcome });
        }
    }
}
