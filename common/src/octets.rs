//! Byte strings of a fixed length, as unpadded base64url (RFC 4648) on the wire. One value has one spelling.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Octets<const N: usize>(pub [u8; N]);

/// How many bytes a text of base64url holds.
///
/// # Errors
/// Says what is wrong with the text, in words for its writer.
pub fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| "must be base64url without padding")
}

/// Unpadded base64url of bytes.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl<const N: usize> Serialize for Octets<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Octets<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let bytes = decode(&text).map_err(serde::de::Error::custom)?;
        let bytes = bytes.try_into();
        bytes
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("must be {N} bytes of base64url")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_length_in_the_one_spelling() {
        let three: Octets<3> = serde_json::from_str(r#""AAEC""#).unwrap();
        assert_eq!(three, Octets([0, 1, 2]));
        assert_eq!(serde_json::to_string(&three).unwrap(), r#""AAEC""#);
        assert!(serde_json::from_str::<Octets<1>>(r#""AA""#).is_ok());
        for bad in ["AAE", "AAECAw", "AA==", "AB", "A+", "A", ""] {
            assert!(serde_json::from_str::<Octets<1>>(&format!("{bad:?}")).is_err(), "{bad}");
        }
    }
}
