//! Secret keys that can be changed without an interruption: the present one makes, and older or coming ones are known too,
//! so that what was made under them counts until they are taken away.

use std::str::FromStr;

use crate::octets;

/// Keys of 32 random bytes, the present one first.
#[derive(Clone)]
pub struct KeyList {
    present: [u8; 32],
    others: Vec<[u8; 32]>,
}

impl std::fmt::Debug for KeyList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyList(… of {})", 1 + self.others.len())
    }
}

impl From<[u8; 32]> for KeyList {
    fn from(present: [u8; 32]) -> Self {
        let others = Vec::new();
        Self { present, others }
    }
}

impl FromStr for KeyList {
    type Err = String;

    /// Reads `KEY` or `KEY:KEY…`, each 32 bytes in base64url without padding. What is wrong is said without the keys.
    fn from_str(text: &str) -> Result<Self, String> {
        let key = |text: &str| -> Result<[u8; 32], String> {
            let bytes = octets::decode(text)?;
            bytes.try_into().map_err(|_| "must be 32 bytes".to_owned())
        };
        let mut keys = text.split(':').map(key);
        let present = keys.next().unwrap_or_else(|| Err("is missing".to_owned()))?;
        let others = keys.collect::<Result<_, _>>()?;
        Ok(Self { present, others })
    }
}

impl KeyList {
    /// The one that makes.
    pub fn present(&self) -> &[u8; 32] {
        &self.present
    }

    /// All that count, the present one first.
    pub fn all(&self) -> impl Iterator<Item = &[u8; 32]> {
        std::iter::once(&self.present).chain(&self.others)
    }

    /// The keys that come of these.
    pub fn map(&self, derived: impl Fn(&[u8; 32]) -> [u8; 32]) -> Self {
        Self {
            present: derived(&self.present),
            others: self.others.iter().map(derived).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_never_shown() {
        let (one, two) = (octets::encode(&[1; 32]), octets::encode(&[2; 32]));
        let keys: KeyList = format!("{two}:{one}").parse().unwrap();
        assert_eq!(keys.present(), &[2; 32]);
        assert_eq!(keys.all().collect::<Vec<_>>(), [&[2; 32], &[1; 32]]);
        assert_eq!(format!("{keys:?}"), "KeyList(… of 2)");
        for bad in ["", ":", "short", &format!("{one}:"), &format!("{one}=")] {
            let error = bad.parse::<KeyList>().unwrap_err();
            assert!(error.starts_with("must be"), "{bad}: {error}");
        }
    }
}
