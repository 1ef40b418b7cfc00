//! Names of sites, boards and cameras: short, and safe in a topic, a file name and a URL.

use core::fmt;
use core::str::FromStr;

use heapless::String;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest name, in bytes.
pub const MAX_NAME_LEN: usize = 32;

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// It has no characters.
    #[error("a name must have 1 to {MAX_NAME_LEN} characters, but it is empty")]
    Empty,
    /// It has too many.
    #[error("a name must have 1 to {MAX_NAME_LEN} characters, but it is longer")]
    TooLong,
    /// A character is not allowed.
    #[error("byte {position} of the name is not one of a-z, 0-9, '_' and '-'")]
    Character {
        /// Position of the first such byte, from 0.
        position: usize,
    },
}

pub(crate) type Text = String<MAX_NAME_LEN>;

pub(crate) fn check(text: &str) -> Result<Text, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let name = Text::try_from(text).map_err(|_| NameError::TooLong)?;
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    match text.bytes().position(|byte| !allowed(byte)) {
        Some(position) => Err(NameError::Character { position }),
        None => Ok(name),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to [`MAX_NAME_LEN`] of `a-z`, `0-9`, `_` and `-`.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "Text")]
        pub struct $name(Text);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                check(text).map(Self)
            }
        }

        impl TryFrom<Text> for $name {
            type Error = NameError;

            fn try_from(text: Text) -> Result<Self, NameError> {
                check(&text).map(Self)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(Self)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl MaxSize for $name {
            // Length prefix and bytes; postcard covers heapless 0.7 only.
            const POSTCARD_MAX_SIZE: usize = 1 + MAX_NAME_LEN;
        }
    };
}

// One byte of varint holds the length.
const _: () = assert!(MAX_NAME_LEN < 128);

name! {
    /// Name of a place with one or more boards.
    SiteId
}
name! {
    /// Name of a board, unique among all boards of a hub: it is part of every record's key.
    BoardId
}
name! {
    /// Name of a camera, unique on its board.
    CameraId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert!(BoardId::try_from("north-gate_2").is_ok());
        assert!(BoardId::try_from("abcdefghijklmnopqrstuvwxyz012345").is_ok());
        assert_eq!(BoardId::try_from(""), Err(NameError::Empty));
        assert_eq!(BoardId::try_from("abcdefghijklmnopqrstuvwxyz0123456"), Err(NameError::TooLong));
    }

    #[test]
    fn characters_with_a_meaning_elsewhere_are_refused() {
        for text in ["ab/", "ab+", "ab#", "abC", "ab.", "ab ", "ab\0", "abä"] {
            let refused = Err(NameError::Character { position: 2 });
            assert_eq!(CameraId::try_from(text), refused, "{text:?}");
        }
    }
}
