//! Refresh tokens (contract, section 2; consistency rule 16). A token carries its session, its place in the chain of
//! rotations and a MAC under a server key: the MAC shows a forgery before any database is asked, and makes the successor
//! derivable, so that none is ever stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{SessionId, Timestamp, UserId, limits, server_key::MacKeys};

/// What a refresh token says, once its MAC was found true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    pub user_id: UserId,
    pub session_id: SessionId,
    /// How many rotations came before it.
    pub counter: u64,
}

/// The text is no refresh token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no refresh token of ours")]
pub struct Forged;

const VERSION: u8 = 1;
const SIGNED: usize = 1 + 16 + 16 + 8;
const WHOLE: usize = SIGNED + 32;

/// What makes and reads tokens; only db-core has it.
#[derive(Debug, Clone)]
pub struct RefreshKey(MacKeys);

const KIND: &str = "chat.v1 refresh";

impl RefreshKey {
    pub fn new(keys: MacKeys) -> Self {
        Self(keys)
    }

    pub fn issue(&self, token: &RefreshToken) -> String {
        let mut bytes = Vec::with_capacity(WHOLE);
        bytes.push(VERSION);
        bytes.extend_from_slice(token.user_id.0.as_bytes());
        bytes.extend_from_slice(token.session_id.0.as_bytes());
        bytes.extend_from_slice(&token.counter.to_be_bytes());
        let mac = self.0.mac(KIND, &bytes);
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// # Errors
    /// [`Forged`], found in constant time, without a look at any session.
    pub fn read(&self, text: &str) -> Result<RefreshToken, Forged> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Forged)?;
        if bytes.len() != WHOLE || bytes[0] != VERSION {
            return Err(Forged);
        }
        let (signed, mac) = bytes.split_at(SIGNED);
        if !self.0.verifies(KIND, signed, mac) {
            return Err(Forged);
        }
        let id = |from: usize| Uuid::from_slice(&signed[from..from + 16]).map_err(|_| Forged);
        let counter = signed[33..].try_into().map(u64::from_be_bytes).map_err(|_| Forged)?;
        Ok(RefreshToken {
            user_id: UserId(id(1)?),
            session_id: SessionId(id(17)?),
            counter,
        })
    }
}

/// What the database knows of a session when one of its tokens comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// The counter of the one token that is unspent.
    pub counter: u64,
    /// When the token before it was spent.
    pub spent_at: Timestamp,
    pub revoked: bool,
}

/// What to do about a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is the unspent one: spend it.
    Rotate,
    /// The answer to its first use was lost, or two tabs used it at once: give the same successor again.
    SameSuccessor,
    /// 401, and the session lives: the session is over already, or a late duplicate came.
    Refuse,
    /// 401, and the session ends: somebody else used the token.
    Revoke,
}

/// Judges a token whose MAC is true. `key` is this use's `Idempotency-Key` (hashed), `first_key` that of the first use of
/// the same token, if it is still known.
pub fn judge(chain: Chain, counter: u64, key: Option<&[u8]>, first_key: Option<&[u8]>, now: Timestamp) -> Judgement {
    if chain.revoked || now.since(chain.spent_at) > limits::REFRESH_TOKEN_LIFE {
        return Judgement::Refuse;
    }
    if counter == chain.counter {
        return Judgement::Rotate;
    }
    let own = key.is_some() && key == first_key;
    let two_tabs = key.is_none() && first_key.is_none() && now.since(chain.spent_at) <= limits::REFRESH_GRACE;
    match counter.checked_add(1) == Some(chain.counter) {
        true if own || two_tabs => Judgement::SameSuccessor,
        false if own => Judgement::Refuse,
        _ => Judgement::Revoke,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_key::ServerKey;

    fn token(counter: u64) -> RefreshToken {
        RefreshToken {
            user_id: UserId(Uuid::from_u128(1)),
            session_id: SessionId(Uuid::from_u128(2)),
            counter,
        }
    }

    #[test]
    fn a_token_comes_back_and_a_changed_one_is_forged() {
        let key = RefreshKey::new(ServerKey::new([9; 32]).derive(""));
        let text = key.issue(&token(41));
        assert_eq!(key.read(&text), Ok(token(41)));
        assert_eq!(
            RefreshKey::new(ServerKey::new([8; 32]).derive("")).read(&text),
            Err(Forged)
        );
        for at in 0..text.len() {
            let mut other = text.clone();
            other.replace_range(at..=at, if &text[at..=at] == "A" { "B" } else { "A" });
            assert_eq!(key.read(&other), Err(Forged), "byte {at}");
        }
    }

    #[test]
    fn the_chain_is_judged_as_the_contract_says() {
        use Judgement::*;
        let at = Timestamp(1_000_000);
        let chain = Chain {
            counter: 5,
            spent_at: at,
            revoked: false,
        };
        let later = |seconds| at.plus(std::time::Duration::from_secs(seconds));
        let (k, other) = (Some(b"k".as_slice()), Some(b"o".as_slice()));
        assert_eq!(judge(chain, 5, None, None, later(60)), Rotate);
        assert_eq!(judge(chain, 4, None, None, later(10)), SameSuccessor);
        assert_eq!(judge(chain, 4, None, None, later(11)), Revoke);
        assert_eq!(judge(chain, 4, k, k, later(86_000)), SameSuccessor);
        assert_eq!(judge(chain, 4, k, other, later(1)), Revoke);
        assert_eq!(judge(chain, 4, k, None, later(1)), Revoke);
        assert_eq!(judge(chain, 4, None, k, later(1)), Revoke);
        assert_eq!(judge(chain, 3, k, k, later(1)), Refuse);
        assert_eq!(judge(chain, 3, None, None, later(1)), Revoke);
        assert_eq!(judge(chain, 6, None, None, later(1)), Revoke);
        assert_eq!(judge(Chain { revoked: true, ..chain }, 5, None, None, later(1)), Refuse);
        assert_eq!(judge(chain, 5, None, None, later(31 * 86_400)), Refuse);
    }
}
