//! The keys that sign access tokens, each from a time on. A new one is published before it signs, so that every verifier
//! knows it by then; an old one stays published until the last token that it signed is dead. So keys change without an
//! interruption, and nobody has to be there at the time.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    jwk::{BadJwk, Jwks, KeySet, SigningKey},
    limits,
};

/// At least one key. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct KeyRing {
    /// By rising `from`.
    keys: Vec<Held>,
}

#[derive(Debug, Clone)]
struct Held {
    key: SigningKey,
    /// Signs from then on, seconds since the epoch.
    from: i64,
}

/// A private JWK with a member of our own (RFC 7517, section 4, allows it).
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(flatten)]
    jwk: serde_json::Value,
    #[serde(default)]
    from: i64,
}

#[derive(Serialize, Deserialize)]
struct WrittenSet {
    keys: Vec<Written>,
}

impl KeyRing {
    pub fn of(key: SigningKey) -> Self {
        Self {
            keys: vec![Held { key, from: 0 }],
        }
    }

    /// Reads one private JWK, or a set of them, each with the second `from` which it signs.
    ///
    /// # Errors
    /// When a key is none, or there is none at all.
    pub fn from_json(json: &str) -> Result<Self, BadJwk> {
        if let Ok(WrittenSet { keys }) = serde_json::from_str(json) {
            let held = |written: Written| {
                let key = SigningKey::from_jwk(&written.jwk.to_string())?;
                Ok(Held {
                    key,
                    from: written.from,
                })
            };
            let mut keys = keys.into_iter().map(held).collect::<Result<Vec<_>, BadJwk>>()?;
            keys.sort_by_key(|held| held.from);
            return match keys.is_empty() {
                true => Err(BadJwk::EMPTY),
                false => Ok(Self { keys }),
            };
        }
        SigningKey::from_jwk(json).map(Self::of)
    }

    /// For the file that only its owner reads.
    pub fn to_json(&self) -> String {
        let written = |held: &Held| Written {
            jwk: serde_json::from_str(&held.key.to_jwk()).unwrap_or_default(),
            from: held.from,
        };
        let keys = self.keys.iter().map(written).collect();
        serde_json::to_string(&WrittenSet { keys }).unwrap_or_default()
    }

    /// The key that signs now.
    pub fn signing(&self, now: Timestamp) -> &SigningKey {
        let begun = self.keys.iter().rfind(|held| held.from <= now.seconds());
        &begun.unwrap_or(&self.keys[0]).key
    }

    /// What verifiers have to know: the keys that sign, will sign, or have signed what may still be good.
    pub fn published(&self, now: Timestamp) -> Jwks {
        let living = self.keys.iter().enumerate().filter(|(at, _)| !self.is_dead(*at, now));
        Jwks {
            keys: living.map(|(_, held)| held.key.public().clone()).collect(),
        }
    }

    /// What a door verifies with that holds the ring itself.
    pub fn key_set(&self) -> KeySet {
        let keys = self.keys.iter().map(|held| held.key.public().clone()).collect();
        KeySet::from_jwks(&Jwks { keys })
    }

    /// Whether the last token of a key has ended: its successor signs for longer than one lives.
    fn is_dead(&self, at: usize, now: Timestamp) -> bool {
        let token = limits::ACCESS_TOKEN_LIFE + 2 * limits::CLOCK_SKEW;
        let successor = self.keys.get(at + 1);
        successor.is_some_and(|held| Timestamp::from_seconds(held.from).plus(token) < now)
    }

    /// With a key that signs from a time on. What is dead by now is let go of, and what would have signed later; not what
    /// may sign already, by another's clock.
    pub fn with(&self, key: SigningKey, from: Timestamp, now: Timestamp) -> Self {
        let begun = now.plus(limits::CLOCK_SKEW).seconds();
        let living = self.keys.iter().enumerate();
        let living =
            living.filter(|(at, held)| !self.is_dead(*at, now) && (held.from < from.seconds() || held.from <= begun));
        let mut keys: Vec<Held> = living.map(|(_, held)| held.clone()).collect();
        let from = keys.iter().map(|held| held.from).fold(from.seconds(), i64::max);
        keys.push(Held { key, from });
        Self { keys }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn key(number: u8) -> SigningKey {
        SigningKey::from_seed([number; 32])
    }

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn kids(jwks: &Jwks) -> Vec<&str> {
        jwks.keys.iter().map(|key| key.kid.as_str()).collect()
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_until_its_tokens_are_dead() {
        let ring = KeyRing::of(key(1)).with(key(2), later(600), NOW);
        let (one, two) = (key(1), key(2));
        let (one, two) = (one.public().kid.as_str(), two.public().kid.as_str());
        for (at, signs, published) in [
            (0, one, vec![one, two]),
            (599, one, vec![one, two]),
            (600, two, vec![one, two]),
            (1_210, two, vec![one, two]),
            (1_211, two, vec![two]),
        ] {
            assert_eq!(ring.signing(later(at)).public().kid, signs, "after {at} s");
            assert_eq!(kids(&ring.published(later(at))), published, "after {at} s");
        }
    }

    #[test]
    fn a_second_change_replaces_one_that_was_yet_to_come_and_drops_the_dead() {
        let ring = KeyRing::of(key(1))
            .with(key(2), later(600), NOW)
            .with(key(3), later(300), NOW);
        assert_eq!(ring.signing(later(700)).public().kid, key(3).public().kid);
        assert_eq!(ring.published(later(700)).keys.len(), 2);
        let ring = ring.with(key(4), later(9_000), later(8_000));
        assert_eq!(ring.keys.len(), 2);
        let at_once = KeyRing::of(key(1)).with(key(2), NOW, NOW).with(key(3), NOW, NOW);
        assert_eq!(at_once.signing(NOW).public().kid, key(3).public().kid);
        assert_eq!(at_once.published(NOW).keys.len(), 3, "the second may have signed");
    }

    #[test]
    fn it_survives_its_json_and_a_single_key_is_a_ring() {
        let ring = KeyRing::of(key(1)).with(key(2), later(600), NOW);
        let again = KeyRing::from_json(&ring.to_json()).unwrap();
        assert_eq!(again.to_json(), ring.to_json());
        let single = KeyRing::from_json(&key(1).to_jwk()).unwrap();
        assert_eq!(single.signing(NOW).public(), key(1).public());
        for bad in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{}]}"#] {
            assert!(KeyRing::from_json(bad).is_err(), "{bad}");
        }
    }
}
