//! Who may command.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::hex;

/// Shortest and longest key, bytes.
pub(crate) const KEY_BYTES: std::ops::RangeInclusive<usize> = 32..=1_024;
/// Length of a code in hexadecimal digits.
const CODE_DIGITS: usize = 64;

/// Who may command.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Whoever the broker lets publish.
    Broker,
    /// Whoever has the key.
    Key(Secret),
}

/// A key, which `Debug` hides.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// 32 to 1024 bytes, else `None`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        KEY_BYTES.contains(&bytes.len()).then(|| Self(bytes.to_vec()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Trust {
    /// Whether each command must have a counter of its own.
    pub(super) fn needs_counter(&self) -> bool {
        matches!(self, Self::Key(_))
    }

    /// The body of a payload that comes from whom it may come from. With a key a payload is the code of the body
    /// (HMAC-SHA256, 64 hexadecimal digits), a space and the body.
    pub(super) fn authentic<'a>(&self, payload: &'a [u8]) -> Result<&'a [u8], String> {
        let Self::Key(Secret(key)) = self else {
            return Ok(payload);
        };
        const UNFIT: &str = "the code does not fit the body";
        let (code, rest) = payload.split_at_checked(CODE_DIGITS).ok_or(UNFIT)?;
        let body = rest.strip_prefix(b" ").ok_or(UNFIT)?;
        let code = hex::decode(code).ok_or(UNFIT)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| "the key cannot be used".to_owned())?;
        mac.update(body);
        // In constant time.
        mac.verify_slice(&code).map_err(|_| UNFIT.to_owned())?;
        Ok(body)
    }
}
