//! One server key for all that db-core makes unforgeable. Each use has keys of its own, derived by a label, so that nothing
//! made for one is taken for another.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::key_list::KeyList;

#[derive(Debug, Clone)]
pub struct ServerKey(KeyList);

impl ServerKey {
    pub fn new(keys: impl Into<KeyList>) -> Self {
        Self(keys.into())
    }

    /// The keys of one use: HKDF-Expand with SHA-256 (RFC 5869, section 2.3), whose first block is all that is needed.
    pub fn derive(&self, label: &str) -> MacKeys {
        let derived = |key: &[u8; 32]| {
            keyed(key)
                .chain_update(label)
                .chain_update([1])
                .finalize()
                .into_bytes()
                .into()
        };
        MacKeys(self.0.map(derived))
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC takes keys of any length (RFC 2104, section 2).
    <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap_or_else(|_| unreachable!())
}

/// The keys of MACs of one use.
#[derive(Debug, Clone)]
pub struct MacKeys(KeyList);

impl MacKeys {
    /// HMAC-SHA-256 (RFC 2104) of a message that begins with its kind.
    pub fn mac(&self, kind: &str, message: &[u8]) -> [u8; 32] {
        let mac = keyed(self.0.present()).chain_update(kind).chain_update(message);
        mac.finalize().into_bytes().into()
    }

    /// Whether the bytes are such a MAC, or the start of one, under any of the keys; in constant time.
    pub fn verifies(&self, kind: &str, message: &[u8], mac: &[u8]) -> bool {
        self.0.all().any(|key| {
            let expected = keyed(key).chain_update(kind).chain_update(message);
            expected.verify_truncated_left(mac).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_and_kind_has_a_mac_of_its_own() {
        let key = ServerKey::new([9; 32]);
        let mac = key.derive("a").mac("k", b"m");
        assert!(key.derive("a").verifies("k", b"m", &mac) && key.derive("a").verifies("k", b"m", &mac[..16]));
        assert!(!key.derive("b").verifies("k", b"m", &mac) && !key.derive("a").verifies("l", b"m", &mac));
        assert!(!key.derive("a").verifies("k", b"n", &mac) && !key.derive("a").verifies("k", b"m", b""));
        assert!(!format!("{key:?}{:?}", key.derive("a")).contains('9'));
    }

    #[test]
    fn what_was_made_under_an_older_key_is_good_while_that_is_there() {
        let text = |key: u8| crate::octets::encode(&[key; 32]);
        let keys = |text: String| ServerKey::new(text.parse::<KeyList>().unwrap()).derive("a");
        let old = keys(text(1)).mac("k", b"m");
        let both = keys(format!("{}:{}", text(2), text(1)));
        assert!(both.verifies("k", b"m", &old));
        assert_eq!(both.mac("k", b"m"), keys(text(2)).mac("k", b"m"));
        assert!(!keys(text(2)).verifies("k", b"m", &old));
    }
}
