//! One server key for all that db-core makes unforgeable. Each use has a key of its own, derived by a label, so that
//! nothing made for one is taken for another.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// 32 random bytes.
#[derive(Clone)]
pub struct ServerKey([u8; 32]);

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

impl ServerKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key of one use: HKDF-Expand with SHA-256 (RFC 5869, section 2.3), whose first block is all that is needed.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        // HMAC takes keys of any length (RFC 2104, section 2).
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!());
        mac.update(label.as_bytes());
        mac.update(&[1]);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_has_a_key_of_its_own() {
        let key = ServerKey::new([9; 32]);
        assert_eq!(key.derive("a"), ServerKey::new([9; 32]).derive("a"));
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_ne!(key.derive("a"), ServerKey::new([8; 32]).derive("a"));
        assert!(!format!("{key:?}").contains('9'));
    }
}
