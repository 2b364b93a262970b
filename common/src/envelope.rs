//! Sealed messages and the keys that open them (contract, section 7). The server sees ciphertext and wrapped keys alone;
//! what it can do is refuse what no client could open.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, UserId, event::Envelope, limits, octets, octets::Octets, text::DeviceName};

/// What no envelope can look like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {detail}")]
pub struct BadEnvelope {
    pub field: &'static str,
    pub detail: String,
}

/// Bytes of an AES-256-GCM nonce and tag (NIST SP 800-38D), and of a wrapped 256-bit key.
const NONCE: usize = 12;
const TAG: usize = 16;
const WRAPPED: usize = 32 + TAG;

impl Envelope {
    /// Whether its parts have the form that the contract gives them.
    ///
    /// # Errors
    /// Names the first that has not.
    pub fn check(&self) -> Result<(), BadEnvelope> {
        let bad = |field, detail: &str| BadEnvelope {
            field,
            detail: detail.to_owned(),
        };
        if self.alg != "A256GCM" {
            return Err(bad("alg", "must be A256GCM"));
        }
        for (field, text, bytes) in [
            ("ciphertext", &self.ciphertext, TAG..=limits::CIPHERTEXT_BYTES),
            ("encryptedContentKey", &self.encrypted_content_key, WRAPPED..=WRAPPED),
            ("nonce", &self.nonce, NONCE..=NONCE),
            ("keyNonce", &self.key_nonce, NONCE..=NONCE),
        ] {
            let length = octets::decode(text).map_err(|detail| bad(field, detail))?.len();
            if !bytes.contains(&length) {
                let detail = format!("must have {} to {} bytes, not {length}", bytes.start(), bytes.end());
                return Err(bad(field, &detail));
            }
        }
        Ok(())
    }
}

/// The public identity key of a device (X25519).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Device {
    pub device_id: DeviceId,
    /// 32 bytes, base64url.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub public_key: Octets<32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<DeviceName>,
}

/// A room key, wrapped to one device (HPKE, RFC 9180).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WrappedKey {
    pub user_id: UserId,
    pub device_id: DeviceId,
    /// The encapsulated key: 32 bytes, base64url.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub enc: Octets<32>,
    /// The sealed room key with its tag: 48 bytes, base64url.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub ciphertext: Octets<WRAPPED>,
}

/// A wrapped room key that waits for one of the caller's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HeldKey {
    pub epoch: u32,
    pub device_id: DeviceId,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub enc: Octets<32>,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub ciphertext: Octets<WRAPPED>,
    pub created_by: UserId,
}

/// A member's device that has no key of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct KeylessDevice {
    pub user_id: UserId,
    pub device_id: DeviceId,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub public_key: Octets<32>,
}

/// What the caller holds of a room's keys, and who is without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct KeyRing {
    /// The present one; 0 before the first.
    pub epoch: u32,
    /// Nothing may be sealed with an earlier one; above `epoch` until the next is started.
    pub min_epoch: u32,
    pub items: Vec<HeldKey>,
    pub missing: Vec<KeylessDevice>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Envelope {
        let bytes = |length: usize| "A".repeat((length * 8).div_ceil(6));
        Envelope {
            alg: "A256GCM".into(),
            epoch: 1,
            rev: 0,
            ciphertext: bytes(32 * 1024),
            encrypted_content_key: bytes(48),
            nonce: bytes(12),
            key_nonce: bytes(12),
            sender_device: DeviceId(uuid::Uuid::from_u128(1)),
        }
    }

    #[test]
    fn the_parts_of_an_envelope_have_their_lengths() {
        assert_eq!(good().check(), Ok(()));
        let field = |change: fn(&mut Envelope)| {
            let mut envelope = good();
            change(&mut envelope);
            envelope.check().unwrap_err().field
        };
        assert_eq!(field(|e| e.alg = "none".into()), "alg");
        assert_eq!(field(|e| e.ciphertext = "A".repeat(43_692)), "ciphertext");
        assert_eq!(field(|e| e.ciphertext.truncate(20)), "ciphertext");
        assert_eq!(field(|e| e.encrypted_content_key.truncate(63)), "encryptedContentKey");
        assert_eq!(field(|e| e.nonce.push('=')), "nonce");
        assert_eq!(field(|e| e.key_nonce.clear()), "keyNonce");
    }
}
