//! Where footage and weights lie that several checkouts share.

use std::path::PathBuf;

/// The folder `data` below `WATCHPOST_SHARED`, by default below `../shared`.
pub fn folder() -> PathBuf {
    std::env::var_os("WATCHPOST_SHARED")
        .map_or_else(|| PathBuf::from("../shared"), PathBuf::from)
        .join("data")
}
