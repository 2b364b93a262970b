//! Places in Postgres' write-ahead log (its documentation, `pg_lsn`), and `chat-seen`, which names one.

use std::{fmt, num::ParseIntError};

use db_api::Seen;

/// A place in the write-ahead log. After a failover the next leader's go on from where it took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(u64);

/// The form of [`Seen`]; a later release may have another.
const FORM: &str = "2.";

impl Lsn {
    /// Beyond all that anybody can prove to have.
    pub const UNKNOWN: Self = Self(u64::MAX);

    /// As Postgres writes it: two hexadecimal numbers of 32 bits, `16/B374D848`.
    ///
    /// # Errors
    /// `Decode` for anything else.
    pub fn of_postgres(text: &str) -> Result<Self, sqlx::Error> {
        let (high, low) = text.split_once('/').unwrap_or_default();
        let number = |digits| u32::from_str_radix(digits, 16).map(u64::from);
        let parse = || -> Result<Self, ParseIntError> { Ok(Self(number(high)? << 32 | number(low)?)) };
        parse().map_err(|error| sqlx::Error::Decode(error.into()))
    }

    /// What a client has seen. What isn't in this release's form is beyond what anybody can prove.
    pub fn seen(seen: &Seen) -> Self {
        let digits = seen.0.strip_prefix(FORM);
        let place = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        place.map_or(Self::UNKNOWN, Self)
    }
}

impl From<Lsn> for Seen {
    fn from(place: Lsn) -> Seen {
        Seen(format!("{FORM}{:x}", place.0))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_place_is_read_as_postgres_writes_it() {
        let place = Lsn::of_postgres("16/B374D848").unwrap();
        assert_eq!(place, Lsn(0x16_B374_D848));
        assert_eq!(place.to_string(), "16/B374D848");
        assert!(Lsn::of_postgres("0/FFFFFFFF").unwrap() < Lsn::of_postgres("1/0").unwrap());
        for wrong in ["", "16", "/", "1/", "x/1", "1/100000000"] {
            assert!(Lsn::of_postgres(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_was_seen_is_told_and_understood() {
        let place = Lsn(0x16_B374_D848);
        assert_eq!(Lsn::seen(&place.into()), place);
        for foreign in ["", "1.1764000000000", "2.", "2.zz", "7"] {
            assert_eq!(Lsn::seen(&Seen(foreign.into())), Lsn::UNKNOWN, "{foreign:?}");
        }
    }
}
