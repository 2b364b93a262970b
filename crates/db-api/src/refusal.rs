//! Why db-core says no.

use common::{Problem, room::Visibility};
use serde::{Deserialize, Serialize};

/// A refused or failed call. On the wire it is tagged, so that a later release can add reasons; one that a reader does not
/// know is [`Refusal::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "camelCase")]
pub enum Refusal {
    #[error("a field is wrong: {pointer}: {detail}")]
    Invalid { pointer: String, detail: String },
    /// No actor where one is needed, or a session that has ended.
    #[error("nobody is signed in")]
    Unauthenticated,
    #[error("unknown user or wrong password")]
    InvalidCredentials,
    #[error("not allowed: {detail}")]
    Forbidden { detail: String },
    /// The caller is not in the room; what may be said of it depends on the room.
    #[error("not a member")]
    NotAMember { visibility: Visibility },
    #[error("nothing there")]
    NotFound,
    #[error("the state forbids it: {detail}")]
    Conflict { detail: String },
    #[error("the envelope's epoch is not accepted")]
    StaleEpoch,
    #[error("no longer valid")]
    Gone,
    #[error("too many")]
    RateLimited {
        #[serde(rename = "retryAfterMs")]
        retry_after_ms: u64,
    },
    /// A dependency is away or the deadline has passed; a write may or may not have happened.
    #[error("unavailable: {reason}")]
    Unavailable { reason: String },
    /// A fault of ours; logged where it was met.
    #[error("internal fault")]
    Internal,
    #[error("a refusal of a later release")]
    #[serde(other)]
    Unknown,
}

impl Refusal {
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Refusal::Invalid {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Refusal::Forbidden { detail: detail.into() }
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Refusal::Conflict { detail: detail.into() }
    }

    /// `reason` is for the log of the caller, never for a client.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Refusal::Unavailable { reason: reason.into() }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Invalid { pointer, detail } => Problem::field(pointer, detail),
            Refusal::Unauthenticated => Problem::unauthenticated(),
            Refusal::InvalidCredentials => {
                Problem::new(common::Code::InvalidCredentials, "Check the username and the password.")
            }
            Refusal::Forbidden { detail } => Problem::forbidden(detail),
            Refusal::NotAMember {
                visibility: Visibility::Public,
            } => Problem::not_a_member(),
            Refusal::NotAMember {
                visibility: Visibility::Private,
            }
            | Refusal::NotFound => Problem::not_found(),
            Refusal::Conflict { detail } => Problem::conflict(detail),
            Refusal::StaleEpoch => Problem::new(common::Code::StaleEpoch, "Read the room's keys and seal it again."),
            Refusal::Gone => Problem::new(common::Code::Gone, "It has expired or is used up."),
            Refusal::RateLimited { retry_after_ms } => Problem::rate_limited(retry_after_ms),
            Refusal::Unavailable { .. } => Problem::unavailable(),
            Refusal::Internal | Refusal::Unknown => Problem::internal(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_a_later_release_is_read_as_unknown() {
        let refusal: Refusal = serde_json::from_str(r#"{"refusal":"tooMagic","level":9}"#).unwrap();
        assert_eq!(refusal, Refusal::Unknown);
        let known = Refusal::RateLimited { retry_after_ms: 5 };
        assert_eq!(
            serde_json::from_str::<Refusal>(&serde_json::to_string(&known).unwrap()).unwrap(),
            known
        );
    }
}
