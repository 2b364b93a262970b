//! Text that people write, parsed at the door into types that can't be wrong. A character is a Unicode scalar value.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::limits;

/// Why a text is refused; fit to be shown to its writer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadText(String);

/// Between `min` and `max` characters, none of them U+0000, which Postgres can't store.
fn checked(text: String, min: usize, max: usize) -> Result<String, BadText> {
    if text.contains('\0') {
        return Err(BadText("must not contain U+0000".into()));
    }
    let chars = text.chars().count();
    if chars < min || chars > max {
        return Err(BadText(format!("must have {min} to {max} characters, not {chars}")));
    }
    Ok(text)
}

/// As [`checked`], and there is something to see.
fn visible(text: String, max: usize) -> Result<String, BadText> {
    let text = checked(text, 1, max)?;
    if text.chars().all(char::is_whitespace) {
        return Err(BadText("must not be only white space".into()));
    }
    Ok(text)
}

/// Whether a terminal would take the character for a command, or it turns the direction of what comes behind it (Unicode
/// Standard Annex 9).
pub fn is_control(char: char) -> bool {
    char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As [`visible`], on one line, and read in the direction it is written: what else stands beside it stays what it is.
fn name(text: String, max: usize) -> Result<String, BadText> {
    if text.chars().any(is_control) {
        return Err(BadText("must have no control characters".into()));
    }
    visible(text, max)
}

fn username(text: String) -> Result<String, BadText> {
    let folded = checked(text, *limits::USERNAME_CHARS.start(), *limits::USERNAME_CHARS.end())?.to_ascii_lowercase();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    if !folded.bytes().all(allowed) {
        return Err(BadText("may only have the letters a-z, digits and _ . -".into()));
    }
    Ok(folded)
}

/// NFKC first, so that one password typed on two keyboards is one password.
fn password(text: String) -> Result<String, BadText> {
    let normal: String = text.nfkc().collect();
    checked(normal, *limits::PASSWORD_CHARS.start(), *limits::PASSWORD_CHARS.end())
}

fn query(text: String) -> Result<String, BadText> {
    checked(text, limits::QUERY_CHARS_MIN, limits::QUERY_CHARS)
}

fn visible_ascii(text: String) -> Result<String, BadText> {
    let text = checked(text, 1, limits::IDEMPOTENCY_KEY_CHARS)?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadText("may only have visible ASCII characters".into()));
    }
    Ok(text)
}

fn emoji(text: String) -> Result<String, BadText> {
    if text.is_empty() || text.len() > limits::EMOJI_BYTES {
        return Err(BadText(format!(
            "must have 1 to {} bytes of UTF-8",
            limits::EMOJI_BYTES
        )));
    }
    if text
        .chars()
        .any(|character| character.is_whitespace() || character.is_control())
    {
        return Err(BadText("must have no spaces or control characters".into()));
    }
    Ok(text)
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $parse:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// # Errors
            /// Says what is wrong with the text, in words for its writer.
            pub fn parse(text: impl Into<String>) -> Result<Self, BadText> {
                let parse: fn(String) -> Result<String, BadText> = $parse;
                parse(text.into()).map(Self)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

macro_rules! shown {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

macro_rules! hidden {
    ($($name:ident),*) => {$(
        /// Never shows the text: it must not reach a log.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(…)", stringify!($name))
            }
        }
    )*};
}

texts! {
    /// 3-32 of `a-z 0-9 _ . -`, case-folded.
    Username = username;
    /// 1-64 characters on one line, not only white space.
    DisplayName = |text| name(text, limits::DISPLAY_NAME_CHARS);
    /// 10-256 characters after NFKC (Unicode Standard Annex 15).
    Password = password;
    /// What a person calls the device of a login.
    DeviceName = |text| name(text, limits::DEVICE_NAME_CHARS);
    /// 1-80 characters on one line, not only white space.
    RoomName = |text| name(text, limits::ROOM_NAME_CHARS);
    /// At most 500 characters, maybe none.
    Topic = |text| checked(text, 0, limits::TOPIC_CHARS);
    /// What a message says: 1-4,000 characters, not only white space.
    Body = |text| visible(text, limits::MESSAGE_CHARS);
    /// The start of a name, 2-64 characters.
    Query = query;
    /// Words to be searched for, 1-200 characters, not only white space.
    SearchQuery = |text| visible(text, limits::SEARCH_CHARS);
    /// A reaction: at most 32 bytes of UTF-8, without spaces or control characters.
    Emoji = emoji;
    /// What someone typed to be compared with what is stored: it need not be possible, only text that can be stored.
    Typed = |text| checked(text, 0, limits::BODY_BYTES);
    /// `Idempotency-Key`: 1-128 visible ASCII characters.
    IdempotencyKey = visible_ascii;
}

shown!(Username, DisplayName, RoomName, Topic, Query, DeviceName, Emoji);
hidden!(Password, Body, Typed, IdempotencyKey, SearchQuery);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line() {
        for bad in ["a\nb", "a\u{202e}b", "a\u{1b}[2J", "\0", " "] {
            assert!(
                DisplayName::parse(bad).is_err() && RoomName::parse(bad).is_err(),
                "{bad:?}"
            );
        }
        assert!(DisplayName::parse("Ada עדה 👩‍🚀").is_ok());
        assert!(Body::parse("a\nb").is_ok());
    }

    #[test]
    fn usernames_are_folded_and_narrow() {
        assert_eq!(Username::parse("Ada.L-1_x").unwrap().as_str(), "ada.l-1_x");
        for bad in ["ab", "a b c", "añb", "a/b", &"x".repeat(33)] {
            assert!(Username::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn passwords_are_counted_after_nfkc_and_never_shown() {
        let ligatures = "ﬀﬀﬀﬀﬀ"; // five characters that NFKC makes ten
        assert_eq!(Password::parse(ligatures).unwrap().as_str(), "ffffffffff");
        assert!(Password::parse("short").is_err());
        assert!(!format!("{:?}", Password::parse("correct horse").unwrap()).contains("horse"));
    }

    #[test]
    fn a_reaction_is_short_and_has_no_spaces() {
        for good in ["👍", "👩‍👩‍👧‍👦", "+1", "é"] {
            assert!(Emoji::parse(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "a b",
            "a\tb",
            "\u{3000}",
            "\u{7f}",
            "\0",
            &"x".repeat(33),
            &"👍".repeat(9),
        ] {
            assert!(Emoji::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn bodies_count_scalar_values() {
        assert!(Body::parse("🦀".repeat(4_000)).is_ok());
        for bad in ["", " \n\t\u{3000}", "a\0b", &"x".repeat(4_001)] {
            assert!(Body::parse(bad).is_err());
        }
    }
}
