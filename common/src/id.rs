//! Identifiers. One type each, so that a room can't be looked up by a user's id. On the wire an id is a UUID
//! (RFC 9562) in canonical lower case; any other spelling is refused, so that one thing has one name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// The text is no UUID in canonical lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a UUID in canonical lower case")]
pub struct BadId;

/// Parses the 36 characters of the canonical form only.
pub fn parse_canonical(text: &str) -> Result<Uuid, BadId> {
    let canonical = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    match Uuid::try_parse(text) {
        Ok(uuid) if canonical => Ok(uuid),
        _ => Err(BadId),
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_canonical(text).map(Self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A person's account.
    UserId,
    /// A login; named `sid` in tokens.
    SessionId,
    /// A room or a direct conversation.
    RoomId,
    /// A message, named by its sender; unique within its room for ever.
    MessageId,
    /// One history of a room's log; a restore from a backup gives new ones.
    LogId,
    /// One WebSocket connection. A name, not a capability.
    WsId,
    /// One running gateway process.
    GatewayId,
    /// A device that holds keys.
    DeviceId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let good = "0198c0de-7a2b-7c3d-8e4f-0123456789ab";
        assert_eq!(good.parse::<RoomId>().unwrap().to_string(), good);
        for bad in [
            "0198C0DE-7A2B-7C3D-8E4F-0123456789AB",
            "0198c0de7a2b7c3d8e4f0123456789ab",
            "{0198c0de-7a2b-7c3d-8e4f-0123456789ab}",
            "urn:uuid:0198c0de-7a2b-7c3d-8e4f-0123456789ab",
            " 0198c0de-7a2b-7c3d-8e4f-0123456789ab",
            "",
        ] {
            assert_eq!(bad.parse::<RoomId>(), Err(BadId), "{bad:?}");
        }
    }
}
