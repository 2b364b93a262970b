//! The list of sessions that were ended while access tokens of theirs may still be good (consistency rule 15). It is made
//! by db-core, goes to every door, and is small: a session stands in it as a few bytes of its hash. So it may name a
//! session that it does not mean; who is named is asked about, never turned away.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};

use crate::{SessionId, Timestamp, limits, octets};

/// Where a door takes lists from db-core.
pub const PATH: &str = "/internal/revocations";
/// Written ahead of each list.
const VERSION: u8 = 1;
/// Version, bytes of a hash, timeline, [`RevocationList::as_of`].
const HEAD: usize = 1 + 1 + 8 + 8;
/// Bytes of a hash, at least: they do for 16,000 sessions.
const NARROWEST: usize = 3;
/// Of one session in so many, at most, a list says by chance what it does not mean.
const CHANCE: u64 = 1_000;

/// Sessions that were ended, by the starts of their hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// Of the database that said it: each failover begins a higher one.
    timeline: i64,
    as_of: Timestamp,
    /// Bytes of a hash, 3 to 8.
    width: usize,
    /// Sorted. Two sessions with one hash are two entries.
    hashes: Vec<u64>,
}

/// The bytes are no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no list of revoked sessions")]
pub struct BadList;

/// The first `width` bytes of a session's SHA-256, as a number.
fn hash(session: SessionId, width: usize) -> u64 {
    let digest = Sha256::digest(session.0.as_bytes());
    digest
        .iter()
        .take(width)
        .fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

impl RevocationList {
    /// What holds of every session that was ended before `as_of`.
    pub fn new(timeline: i64, as_of: Timestamp, sessions: &[SessionId]) -> Self {
        let enough = |width: &usize| sessions.len() as u64 * CHANCE <= 1 << (8 * width);
        let width = (NARROWEST..8).find(enough).unwrap_or(8);
        let mut hashes: Vec<u64> = sessions.iter().map(|session| hash(*session, width)).collect();
        hashes.sort_unstable();
        Self {
            timeline,
            as_of,
            width,
            hashes,
        }
    }

    /// Which leader's word it is: one of an earlier timeline knows less, whatever its clock says.
    pub fn timeline(&self) -> i64 {
        self.timeline
    }

    /// Whether it says more than another.
    pub fn is_later_than(&self, other: &Self) -> bool {
        (self.timeline, self.as_of) > (other.timeline, other.as_of)
    }

    /// All that was ended before is in the list.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// Whether so much may have been ended since that nobody can be let in by this list.
    pub fn is_too_old(&self, now: Timestamp) -> bool {
        now.since(self.as_of) > limits::REVOCATION_LIST_AGE
    }

    /// Whether it names the same sessions.
    pub fn same(&self, other: &Self) -> bool {
        self.hashes == other.hashes && self.width == other.width
    }

    /// How many entries may mean the session: with none, it was not ended.
    pub fn entries_like(&self, session: SessionId) -> usize {
        let hash = hash(session, self.width);
        let from = self.hashes.partition_point(|entry| *entry < hash);
        self.hashes[from..].iter().take_while(|entry| **entry == hash).count()
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.hashes.len() * self.width);
        bytes.extend([VERSION, self.width as u8]);
        bytes.extend(self.timeline.to_be_bytes());
        bytes.extend(self.as_of.0.to_be_bytes());
        for hash in &self.hashes {
            bytes.extend(&hash.to_be_bytes()[8 - self.width..]);
        }
        bytes
    }

    /// # Errors
    /// [`BadList`], also for one whose entries are out of order.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadList> {
        let (head, entries) = bytes.split_at_checked(HEAD).ok_or(BadList)?;
        let width = usize::from(head[1]);
        if head[0] != VERSION || !(NARROWEST..=8).contains(&width) || entries.len() % width != 0 {
            return Err(BadList);
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0, |hash: u64, byte| hash << 8 | u64::from(*byte));
        let hashes: Vec<u64> = entries.chunks_exact(width).map(number).collect();
        if !hashes.is_sorted() {
            return Err(BadList);
        }
        Ok(Self {
            timeline: number(&head[2..10]) as i64,
            as_of: Timestamp(number(&head[10..]) as i64),
            width,
            hashes,
        })
    }
}

impl Serialize for RevocationList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&octets::encode(&self.encode()))
    }
}

impl<'de> Deserialize<'de> for RevocationList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let bytes = octets::decode(&text).map_err(D::Error::custom)?;
        Self::decode(&bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn sessions(from: u128, many: u128) -> Vec<SessionId> {
        (from..from + many).map(|n| SessionId(Uuid::from_u128(n))).collect()
    }

    #[test]
    fn ten_thousand_fit_32_kib_and_one_other_in_a_thousand_is_named_at_most() {
        let ended = sessions(0, 10_000);
        let list = RevocationList::new(1, NOW, &ended);
        assert!(list.encode().len() <= 32 * 1024, "{}", list.encode().len());
        assert!(ended.iter().all(|session| list.entries_like(*session) > 0));
        let others = sessions(1 << 64, 100_000);
        let named = others.iter().filter(|session| list.entries_like(**session) > 0).count();
        assert!(named <= 100, "{named} of 100,000");
    }

    #[test]
    fn it_grows_rather_than_forgets() {
        let ended = sessions(0, 40_000);
        let list = RevocationList::new(1, NOW, &ended);
        assert_eq!(list.encode().len(), HEAD + 4 * 40_000);
        assert!(ended.iter().all(|session| list.entries_like(*session) > 0));
    }

    #[test]
    fn two_of_one_hash_are_two_entries() {
        let [one] = sessions(7, 1)[..] else { unreachable!() };
        assert_eq!(RevocationList::new(1, NOW, &[one, one]).entries_like(one), 2);
        assert_eq!(RevocationList::new(1, NOW, &[]).entries_like(one), 0);
    }

    #[test]
    fn it_survives_the_wire_and_noise_is_no_list() {
        for many in [0, 3, 20_000] {
            let list = RevocationList::new(1, NOW, &sessions(1, many));
            assert_eq!(RevocationList::decode(&list.encode()), Ok(list.clone()));
            let json = serde_json::to_string(&list).unwrap();
            assert_eq!(serde_json::from_str::<RevocationList>(&json).unwrap(), list);
        }
        let mut bytes = RevocationList::new(1, NOW, &sessions(1, 3)).encode();
        assert_eq!(RevocationList::decode(&bytes[..bytes.len() - 1]), Err(BadList));
        assert_eq!(RevocationList::decode(&bytes[..5]), Err(BadList));
        bytes[HEAD] = 255;
        assert_eq!(RevocationList::decode(&bytes), Err(BadList), "out of order");
        for (at, bad) in [(0, 2), (1, 2), (1, 9)] {
            let mut bytes = RevocationList::new(1, NOW, &[]).encode();
            bytes[at] = bad;
            assert_eq!(RevocationList::decode(&bytes), Err(BadList));
        }
    }

    #[test]
    fn age_counts_from_when_it_was_true() {
        let list = RevocationList::new(1, NOW, &[]);
        assert!(!list.is_too_old(NOW.plus(limits::REVOCATION_LIST_AGE)));
        assert!(list.is_too_old(NOW.plus(limits::REVOCATION_LIST_AGE + std::time::Duration::from_millis(1))));
    }
}
