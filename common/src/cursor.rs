//! Opaque page cursors: base64url (RFC 4648) of JSON, so that a page can be continued from a key instead of an offset.
//! A cursor names a place and gives no right; what it leads to is authorised like any other request.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// The text is no cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor that this list has given")]
pub struct BadCursor;

pub fn encode<T: Serialize>(place: &T) -> String {
    // Keys of pages are plain structs: they always serialise.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

pub fn decode<T: DeserializeOwned>(cursor: &str) -> Result<T, BadCursor> {
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| BadCursor)?;
    serde_json::from_slice(&json).map_err(|_| BadCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was_and_refuses_noise() {
        assert_eq!(
            decode::<(i64, String)>(&encode(&(7, "a".to_owned()))).unwrap(),
            (7, "a".to_owned())
        );
        for noise in ["", "!!", "e30", "eyJhIjox"] {
            assert_eq!(decode::<(i64, String)>(noise), Err(BadCursor), "{noise:?}");
        }
    }
}
