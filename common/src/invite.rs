//! Codes of invites (contract, section 3). A code carries its room, its invite and a MAC under a server key, so that it is
//! derived again for every list, none is ever stored, and a forged one is found before any database is asked.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{RoomId, server_key::MacKeys};

/// What a code says, once its MAC was found true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteCode {
    pub room_id: RoomId,
    pub invite_id: Uuid,
}

/// The text is no code of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no invite of ours")]
pub struct Forged;

const NAMED: usize = 16 + 16;
/// Half of the MAC is kept (RFC 2104, section 5), which makes a code 64 characters without a spare bit.
const MAC: usize = 16;

/// What makes and reads codes; only db-core has it.
#[derive(Debug, Clone)]
pub struct InviteKey(MacKeys);

const KIND: &str = "chat.v1 invite";

impl InviteKey {
    pub fn new(keys: MacKeys) -> Self {
        Self(keys)
    }

    pub fn code(&self, invite: &InviteCode) -> String {
        let mut bytes = Vec::with_capacity(NAMED + MAC);
        bytes.extend_from_slice(invite.room_id.0.as_bytes());
        bytes.extend_from_slice(invite.invite_id.as_bytes());
        let mac = self.0.mac(KIND, &bytes);
        bytes.extend_from_slice(&mac[..MAC]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// # Errors
    /// [`Forged`], found in constant time.
    pub fn read(&self, code: &str) -> Result<InviteCode, Forged> {
        let bytes = URL_SAFE_NO_PAD.decode(code).map_err(|_| Forged)?;
        if bytes.len() != NAMED + MAC {
            return Err(Forged);
        }
        let (named, mac) = bytes.split_at(NAMED);
        if !self.0.verifies(KIND, named, mac) {
            return Err(Forged);
        }
        let id = |from: usize| Uuid::from_slice(&named[from..from + 16]).map_err(|_| Forged);
        Ok(InviteCode {
            room_id: RoomId(id(0)?),
            invite_id: id(16)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_key::ServerKey;

    #[test]
    fn a_code_comes_back_and_a_changed_one_is_forged() {
        let key = InviteKey::new(ServerKey::new([9; 32]).derive(""));
        let invite = InviteCode {
            room_id: RoomId(Uuid::from_u128(1)),
            invite_id: Uuid::from_u128(2),
        };
        let code = key.code(&invite);
        assert_eq!((code.len(), key.read(&code)), (64, Ok(invite)));
        assert_eq!(
            InviteKey::new(ServerKey::new([8; 32]).derive("")).read(&code),
            Err(Forged)
        );
        for at in 0..code.len() {
            let mut other = code.clone();
            other.replace_range(at..=at, if &code[at..=at] == "A" { "B" } else { "A" });
            assert_eq!(key.read(&other), Err(Forged), "character {at}");
        }
        for noise in ["", "not-a-code", &code[..63], &format!("{code}A"), &format!("{code}=")] {
            assert_eq!(key.read(noise), Err(Forged), "{noise:?}");
        }
    }
}
